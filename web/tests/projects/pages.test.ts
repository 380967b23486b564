// @vitest-environment happy-dom
import { enableAutoUnmount, flushPromises } from "@vue/test-utils";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Problem } from "../../src/api/problem";
import type { Environment, Project } from "../../src/api/types";
import BadgesPage from "../../src/projects/BadgesPage.vue";
import EnvironmentsPage from "../../src/projects/EnvironmentsPage.vue";
import SettingsPage from "../../src/projects/SettingsPage.vue";
import { open } from "../support/page";

enableAutoUnmount(afterEach);
beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

const SHOP = { id: 3, name: "shop", repository: "/r", has_webhook_secret: false } as Project;
const AT = { at: "/projects/3", route: "/projects/:project/:rest(.*)*" };
const secrets = async () => [{ name: "DEPLOY", project: 3 }, { name: "TOKEN", project: null }];
const project = async (id: number): Promise<Project> => {
  if (id !== 3) throw new Problem({ status: 404, detail: "there is no project" });
  return SHOP;
};

it("a project's name and repository are changed", async () => {
  const said: unknown[] = [];
  const changeProject = async (...change: unknown[]) => (said.push(change), { ...SHOP, name: "store" });
  const { page } = await open(SettingsPage, { project, secrets, changeProject }, AT);
  expect(page.find("[name=repository]").element).toHaveProperty("value", "/r");
  await page.find("[name=name]").setValue("store");
  await page.find("form").trigger("submit");
  await flushPromises();
  expect(said).toEqual([[3, { name: "store", repository: "/r", credentials: null }]]);
  expect(page.find("h1").text()).toBe("store");
  expect(page.find("[data-testid=saved]").text()).toBe("store was saved.");
});

it("what is wrong with them is said at the field", async () => {
  const errors = [{ place: "body.name", message: "String should match pattern" }];
  const changeProject = async () => Promise.reject(new Problem({ status: 422, detail: "", errors }));
  const { page } = await open(SettingsPage, { project, secrets, changeProject }, AT);
  await page.find("form").trigger("submit");
  await flushPromises();
  expect(page.find("[name=name]").attributes("aria-invalid")).toBe("true");
  expect(page.find("[data-testid=saved]").exists()).toBe(false);
});

it("the secret that opens the repository is named, with what its address has a use for", async () => {
  const said: unknown[] = [];
  const changeProject = async (...change: unknown[]) => (said.push(change[1]), SHOP);
  const { page } = await open(SettingsPage, { project, secrets, changeProject }, AT);
  const put = async (name: string, value: string) => await page.find(`[name=${name}]`).setValue(value);
  await put("repository", "https://example.org/r.git");
  expect(page.find("[name=credentials_user]").exists()).toBe(false);
  await put("credentials", " DEPLOY ");
  await put("credentials_user", "kim");
  await page.find("form").trigger("submit");
  await flushPromises();
  await put("repository", "git@example.org:r.git");
  await put("credentials", "TOKEN");
  expect(page.find("[name=credentials_user]").exists()).toBe(false);
  await put("known_hosts", "example.org ssh-ed25519 AAAA");
  await page.find("form").trigger("submit");
  expect(said).toEqual([
    { name: "shop", repository: "https://example.org/r.git", credentials: { secret: "DEPLOY", user: "kim" } },
    {
      name: "shop",
      repository: "git@example.org:r.git",
      credentials: { secret: "TOKEN", known_hosts: "example.org ssh-ed25519 AAAA" },
    },
  ]);
});

it("a secret that is not set, and a password in the address, are said before anything is saved", async () => {
  const { page } = await open(SettingsPage, { project, secrets }, AT);
  await page.find("[name=repository]").setValue("https://example.org/r.git");
  await page.find("[name=credentials]").setValue("DEPLOI");
  expect(page.text()).toContain("DEPLOI is not set yet");
  await page.find("[name=credentials]").setValue("DEPLOY");
  expect(page.text()).not.toContain("is not set yet");
  for (const address of ["https://***@example.org/r.git", "svn+https://kim:***@example.org/r"]) {
    await page.find("[name=repository]").setValue(address);
    expect(page.text()).toContain("stands in the address");
  }
  await page.find("[name=repository]").setValue("ssh://git@example.org/r.git");
  expect(page.text()).not.toContain("stands in the address");
});

it("what is wrong with the credentials is said at their fields", async () => {
  const errors = [{ place: "body.credentials.known_hosts", message: "Value error, is empty" }];
  const changeProject = async () => Promise.reject(new Problem({ status: 422, detail: "", errors }));
  const opened = async () => ({ ...SHOP, repository: "git@h:r", credentials: { secret: "DEPLOY", known_hosts: "x" } });
  const { page } = await open(SettingsPage, { project: opened, secrets, changeProject }, AT);
  expect(page.find("[name=credentials]").element).toHaveProperty("value", "DEPLOY");
  await page.find("form").trigger("submit");
  await flushPromises();
  expect(page.find("[name=known_hosts]").attributes("aria-invalid")).toBe("true");
});

it("a project is removed after a question, and then it is shown where it can be restored", async () => {
  const gone: number[] = [];
  const { page, router } = await open(SettingsPage, { project, secrets, removeProject: async (id: number) => gone.push(id) }, AT);
  await page.find("[data-testid=remove-project]").trigger("click");
  expect(gone).toEqual([]);
  await page.find("dialog form").trigger("submit");
  await flushPromises();
  expect(gone).toEqual([3]);
  expect(router.currentRoute.value.fullPath).toBe("/plans?removed=1");
});

it("of a project that is not there it is said", async () => {
  const { page } = await open(SettingsPage, { project, secrets }, { ...AT, at: "/projects/4" });
  expect(page.text()).toContain("There is no project 4");
  expect(page.find("form").exists()).toBe(false);
});

const PRODUCTION: Environment = {
  ...{ id: 5, project: 3, project_name: "shop", name: "production", approval: true, approvers: ["ada"] },
  ...{ branches: ["main", "refs/tags/v*"], by: "Bob", updated_at: "2026-11-21T12:00:00.000Z" },
};

function environments(kept: Environment[]) {
  const said: unknown[][] = [];
  const api = {
    project,
    environments: async () => kept,
    addEnvironment: async (...draft: unknown[]) => (said.push(["add", ...draft]), PRODUCTION),
    changeEnvironment: async (...change: unknown[]) => (said.push(["change", ...change]), PRODUCTION),
    removeEnvironment: async (id: number) => void (said.push(["remove", id]), kept.splice(0)),
  };
  return { api, said };
}

it("environments say whom they wait for and which branches may use them", async () => {
  const free = { ...PRODUCTION, id: 6, name: "staging", approval: false, approvers: null, branches: null };
  const { page } = await open(EnvironmentsPage, environments([PRODUCTION, free]).api, AT);
  const [first, second] = page.findAll("[data-testid=environment-row]").map((row) => row.text().replace(/\s+/g, " "));
  for (const word of ["production", "Each job waits for a person", "ada", "main", "refs/tags/v*", "by Bob"])
    expect(first).toContain(word);
  for (const word of ["staging", "Jobs wait for nobody"]) expect(second).toContain(word);
  expect(second).toMatch(/Branches ?all/);
});

it("an environment is made: names and patterns are lines, none of them means anybody and all", async () => {
  const { api, said } = environments([]);
  const { page } = await open(EnvironmentsPage, api, AT);
  expect(page.text()).toContain("No environments yet");
  await page.find("[data-testid=add-environment]").trigger("click");
  await page.find("[name=name]").setValue(" production ");
  await page.find("[name=approvers]").setValue("ada\n\n bob ");
  await page.find("[data-testid=environment-form]").trigger("submit");
  await flushPromises();
  expect(said).toEqual([["add", 3, "production", { approval: true, approvers: ["ada", "bob"], branches: null }]]);
  expect(page.find("dialog").exists()).toBe(false);
});

it("without approval there is nobody to name", async () => {
  const { api, said } = environments([PRODUCTION]);
  const { page } = await open(EnvironmentsPage, api, AT);
  await page.find("[data-testid=edit-environment]").trigger("click");
  expect(page.find("dialog [name=name]").exists()).toBe(false);
  await page.find("[name=approval]").setValue(false);
  expect(page.find("[name=approvers]").exists()).toBe(false);
  await page.find("[data-testid=environment-form]").trigger("submit");
  await flushPromises();
  expect(said).toEqual([["change", 5, { approval: false, approvers: null, branches: ["main", "refs/tags/v*"] }]]);
});

it("an environment is removed after a question", async () => {
  const { api, said } = environments([PRODUCTION]);
  const { page } = await open(EnvironmentsPage, api, AT);
  await page.find("[data-testid=remove-environment]").trigger("click");
  expect(page.find("dialog").text()).toContain("Remove production?");
  await page.find("dialog form").trigger("submit");
  await flushPromises();
  expect(said).toEqual([["remove", 5]]);
  expect(page.find("[data-testid=environment-row]").exists()).toBe(false);
});

it("badges of the project and of each plan are shown from this server, with the Markdown to copy", async () => {
  const asked: string[] = [];
  const api = {
    project,
    plans: async () => [
      { project: 3, name: "build" },
      { project: 4, name: "other" },
    ],
    async badge(id: number, plan: string, branch: string) {
      asked.push(`${id} ${plan} ${branch}`);
      return { url: `https://ci.example.org/api/badges/shop.svg?key=k&b=${branch}`, markdown: `[![${plan || "shop"}]` };
    },
  };
  const { page } = await open(BadgesPage, api, AT);
  expect(asked).toEqual(["3  ", "3 build "]);
  const rows = page.findAll("[data-testid=badge-row]");
  expect(rows.map((row) => row.attributes("data-plan"))).toEqual(["", "build"]);
  expect(rows[1]!.find("img").attributes()).toMatchObject({ src: "/api/badges/shop.svg?key=k&b=", alt: "Badge of build" });
  expect(rows[1]!.find("input").element.value).toBe("[![build]");
  await page.find("[name=branch]").setValue("main");
  expect(asked).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(500);
  await flushPromises();
  expect(asked.slice(2)).toEqual(["3  main", "3 build main"]);
  expect(page.find("img").attributes("src")).toContain("b=main");
});
