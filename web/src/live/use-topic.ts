import { inject, onScopeDispose, watch } from "vue";
import { liveKey } from "../services";
import type { Topic, TopicFrame } from "./frames";

/** Watch the topic that `topic` names, whichever that is, until the scope ends. */
export function useTopic(topic: () => Topic | null, receive: (frame: TopicFrame) => void): void {
  const { connection } = inject(liveKey)!;
  let leave = (): void => {};
  watch(
    topic,
    (name) => {
      leave();
      leave = name ? connection.watch({ topic: name, ask: () => ({ topic: name }), receive }) : () => {};
    },
    { immediate: true },
  );
  onScopeDispose(() => leave());
}
