import { ago, now } from "./fake-time.mjs";

const HOUR = 3_600_000;
const HEADERS = { "Content-Type": "application/json", "X-GitHub-Event": "push", "User-Agent": "GitHub-Hookshot/044aadd" };

/** What waits for people and what tells them: approvals, triggers, deliveries, notifications, and who changed what. */
export class FakePeople {
  constructor(world) {
    this.world = world;
    this.approvals = [];
    this.environments = [
      { id: 1, ...project(world, 1), name: "production", approval: true, approvers: ["admin"], branches: ["main", "refs/tags/v*"], by: "Ada Weber", updated_at: ago(30 * HOUR) },
      { id: 2, ...project(world, 1), name: "staging", approval: false, approvers: null, branches: null, by: "李雷", updated_at: ago(90 * HOUR) },
    ];
    this.changes = [
      { id: 4, what: "paused", parts: [{ kind: "mode", mode: "paused" }], by: "Ada Weber", why: "a new disk", at: ago(3e6) },
      { id: 3, what: "allowed the projects tailrace, harbour", parts: [{ kind: "projects", projects: world.projects.map(({ id, name }) => ({ id, name })) }], by: "李雷", why: null, at: ago(50 * HOUR) },
      { id: 2, what: "renamed from spare to quay; given the labels arm64, gpu", parts: [{ kind: "name", before: "spare", after: "quay" }, { kind: "labels", labels: ["arm64", "gpu"] }], by: "Ada Weber", why: "it was moved", at: ago(70 * HOUR) },
      { id: 1, what: "told to drain", parts: null, by: "Grace Lund", why: "kept in words by an older server", at: ago(400 * HOUR) },
    ];
    this.triggers = [
      trigger(world, 1, 1, "webhook", { kind: "webhook", filters: null }, { last_state: "ok", last_at: ago(2e6) }),
      trigger(world, 2, 2, "nightly", { kind: "cron", expression: "30 3 * * mon-fri", zone: "Europe/Berlin", missed: "once", branch: null }, { next_at: ago(-9 * HOUR) }),
      trigger(world, 3, 3, "poll", { kind: "git", branches: ["main", "release/*"], tags: [], interval_s: 60, mode: "latest", timeout_s: 60 }, { last_state: "error", last_detail: "git.example.org does not answer: connection refused", failures: 4, last_at: ago(40_000), next_at: ago(-200_000) }),
      trigger(world, 4, 3, "releases", { kind: "url", url: "https://example.org/releases.json", headers: {}, secret_headers: {}, look: "json", path: "items[0].version", branch: null, interval_s: 300, timeout_s: 30 }, { enabled: false, mode_by: "李雷", mode_why: "the forge is being moved", mode_at: ago(5 * HOUR) }),
    ];
    this.channels = [
      channel(1, null, "team", "slack", {}, ["url"]),
      channel(2, null, "ops by mail", "email", { host: "mail.example.org", port: 587, sender: "ci@example.org", to: ["ops@example.org"] }, ["password"]),
      channel(3, project(world, 1), "commit statuses", "github", { repository: "example/tailrace" }, ["token"]),
    ];
    this.rules = [
      rule(1, this.channels[0], null, null, ["first_failure", "recovered"], null),
      rule(2, this.channels[1], project(world, 1), null, ["failed", "waiting"], ["main", "release/*"]),
    ];
    this.notifications = [];
    this.deliveries = [];
    this.refusals = [
      { id: 2, project: "harbour", source: "github", why: "the project has no webhook secret: set one", headers: HEADERS, refused_at: ago(2 * HOUR) },
      { id: 1, project: "tailrace", source: "gitlab", why: "X-Gitlab-Token is not the project's secret", headers: { "X-Gitlab-Token": "***" }, refused_at: ago(9 * HOUR) },
    ];
  }

  seed() {
    this.ask("deploy", "production", 4e5);
    this.ask("deploy", "production", 3 * HOUR, "approved", "go");
    this.ask(null, null, 2e6);
    this.inform();
    this.deliver();
  }

  /** A run that waits, or waited, for somebody: with one of its jobs, or (no job) as a whole. */
  ask(job, environment, before, state = "open", why = null) {
    const { world } = this;
    const run = world.create(world.plans[0], { state: "running", created_at: ago(before + 9e4), started_at: ago(before + 8e4) });
    const id = ++world.ids;
    const asked = { ...{ id, state, project: run.project, project_name: run.project_name, plan_name: run.plan_name, run: run.id, run_number: run.number }, ...{ job: null, job_name: job, environment, approvers: environment ? ["admin"] : null }, ...{ branch: run.branch, revision: run.revision, title: run.title, author: run.author, from_fork: !job }, ...{ asked_at: ago(before), by: null, why: null, at: null } };
    if (state !== "open") Object.assign(asked, { by: "Ada Weber", why, at: ago(before - 60_000) });
    const opened = state === "open" ? id : null;
    for (const name of ["3.11", "3.12"]) {
      const fields = { state: job ? "passed" : "waiting", matrix: "test", max_parallel: 2, fail_fast: true };
      run.jobs.push(world.job(`test (${name})`, job ? { ...fields, started_at: ago(before + 8e4), finished_at: ago(before) } : fields));
    }
    if (job) {
      const waits = opened === null ? null : `waits for approval ${id} to use environment ${environment}`;
      const made = world.job(job, { state: opened === null ? "passed" : "waiting", needs: ["test"], environment, approval: opened, why: waits, concurrency: `deploy-${run.branch}` });
      run.jobs.push(made);
      asked.job = made.id;
    } else Object.assign(run, { state: "pending", started_at: null, approval: opened });
    if (opened === null) Object.assign(run, { state: "passed", finished_at: ago(before - 90_000) });
    this.approvals.unshift(asked);
    world.changed("approvals");
  }

  /** The topic's whole state. */
  waiting() {
    const items = this.approvals.filter(({ state }) => state === "open");
    return { topic: "approvals", items, open: items.length };
  }

  decide(id, { approve, why }) {
    const asked = this.approvals.find((one) => one.id === id);
    if (!asked) return { status: 404, detail: `There is no approval ${id}.` };
    if (asked.state !== "open") return { status: 409, detail: `Approval ${id} was ${asked.state} by ${asked.by}; nothing waits for it any more.` };
    Object.assign(asked, { state: approve ? "approved" : "rejected", by: "admin", why, at: now() });
    const run = this.world.runs.get(asked.run);
    run.approval = null;
    for (const job of run.jobs) job.approval = job.why = null;
    if (approve) this.world.later(1500, () => this.world.end(run, "passed"));
    else this.world.end(run, "aborted", "rejected", `rejected by admin${why ? `: ${why}` : ""}`);
    this.world.changed("approvals");
    this.world.changed(`run/${run.id}`);
    return { status: 200, body: asked };
  }

  inform() {
    const failed = [...this.world.runs.values()].filter(({ state }) => state === "failed").slice(-3);
    failed.forEach((run, at) => {
      const about = { run: run.id, run_number: run.number, project: run.project, project_name: run.project_name };
      const unsure = { state: "unsure", attempts: 1, last_error: "the connection ended before the answer: it may have arrived" };
      const sent = { state: "sent", attempts: 1, last_error: null };
      this.notifications.unshift({ id: at + 1, ...named(this.channels[at % 2]), rule: 1, ...about, what: "failed", detail: run.detail, ...(at === 1 ? unsure : sent), told: null, created_at: run.finished_at, next_at: null, ended_at: run.finished_at });
    });
  }

  deliver() {
    const runs = [...this.world.runs.values()].slice(-12, -6);
    runs.forEach((run, at) => {
      const outcome = { trigger: 1, name: "webhook", plan: run.plan, plan_name: run.plan_name };
      const none = { ...outcome, run: null, run_number: null, why_not: "branch topic: the plan wants main" };
      const made = at % 3 !== 1;
      this.deliveries.unshift({
        ...{ id: at + 1, project: run.project, project_name: run.project_name, source: "github", event: "push", key: `0c8b6ff0-${at}` },
        ...{ state: made ? "accepted" : "ignored", detail: made ? null : "no trigger wants it: branch topic: the plan wants main" },
        ...{ runs: made ? [run.id] : [], run_numbers: made ? [run.number] : [], replays: 0, received_at: run.created_at, removed_at: null },
        outcomes: [made ? { ...outcome, run: run.id, run_number: run.number, why_not: null } : none],
      });
    });
  }

  replay(id) {
    const delivery = this.deliveries.find((one) => one.id === id);
    if (!delivery) return null;
    const run = this.world.start({ plan: 1 });
    delivery.replays += 1;
    delivery.runs.push(run.id);
    delivery.run_numbers.push(run.number);
    return { delivery: id, project_name: delivery.project_name, replay: delivery.replays, runs: [run.id], run_numbers: [run.number], state: "accepted", detail: null };
  }

  /** Null for what is not about people. */
  rest(route, id, body, search) {
    const list = (items) => ({ status: 200, body: { items, next: null } });
    const one = (found, what) => (found ? { status: 200, body: found } : { status: 404, detail: `There is no ${what} ${id}.` });
    const kept = (items, ...names) => list(items.filter((item) => names.every((name) => !search.get(name) || String(item[name]) === search.get(name))));
    switch (route) {
      case "GET approvals":
        return kept(this.approvals, "state", "project", "run");
      case "POST approvals/:id":
        return this.decide(id, body);
      case "GET environments":
        return kept(this.environments, "project");
      case "GET agents/:id/changes":
        return list(id === 2 ? this.changes : []);
      case "GET triggers":
        return kept(this.triggers, "project");
      case "POST triggers/:id/enable":
      case "POST triggers/:id/disable": {
        const found = this.triggers.find((item) => item.id === id);
        if (found) Object.assign(found, { enabled: route.endsWith("enable"), mode_by: "admin", mode_why: body?.why ?? null, mode_at: now() });
        return one(found, "trigger");
      }
      case "POST triggers/:id/check":
        return one(this.triggers.find((item) => item.id === id), "trigger");
      case "GET cron":
        return { status: 200, body: { expression: search.get("expression"), zone: search.get("zone"), fixed: true, ticks: [1, 2, 3].map((day) => ({ at: ago(-day * 24 * HOUR), local: ago(-day * 24 * HOUR).slice(0, 19) })) } };
      case "GET deliveries":
        return kept(this.deliveries, "project", "state");
      case "GET deliveries/:id": {
        const delivery = this.deliveries.find((item) => item.id === id);
        const sent = JSON.stringify({ ref: "refs/heads/main", head_commit: { message: "Guard the lease in SQL" } });
        return one(delivery && { delivery, headers: HEADERS, body: sent, size: sent.length, cut: false, replayed: [] }, "delivery");
      }
      case "POST deliveries/:id/replay":
        return one(this.replay(id), "delivery");
      case "POST deliveries/replay":
        return { status: 200, body: { dry_run: false, deliveries: body.ids, replayed: body.ids.map((wanted) => this.replay(wanted)).filter(Boolean), failed: [] } };
      case "GET refusals":
        return list(this.refusals);
      case "GET channels":
        return kept(this.channels, "project");
      case "POST channels/:id/test":
        return { status: 200, body: { ok: id !== 2, detail: id === 2 ? "mail.example.org:587: connection refused" : "It was sent." } };
      case "GET notification-rules":
        return kept(this.rules, "project", "channel");
      case "GET notifications":
        return kept(this.notifications, "state", "channel", "project");
      case "GET plans/:id/versions":
        return list([3, 2, 1].map((number) => ({ id: number, plan: id, number, author: number === 2 ? "李雷" : "Ada Weber", sha256: String(number).repeat(64), ref: number === 3 ? null : "refs/heads/main", revision: number === 3 ? null : "b28b7af69320201d", from_fork: number === 1, in_force: number === 3, created_at: ago((4 - number) * 20 * HOUR) })));
      case "GET plans/:id/diff":
        return { status: 200, body: { from: 2, to: 3, diff: "--- version 2\n+++ version 3\n@@ -1,4 +1,4 @@\n jobs:\n   bench:\n-    labels: [linux]\n+    labels: [linux, gpu]\n     steps:\n" } };
      case "GET projects/:id/hook":
        return { status: 200, body: { proof: null, key: null, picks: {}, values: {}, only: {} } };
      case "GET badges":
        return { status: 200, body: { url: "/favicon.svg", markdown: "[![tailrace](/favicon.svg)](/runs)" } };
      default:
        return null;
    }
  }
}

function project(world, id) {
  return { project: id, project_name: world.projects.find((item) => item.id === id).name };
}

function trigger(world, id, plan, name, settings, fields) {
  const of = world.plans.find((item) => item.id === plan);
  return {
    ...{ id, project: of.project, project_name: of.project_name, plan, plan_name: of.name, name, kind: settings.kind, settings },
    ...{ enabled: true, mode_by: null, mode_why: null, mode_at: null, next_at: null, last_at: null, last_state: null, last_detail: null },
    ...{ failures: 0, created_at: ago(400 * HOUR) },
    ...fields,
  };
}

function channel(id, owner, name, kind, settings, secrets) {
  const own = owner ?? { project: null, project_name: null };
  return { id, ...own, name, kind, settings: { kind, ...settings }, secrets, enabled: true, author: "admin", created_at: ago(500 * HOUR), updated_at: ago(60 * HOUR) };
}

function rule(id, of, owner, plan, on, branches) {
  const own = owner ?? { project: null, project_name: null };
  return { id, channel: of.id, channel_name: of.name, ...own, plan, plan_name: null, on, branches, enabled: true, author: "admin", created_at: ago(90 * HOUR) };
}

function named({ id, name, kind }) {
  return { channel: id, channel_name: name, kind };
}
