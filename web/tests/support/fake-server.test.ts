import { afterAll, beforeAll, expect, it } from "vitest";
// @ts-expect-error The fake server is plain JavaScript.
import { startFakeServer } from "../../dev/fake-server.mjs";

interface Fake {
  url: string;
  close(): Promise<void>;
}

let fake: Fake;
beforeAll(async () => void (fake = (await startFakeServer()) as Fake));
afterAll(() => fake.close());

async function call(path: string, method = "GET", body?: unknown) {
  const answer = await fetch(`${fake.url}${path}`, {
    method,
    headers: { Authorization: "Bearer fake" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, said: await answer.json() };
}

it.each([
  ...["projects", "plans", "plans/2/versions", "runs", "secrets", "agents", "agents/2/changes", "triggers"],
  ...["approvals", "approvals?state=open", "environments?project=1", "deliveries", "refusals"],
  ...["channels", "notification-rules", "notifications"],
])("every list of the page has something in it for who looks at the page: %s", async (path) => {
  const { status, said } = await call(`/api/${path}`);
  expect(status).toBe(200);
  expect(said.items.length).toBeGreaterThan(0);
});

it("what is decided there is decided once", async () => {
  const [asked] = (await call("/api/approvals?state=open")).said.items;
  const decided = await call(`/api/approvals/${asked.id}`, "POST", { approve: false, why: "not today" });
  expect([decided.status, decided.said.state, decided.said.by]).toEqual([200, "rejected", "admin"]);
  expect((await call(`/api/runs/${asked.run}`)).said.state).toBe("aborted");
  expect((await call(`/api/approvals/${asked.id}`, "POST", { approve: true })).status).toBe(409);
});

it("a delivery that is replayed there makes a run", async () => {
  const { said } = await call("/api/deliveries/1/replay", "POST");
  expect((await call(`/api/runs/${said.runs[0]}`)).said.number).toBe(said.run_numbers[0]);
});
