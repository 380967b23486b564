// @vitest-environment happy-dom
import { enableAutoUnmount, flushPromises, mount } from "@vue/test-utils";
import { createPinia } from "pinia";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Api } from "../../src/api/client";
import { Problem } from "../../src/api/problem";
import type { Archive } from "../../src/api/types";
import { createLocales, type Locale } from "../../src/locales";
import { apiKey } from "../../src/services";
import { useSession } from "../../src/session/store";
import ArchiveNotice from "../../src/shell/ArchiveNotice.vue";

const NOW = Date.parse("2026-11-21T12:00:00.000Z");
const OK: Archive = { url: "file:///srv/archive", state: "ok", detail: null, waiting_bytes: 0, waiting_logs: 0, since: null };
const AWAY: Archive = {
  ...OK,
  state: "away",
  detail: "No space left on device",
  waiting_bytes: 3 * 1024 * 1024,
  waiting_logs: 2,
  since: "2026-11-21T11:55:00.000Z",
};

enableAutoUnmount(afterEach);
beforeEach(() => void vi.useFakeTimers({ now: NOW }));
afterEach(() => void vi.useRealTimers());

async function open(first: Archive | Problem, { signedIn = true, locale = "en" as Locale } = {}) {
  const world = { archive: first, asked: 0 };
  const api = {
    skew: 0,
    async archive() {
      world.asked += 1;
      if (world.archive instanceof Problem) throw world.archive;
      return world.archive;
    },
  };
  const pinia = createPinia();
  const notice = mount(ArchiveNotice, {
    global: { plugins: [pinia, createLocales(locale)], provide: { [apiKey as symbol]: api as unknown as Api } },
  });
  const session = useSession(pinia);
  if (signedIn) session.user = { name: "admin", version: "0.1.0" };
  await flushPromises();
  const away = () => notice.find("[data-testid=archive-away]");
  return { notice, session, world, away };
}

async function minutePasses(): Promise<void> {
  await vi.advanceTimersByTimeAsync(60_000);
  await flushPromises();
}

it("an archive that is away is told with its cause, what waits for it, and since when", async () => {
  const { notice, away } = await open(AWAY);
  expect(away().text()).toContain("The archive is away: No space left on device");
  expect(away().text()).toContain("3.0 MB of 2 logs wait for it; nothing is lost.");
  expect(away().text()).toMatch(/since 5 min/);
  expect(notice.find("[role=status]").exists()).toBe(true);
});

it("without a cause, and with nothing that waits, it says no more than it knows", async () => {
  const { away } = await open({ ...AWAY, detail: null, waiting_logs: 0, waiting_bytes: 0, since: null });
  expect(away().text()).toBe("The archive is away: it cannot be reached");
});

it("it is told in Chinese too", async () => {
  const { away } = await open(AWAY, { locale: "zh-CN" });
  expect(away().text()).toMatch(/\p{Script=Han}/u);
  expect(away().text()).toContain("No space left on device");
});

it("nothing is said of an archive that is there", async () => {
  const { away, world } = await open(OK);
  expect(world.asked).toBe(1);
  expect(away().exists()).toBe(false);
});

it("the notice comes and goes with the archive, without a reload", async () => {
  const { away, world } = await open(OK);
  world.archive = AWAY;
  await minutePasses();
  expect(away().exists()).toBe(true);
  world.archive = OK;
  await minutePasses();
  expect(away().exists()).toBe(false);
});

it("nobody asks before somebody signed in", async () => {
  const { away, session, world } = await open(AWAY, { signedIn: false });
  await minutePasses();
  expect(world.asked).toBe(0);
  session.user = { name: "admin", version: "0.1.0" };
  await flushPromises();
  expect(away().exists()).toBe(true);
});

it("a server that does not answer takes the notice back: the connection bar speaks then", async () => {
  const { away, world } = await open(AWAY);
  world.archive = new Problem({ status: 0 });
  await minutePasses();
  expect(away().exists()).toBe(false);
});
