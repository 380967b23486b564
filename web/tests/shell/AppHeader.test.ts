// @vitest-environment happy-dom
import { enableAutoUnmount } from "@vue/test-utils";
import { afterEach, expect, it } from "vitest";
import { nextTick, ref } from "vue";
import { useOpenApprovals } from "../../src/approvals/open";
import type { TopicWatcher } from "../../src/live/connection";
import type { TopicFrame } from "../../src/live/frames";
import type { Locale } from "../../src/locales";
import { liveKey } from "../../src/services";
import { useSession } from "../../src/session/store";
import AppHeader from "../../src/shell/AppHeader.vue";
import { open } from "../support/page";

enableAutoUnmount(afterEach);

async function show(locale: Locale = "en") {
  const watching = new Set<TopicWatcher>();
  const connection = {
    watch(watcher: TopicWatcher) {
      watching.add(watcher);
      return () => watching.delete(watcher);
    },
  };
  const api = {
    session: async () => ({ name: "Ada", version: "1", url: "http://ci" }),
    signOut: async () => {},
  };
  const provide = { [liveKey as symbol]: { connection, state: ref("open") } };
  const { page } = await open(AppHeader, api, { provide, locale });
  const session = useSession();
  const tell = async (open: number): Promise<void> => {
    for (const watcher of watching) watcher.receive({ topic: "approvals", items: [], open } as TopicFrame);
    await nextTick();
  };
  const count = (): string | null => {
    const found = page.find("[data-testid=approvals-count]");
    return found.exists() ? found.text().replace(/\s+/g, " ") : null;
  };
  return { page, session, watching, tell, count };
}

it("how much waits for a person stands beside the word, live, and nothing where nothing does", async () => {
  const { session, watching, tell, count } = await show();
  expect([...watching].map(({ topic }) => topic)).toEqual([]);
  await session.load();
  await nextTick();
  expect([...watching].map(({ topic }) => topic)).toEqual(["approvals"]);
  expect(count()).toBeNull();
  await tell(3);
  expect(count()).toBe("3 wait");
  await tell(1);
  expect(count()).toBe("1 waits");
  await tell(0);
  expect(count()).toBeNull();
});

it("who has signed out listens no more, and knows nothing", async () => {
  const { session, watching, tell } = await show("zh-CN");
  await session.load();
  await nextTick();
  await tell(2);
  expect(useOpenApprovals().count).toBe(2);
  await session.signOut();
  await nextTick();
  expect(watching.size).toBe(0);
  expect(useOpenApprovals().count).toBeNull();
});
