import { inject, onScopeDispose, watch } from "vue";
import { liveKey } from "../services";
import { Backoff } from "./backoff";
import type { TopicWatcher } from "./connection";
import type { Topic, TopicError, TopicFrame } from "./frames";

/** Watch the topic that `topic` names, whichever that is, until the scope ends. What the server cannot do now is asked again. */
export function useTopic(topic: () => Topic | null, receive: (frame: TopicFrame) => void): void {
  const { connection } = inject(liveKey)!;
  let leave = (): void => {};
  watch(
    topic,
    (name) => {
      leave();
      leave = name ? begin(name) : () => {};
    },
    { immediate: true },
  );
  onScopeDispose(() => leave());

  function begin(name: Topic): () => void {
    const backoff = new Backoff();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const watcher: TopicWatcher = {
      topic: name,
      ask: () => ({ topic: name }),
      receive(frame) {
        clearTimeout(timer);
        const error = frame["error"] as TopicError | undefined;
        if (error && (error.status >= 500 || error.status === 429)) {
          timer = setTimeout(() => connection.ask(watcher), backoff.next());
        } else backoff.reset();
        receive(frame);
      },
    };
    const end = connection.watch(watcher);
    return () => {
      clearTimeout(timer);
      end();
    };
  }
}
