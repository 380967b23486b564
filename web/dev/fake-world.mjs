import { createHash } from "node:crypto";
import { FakeLog } from "./fake-log.mjs";
import { FakePeople } from "./fake-people.mjs";
import { SCRIPTS } from "./fake-scripts.mjs";
import { ago, now } from "./fake-time.mjs";

const TITLES = [
  "Encode each chunk once and share it between watchers",
  "Guard the lease in SQL, not in Python",
  "修复：断线重连后日志重复一行的问题",
  "Say which agent is missing the label",
  "Bump uvicorn to 0.54",
  "Refuse a plan whose keys appear twice, and name both lines of the file where the duplicate key was found",
  "Release 0.1.0",
];
const PEOPLE = ["Ada Weber", "李雷", "Grace Lund", "Tomas Ek"];
const BRANCHES = ["main", "main", "release/1.4", "fix/reconnect-without-a-doubled-line"];

/** What the fake server knows: projects, plans, runs, jobs, logs, agents. */
export class FakeWorld {
  constructor({ lines }) {
    this.lines = lines;
    this.listeners = new Set();
    this.timers = new Set();
    this.runs = new Map();
    this.logs = new Map();
    this.ids = 0;
    this.number = 0;
    this.projects = [
      { id: 1, name: "tailrace", repository: "https://git.example.org/tailrace.git", has_webhook_secret: true, created_at: ago(9e8) },
      { id: 2, name: "harbour", repository: "git@git.example.org:harbour.git", credentials: { secret: "DEPLOY_KEY", user: null, known_hosts: null }, has_webhook_secret: false, created_at: ago(8e8) },
    ];
    this.plans = [
      { id: 1, project: 1, project_name: "tailrace", name: "default", path: ".tailrace.yml", version: 3, definition: null, created_at: ago(9e8) },
      { id: 2, project: 1, project_name: "tailrace", name: "nightly", path: null, version: 12, definition: "jobs:\n  bench:\n    labels: [linux]\n    steps:\n      - run: make bench\n", created_at: ago(7e8) },
      { id: 3, project: 2, project_name: "harbour", name: "release", path: null, version: 1, definition: "jobs:\n  build:\n    steps:\n      - run: make dist\n", created_at: ago(6e8) },
    ];
    this.tokens = [
      { id: 1, name: "admin", role: "admin", author: null, created_at: ago(9e8), used_at: ago(3e4), expires_at: null },
      { id: 2, name: "ada", role: "member", author: "admin", created_at: ago(7e8), used_at: ago(4e6), expires_at: null },
      { id: 3, name: "release-bot", role: "member", author: "ada", created_at: ago(6e8), used_at: ago(9e7), expires_at: ago(-3e9) },
      { id: 4, name: "wall-screen", role: "reader", author: "admin", created_at: ago(9e9), used_at: null, expires_at: ago(1e9) },
    ];
    this.secrets = [
      { id: 901, name: "PYPI_TOKEN", project: 1, project_name: "tailrace", author: "admin", warnings: [], created_at: ago(8e8), updated_at: ago(3e7) },
      { id: 902, name: "DEPLOY_KEY", project: 1, project_name: "tailrace", author: "Ada Weber", warnings: ["2 lines are shorter than 6 characters and are not masked on their own."], created_at: ago(7e8), updated_at: ago(7e8) },
      { id: 903, name: "REGISTRY_PASSWORD", project: null, project_name: null, author: "admin", warnings: [], created_at: ago(6e8), updated_at: ago(4e6) },
    ];
    this.archive = { url: "file:///srv/tailrace/archive", state: "ok", detail: null, waiting_bytes: 0, waiting_logs: 0, since: null };
    const GIB = 2 ** 30;
    const machine = (hostname, processors, memory) => ({
      address: "10.0.0.7",
      trouble: null,
      machine: { hostname, system: "Debian GNU/Linux 12 (bookworm), Linux 6.1.0", architecture: "x86_64", processors, memory: memory * GIB, disk: 500 * GIB, tools: { git: "2.39.5", podman: "4.3.1" } },
      load: { waiting: 1.3, memory_free: 0.4 * memory * GIB, disk_free: 210 * GIB },
      mode: "active", mode_by: null, mode_why: null, mode_at: null,
      first_seen_at: ago(9e8),
    });
    this.agents = [
      { id: 1, name: "quay-1", state: "online", labels: ["linux", "x86_64", "docker"], capacity: 4, busy: 1, version: "0.1.0", ...machine("quay-1.example.org", 8, 32), last_seen_at: ago(2000) },
      { id: 2, name: "quay-2", state: "online", labels: ["linux", "arm64"], capacity: 2, busy: 0, version: "0.1.0", ...machine("quay-2.example.org", 4, 16), mode: "paused", mode_by: "Ada Weber", mode_why: "a new disk", mode_at: ago(3e6), last_seen_at: ago(3000) },
      { id: 3, name: "macmini", state: "offline", labels: ["macos"], capacity: 1, busy: 0, version: "0.0.9", ...machine("macmini.local", 8, 16), trouble: "agent 0.0.9 speaks protocol 1, server 0.1.0 speaks 2 to 2: upgrade the agent", last_seen_at: ago(7.3e6) },
    ];
    this.people = new FakePeople(this);
  }

  seed() {
    const past = ["passed", "passed", "failed", "passed", "aborted", "passed", "skipped", "passed", "passed", "failed"];
    for (let i = 0; i < 64; i += 1) this.past(past[i % past.length], (64 - i) * 2.3e6);
    const waiting = this.create(this.plans[1], { state: "pending" });
    waiting.jobs.push(this.job("bench", { state: "pending", why: "No agent has the label gpu; the 2 online agents have linux, x86_64, docker, arm64." }));
    const planning = this.create(this.plans[0], { state: "planning" });
    planning.revision = null;
    this.people.seed();
    this.start({ kind: "removed" });
    this.start({ kind: "dropped" });
    this.start({ kind: "stalled" });
    this.start({ kind: "pull" });
    this.start({ kind: "retried" });
    this.start({ kind: "failing", at: once });
    this.start({ kind: "steady" });
  }

  start({ kind = "steady", plan = 1, by = "admin", at = null, variables = {} } = {}) {
    const run = this.create(this.plans.find((item) => item.id === plan) ?? this.plans[0], { state: "running" });
    run.variables = variables;
    run.started_at = now();
    run.agents = ["quay-1"];
    if (by === "admin") run.trigger = { kind: "manual", by, event: "manual", delivery: null };
    SCRIPTS[kind]({ world: this, run, lines: this.lines, at });
    this.changed(`run/${run.id}`);
    return this.whole(run);
  }

  create(plan, fields = {}) {
    const id = ++this.ids;
    this.number += 1;
    const run = {
      id,
      number: this.number,
      state: "pending",
      reason: null,
      detail: null,
      project: plan.project,
      project_name: plan.project_name,
      plan: plan.id,
      plan_name: plan.name,
      plan_version: plan.version,
      revision: createHash("sha1").update(String(id)).digest("hex"),
      branch: BRANCHES[this.number % BRANCHES.length],
      ref: `refs/heads/${BRANCHES[this.number % BRANCHES.length]}`,
      title: TITLES[id % TITLES.length],
      author: PEOPLE[id % PEOPLE.length],
      trigger: id % 5 === 0 ? { kind: "cron", by: null, event: "tick", delivery: null } : { kind: "webhook", by: PEOPLE[id % PEOPLE.length], event: id % 3 === 0 ? "pull_request" : "push", delivery: id },
      agents: [],
      created_at: now(),
      started_at: null,
      finished_at: null,
      variables: {},
      jobs: [],
      ...fields,
    };
    this.runs.set(id, run);
    this.changed(`run/${id}`);
    return run;
  }

  past(state, before) {
    const run = this.create(this.plans[this.ids % 3], { state, created_at: ago(before) });
    if (state === "skipped") {
      run.finished_at = ago(before);
      run.detail = "No job of the plan matches this branch.";
      return;
    }
    const spent = 4000 + ((run.id * 7919) % 400_000);
    run.started_at = ago(before - 300);
    run.finished_at = ago(before - 300 - spent);
    run.agents = [run.id % 2 ? "quay-1" : "quay-2"];
    const job = this.job("test", { state, started_at: run.started_at, finished_at: run.finished_at, agent: run.agents[0] });
    const attempt = this.attempt(job, ["checkout", "make test"]);
    Object.assign(attempt, { state, started_at: run.started_at, finished_at: run.finished_at });
    for (const step of attempt.steps) Object.assign(step, { state, began_at: run.started_at, ended_at: run.finished_at });
    attempt.steps[0].state = "passed";
    const log = this.logs.get(attempt.log);
    log.append(`Checked out ${run.revision.slice(0, 8)}\n`, { stream: "system", time: Date.parse(run.started_at) });
    log.append("ran 214 tests\n", { step: 1, time: Date.parse(run.finished_at) });
    log.state = "closed";
    if (state === "failed") {
      run.reason = job.reason = "exit_code";
      run.detail = job.detail = "job 'test': step 2 'make test' ended with exit code 2";
    }
    if (state === "aborted") [run.reason, run.detail] = ["aborted_by", "aborted by Ada Weber"];
    run.jobs.push(job);
  }

  job(name, fields = {}) {
    return {
      id: ++this.ids,
      name,
      state: "waiting",
      reason: null,
      detail: null,
      why: null,
      needs: [],
      labels: ["linux"],
      agent: null,
      created_at: now(),
      started_at: null,
      finished_at: null,
      attempts: [],
      ...fields,
    };
  }

  attempt(job, steps) {
    const log = ++this.ids;
    this.logs.set(log, new FakeLog());
    const attempt = {
      id: ++this.ids,
      number: job.attempts.length + 1,
      state: "running",
      reason: null,
      detail: null,
      exit_code: null,
      agent: "quay-1",
      log,
      log_state: "open",
      log_size: 0,
      log_dropped: 0,
      stalled: null,
      created_at: now(),
      started_at: now(),
      finished_at: null,
      steps: steps.map((name, index) => ({ index, name, state: "waiting", exit_code: null, began_at: null, ended_at: null })),
    };
    job.attempts.push(attempt);
    return attempt;
  }

  every(ms, task) {
    const timer = setInterval(() => {
      if (task() === false) {
        clearInterval(timer);
        this.timers.delete(timer);
      }
    }, ms);
    this.timers.add(timer);
  }

  later(ms, task) {
    this.timers.add(setTimeout(task, ms));
  }

  close() {
    for (const timer of this.timers) clearTimeout(timer);
  }

  onChange(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  changed(topic) {
    for (const listener of this.listeners) listener(topic);
  }

  summaries() {
    return [...this.runs.values()].sort((a, b) => b.id - a.id).map((run) => this.summary(run));
  }

  summary(run) {
    const { jobs: _jobs, variables: _variables, ...summary } = run;
    return summary;
  }

  whole(run) {
    for (const job of run.jobs) {
      for (const attempt of job.attempts) {
        const log = this.logs.get(attempt.log);
        [attempt.log_size, attempt.log_state] = [log.size, log.state];
      }
    }
    return run;
  }

  rest(method, kind, id, action, body, search) {
    const route = `${method} ${kind}${id === null ? "" : "/:id"}${action ? `/${action}` : ""}`;
    const run = kind === "runs" && id !== null ? this.runs.get(id) : null;
    if (kind === "runs" && id !== null && !run) return { status: 404, detail: `There is no run ${id}.` };
    switch (route) {
      case "GET projects":
        return { status: 200, body: { items: this.projects, next: null } };
      case "GET plans":
        return { status: 200, body: { items: this.plans, next: null } };
      case "GET plans/:id":
        return { status: 200, body: this.plans.find((plan) => plan.id === id) };
      case "GET plans/:id/parameters":
        return { status: 200, body: { version: 1, items: [] } };
      case "GET projects/:id":
        return { status: 200, body: this.projects.find((project) => project.id === id) };
      case "GET secrets": {
        const own = search.get("project");
        return { status: 200, body: { items: this.secrets.filter((item) => !own || item.project === Number(own)), next: null } };
      }
      case "GET tokens":
        return { status: 200, body: { items: this.tokens, next: null } };
      case "POST tokens": {
        const { life_s: life, ...draft } = body;
        const made = { id: this.tokens.length + 901, ...draft, author: "admin", created_at: ago(0), used_at: null, expires_at: life && ago(-life * 1000) };
        this.tokens.push(made);
        return { status: 201, body: { ...made, token: `trt_${"0123456789abcdef".repeat(4)}` } };
      }
      case "DELETE tokens/:id":
        this.tokens = this.tokens.filter((item) => item.id !== id);
        return { status: 204 };
      case "POST secrets":
        return this.setSecret(body);
      case "DELETE secrets/:id":
        this.secrets = this.secrets.filter((item) => item.id !== id);
        return { status: 204 };
      case "GET archive":
        return { status: 200, body: this.archive };
      case "GET agents":
        return { status: 200, body: { items: this.agents, next: null } };
      case "PATCH agents/:id": {
        const agent = this.agents.find((item) => item.id === id);
        if (!agent) return { status: 404, detail: `There is no agent ${id}.` };
        const idle = body.mode === "active";
        Object.assign(agent, { mode: body.mode, mode_why: body.why, mode_by: idle ? null : "admin", mode_at: idle ? null : now() });
        return { status: 200, body: agent };
      }
      case "GET runs":
        return { status: 200, body: this.page(search) };
      case "GET runs/:id":
        return { status: 200, body: this.whole(run) };
      case "POST projects": {
        if (this.projects.some((item) => item.name === body.name)) return { status: 409, detail: `There is a project ${body.name} already; choose another name.` };
        const project = { id: ++this.ids, name: body.name, repository: body.repository, credentials: body.credentials ?? null, has_webhook_secret: Boolean(body.webhook_secret), created_at: now() };
        this.projects.push(project);
        return { status: 201, body: project };
      }
      case "POST plans":
      case "PUT plans/:id":
        return this.savePlan(id, body);
      case "POST runs":
        return { status: 201, body: this.start({ plan: body.plan, variables: body.variables ?? {} }) };
      case "POST runs/:id/rerun":
        return { status: 201, body: this.start({ plan: run.plan }) };
      case "POST runs/:id/abort":
        this.later(400, () => this.end(run, "aborted", "aborted_by", "aborted by admin"));
        return { status: 200, body: this.whole(run) };
      default:
        return this.people.rest(route, id, body, search) ?? { status: 404, detail: `The fake server has no ${route}.` };
    }
  }

  page(search) {
    const limit = Number(search.get("limit") ?? 50);
    const before = Number(search.get("cursor") ?? Infinity);
    const matching = this.summaries().filter(
      (run) =>
        run.id < before &&
        (!search.get("state") || run.state === search.get("state")) &&
        (!search.get("plan") || run.plan === Number(search.get("plan"))),
    );
    const items = matching.slice(0, limit);
    return { items, next: matching.length > limit ? String(items.at(-1).id) : null };
  }

  setSecret({ name, value, project = null }) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return { status: 422, detail: `name: ${name} is no name; letters, digits and _ are allowed.` };
    if (!value) return { status: 422, detail: "value: it is empty." };
    const warnings = value.length < 6 ? ["The value is shorter than 6 characters and is not masked."] : [];
    const old = this.secrets.find((item) => item.name === name && item.project === project);
    const owner = this.projects.find((item) => item.id === project);
    const secret = Object.assign(old ?? { id: ++this.ids, created_at: now() }, { name, project, project_name: owner?.name ?? null, author: "admin", warnings, updated_at: now() });
    if (!old) this.secrets.push(secret);
    return { status: old ? 200 : 201, body: secret };
  }

  /** The logs of the runs that a search is for, newest run first. */
  logsOf(search) {
    const logs = [];
    for (const run of this.summaries().map((summary) => this.runs.get(summary.id))) {
      if (search.get("project") && run.project !== Number(search.get("project"))) continue;
      if (search.get("plan") && run.plan !== Number(search.get("plan"))) continue;
      if (search.get("branch") && run.branch !== search.get("branch")) continue;
      if (search.get("state") && run.state !== search.get("state")) continue;
      if (search.get("since") && run.created_at < search.get("since")) continue;
      if (search.get("until") && run.created_at > search.get("until")) continue;
      for (const job of run.jobs) {
        for (const attempt of job.attempts) {
          const { id, number, plan_name, project_name } = run;
          const facts = { run: { id, number, plan_name, project_name }, job: job.name, attempt: attempt.number, log: attempt.log };
          logs.push({ log: this.logs.get(attempt.log), facts });
        }
      }
    }
    return Object.assign(logs, { many: true });
  }

  savePlan(id, body) {
    const wrong = (body.definition ?? "").split("\n").findIndex((line) => line.includes("\t") || /^\s*step:/.test(line));
    if (wrong >= 0) {
      return {
        status: 422,
        detail: "The definition is wrong.",
        errors: [{ line: wrong + 1, column: 5, message: "unknown key 'step'; allowed are: steps, needs, labels, variables, timeout, checkout" }],
      };
    }
    const project = this.projects.find((item) => item.id === body.project);
    const old = this.plans.find((plan) => plan.id === id);
    const plan = Object.assign(old ?? { id: ++this.ids, version: 0, created_at: now() }, {
      project: project.id,
      project_name: project.name,
      name: body.name,
      path: body.path ?? null,
      definition: body.definition ?? null,
    });
    plan.version += 1;
    if (!old) this.plans.push(plan);
    return { status: old ? 200 : 201, body: plan };
  }

  end(run, state, reason = null, detail = null) {
    if (run.finished_at) return;
    Object.assign(run, { state, reason, detail, finished_at: now() });
    for (const job of run.jobs) {
      if (job.finished_at) continue;
      Object.assign(job, job.started_at ? { state, reason, detail, finished_at: now() } : { state: "skipped", finished_at: now() });
      const attempt = job.attempts.at(-1);
      if (!attempt) continue;
      Object.assign(attempt, { state, reason, detail, finished_at: now() });
      for (const step of attempt.steps) {
        if (step.state === "running") Object.assign(step, { state, ended_at: now() });
        if (step.state === "waiting") step.state = "skipped";
      }
      const log = this.logs.get(attempt.log);
      log.append(`${detail ?? "Passed"}\n`, { stream: "system", step: Math.max(0, attempt.steps.length - 1) });
      // An outcome does not wait for its log.
      this.later(700, () => {
        log.state = "closed";
        this.changed(`log/${attempt.log}`);
        this.changed(`run/${run.id}`);
      });
      this.changed(`log/${attempt.log}`);
    }
    this.changed(`run/${run.id}`);
  }
}

const once = true;
