// @vitest-environment happy-dom
import { enableAutoUnmount, flushPromises, type VueWrapper } from "@vue/test-utils";
import { afterEach, expect, it } from "vitest";
import { Problem } from "../../src/api/problem";
import type { GenericHook, HookTrial, Project, ProjectChange } from "../../src/api/types";
import { formOf, hookOf } from "../../src/hooks/form";
import { addressOf, isLoopback } from "../../src/hooks/guide";
import { randomSecret } from "../../src/hooks/secret";
import WebhooksPage from "../../src/hooks/WebhooksPage.vue";
import { useSession } from "../../src/session/store";
import { open } from "../support/page";

enableAutoUnmount(afterEach);

const USUAL: GenericHook = { proof: null, key: null, picks: {}, values: {}, only: {} };
const HOOK: GenericHook = {
  proof: { kind: "hmac", header: "X-Signature", prefix: "v1=", digest: "sha512", encoding: "base64" },
  key: "X-Delivery",
  picks: { branch: "'main'", revision: "push_data.commit || ''" },
  values: { IMAGE: "repository.repo_name" },
  only: { "push_data.tag": ["latest", "stable"] },
};

async function show({ kept = USUAL, from = "github", refusal = null as Problem | null, secret = false } = {}) {
  const world = { project: [] as ProjectChange[], kept: [] as (GenericHook | null)[], tried: [] as HookTrial[] };
  const shop = { id: 3, name: "shop & co", repository: "/r", has_webhook_secret: secret } as Project;
  const api = {
    project: async () => shop,
    async changeProject(_id: number, change: ProjectChange) {
      if (refusal) throw refusal;
      world.project.push(change);
      return { ...shop, has_webhook_secret: change.webhook_secret !== null };
    },
    hook: async () => (world.kept.length > 0 ? (world.kept.at(-1) ?? USUAL) : kept),
    async setHook(_id: number, hook: GenericHook) {
      if (refusal) throw refusal;
      world.kept.push(hook);
      return hook;
    },
    removeHook: async () => void world.kept.push(null),
    async tryHook(_id: number, trial: HookTrial) {
      if (refusal) throw refusal;
      world.tried.push(trial);
      return trial.body.includes("skip")
        ? { event: null, ignored: "push_data.tag is skip" }
        : { event: { kind: "push", branch: "main", from_fork: false, title: null, values: {} }, ignored: null };
    },
  };
  const at = { at: `/projects/3/webhooks?from=${from}`, route: "/projects/:project/webhooks" };
  const { page } = await open(WebhooksPage, api, at);
  useSession().user = { name: "admin", version: "1", url: "https://ci.example.org" };
  await flushPromises();
  return { page, world };
}

const address = (page: VueWrapper): string => page.find<HTMLInputElement>("[data-testid=hook-address] input").element.value;

it("an address is the server's own, with the sender and the project's name", async () => {
  expect(addressOf("https://ci.example.org/", "gitea", "shop & co")).toBe("https://ci.example.org/hooks/gitea/shop%20%26%20co");
  const { page } = await show();
  expect(address(page)).toBe("https://ci.example.org/hooks/github/shop%20%26%20co");
  expect(page.find("[data-testid=loopback]").exists()).toBe(false);
});

it("that only this machine reaches an address is said", () => {
  for (const base of ["http://127.0.0.1:8000", "http://localhost", "http://[::1]:8000"]) expect(isLoopback(base)).toBe(true);
  for (const base of ["https://ci.example.org", "http://10.0.0.7"]) expect(isLoopback(base)).toBe(false);
});

it("for each forge it is said where its form is and what its fields want", async () => {
  const { page } = await show();
  for (const [sender, words] of Object.entries({
    github: ["Payload URL", "Content type", "Secret", "Pull requests"],
    gitlab: ["Secret token", "Merge request events", "whsec_"],
    gitea: ["Target URL", "HTTP Method", "Pull Request"],
    generic: ["X-Tailrace-Token"],
  })) {
    await page.find(`input[value=${sender}]`).setValue(true);
    await flushPromises();
    const guide = page.find("[data-testid=hook-guide]");
    for (const word of words) expect(guide.text()).toContain(word);
    expect(address(page)).toContain(`/hooks/${sender}/`);
    expect(page.find("[data-testid=hook]").exists()).toBe(sender === "generic");
  }
});

it("a secret is made up, kept, and seen once to be entered at the sender", async () => {
  const { page, world } = await show();
  expect(page.find("[data-testid=hook-secret]").text()).toContain("takes no webhooks");
  await page.find("[data-testid=make-secret]").trigger("click");
  const made = page.find<HTMLInputElement>("[name=webhook_secret]").element.value;
  expect(made).toMatch(/^[\w-]{32}$/);
  await page.find("[data-testid=hook-secret] form").trigger("submit");
  await flushPromises();
  expect(world.project).toEqual([{ webhook_secret: made }]);
  expect(page.find("[data-testid=hook-secret]").attributes("data-kept")).toBe("true");
  expect(page.find<HTMLInputElement>("[data-testid=fresh-secret] input").element.value).toBe(made);
  expect(page.find<HTMLInputElement>("[name=webhook_secret]").element.value).toBe("");
  expect(randomSecret()).not.toBe(made);
});

it("a secret is taken away after a question", async () => {
  const { page, world } = await show({ secret: true });
  await page.find("[data-testid=remove-secret]").trigger("click");
  expect(world.project).toEqual([]);
  await page.find("dialog form").trigger("submit");
  await flushPromises();
  expect(world.project).toEqual([{ webhook_secret: null }]);
  expect(page.find("[data-testid=hook-secret]").attributes("data-kept")).toBe("false");
});

it("what is wrong with a secret is said at its field", async () => {
  const errors = [{ place: "body.webhook_secret", message: "at least 8 characters" }];
  const { page } = await show({ refusal: new Problem({ status: 422, detail: "", errors }) });
  await page.find("[name=webhook_secret]").setValue("short");
  await page.find("[data-testid=hook-secret] form").trigger("submit");
  await flushPromises();
  expect(page.find("[name=webhook_secret]").attributes("aria-invalid")).toBe("true");
});

it("a hook goes through the form and back as it was", () => {
  expect(hookOf(formOf(HOOK))).toEqual(HOOK);
  expect(hookOf(formOf(USUAL))).toEqual(USUAL);
  const token = { ...USUAL, proof: { kind: "token" as const, header: "X-Token", prefix: "" } };
  expect(hookOf(formOf(token))).toEqual(token);
});

it("how generic webhooks are read is changed and kept; rows that are empty are none", async () => {
  const { page, world } = await show({ kept: HOOK, from: "generic" });
  await page.find("[name=pick-branch]").setValue("");
  await page.find("[name=pick-title]").setValue("head.title");
  await page.find("[data-testid=pairs-values] [data-add]").trigger("click");
  await page.find("[data-testid=pairs-values] [data-add]").trigger("click");
  const rows = page.findAll("[data-testid=pairs-values] .pair");
  await rows[1]!.find("[data-left]").setValue("TAG");
  await rows[1]!.find("[data-right]").setValue("push_data.tag");
  await page.find("[data-testid=pairs-only] [aria-label^=Remove]").trigger("click");
  await page.find("[name=proof]").setValue("token");
  await page.find("[data-testid=hook-form]").trigger("submit");
  await flushPromises();
  expect(world.kept).toEqual([
    {
      proof: { kind: "token", header: "X-Signature", prefix: "v1=" },
      key: "X-Delivery",
      picks: { revision: "push_data.commit || ''", title: "head.title" },
      values: { IMAGE: "repository.repo_name", TAG: "push_data.tag" },
      only: {},
    },
  ]);
  expect(page.find("[data-testid=hook-news]").text()).toContain("Saved");
});

it("a body is tried with what stands in the form, kept or not", async () => {
  const { page, world } = await show({ from: "generic" });
  await page.find("[name=pick-branch]").setValue("'main'");
  await page.find("[name=body]").setValue('{"a": 1}');
  await page.find("[data-testid=try-hook]").trigger("click");
  await flushPromises();
  expect(world.tried).toEqual([
    { body: '{"a": 1}', content_type: "application/json", hook: { ...USUAL, picks: { branch: "'main'" } } },
  ]);
  expect(world.kept).toEqual([]);
  const told = page.find("[data-testid=hook-tried]");
  expect(told.text()).toContain("It is understood");
  expect(told.findAll("dt").map((name) => name.text())).toEqual(["kind", "branch"]);
  await page.find("[name=body]").setValue("skip");
  await page.find("[data-testid=try-hook]").trigger("click");
  await flushPromises();
  expect(page.find("[data-testid=hook-tried]").text()).toContain("push_data.tag is skip");
});

it("what is wrong with a path is said at its field, tried or kept; what has no field as a notice", async () => {
  for (const [testid, prefix] of [["try-hook", "body.hook"], ["save-hook", "body"]]) {
    const errors = [
      { place: `${prefix}.picks.branch`, message: "Value error, no path" },
      { place: `${prefix}.values.IMAGE`, message: "Value error, no path either" },
      { place: `${prefix}.proof.hmac.header`, message: "no header" },
      { place: "body.body", message: "too long" },
    ];
    const { page } = await show({ kept: HOOK, from: "generic", refusal: new Problem({ status: 422, detail: "", errors }) });
    if (testid === "try-hook") await page.find("[data-testid=try-hook]").trigger("click");
    else await page.find("[data-testid=hook-form]").trigger("submit");
    await flushPromises();
    expect(page.find("[name=pick-branch]").attributes("aria-invalid")).toBe("true");
    expect(page.find("[name=header]").attributes("aria-invalid")).toBe("true");
    expect(page.find("[data-testid=pairs-values] [role=alert]").text()).toBe("no path either");
    expect(page.find("[data-testid=hook-form] > p.problem").text()).toBe("body: too long");
    page.unmount();
  }
});

it("the usual names serve again after a question", async () => {
  const { page, world } = await show({ kept: HOOK, from: "generic" });
  await page.find("[data-testid=remove-hook]").trigger("click");
  await page.find("dialog form").trigger("submit");
  await flushPromises();
  expect(world.kept).toEqual([null]);
  expect(page.find<HTMLInputElement>("[name=pick-branch]").element.value).toBe("");
});
