import { now } from "./fake-time.mjs";

const COLOURS = [31, 32, 33, 34, 35, 36];

function begin(world, run, name, steps, needs = []) {
  const job = world.job(name, { state: "running", started_at: now(), agent: "quay-1", needs });
  run.jobs.push(job);
  const attempt = world.attempt(job, steps);
  const log = world.logs.get(attempt.log);
  const say = (text, options = {}) => {
    log.append(text, options);
    world.changed(`log/${attempt.log}`);
  };
  const step = (index) => {
    for (const part of attempt.steps) {
      if (part.index < index && !part.ended_at) Object.assign(part, { state: "passed", ended_at: now(), exit_code: 0 });
    }
    if (attempt.steps[index]) {
      Object.assign(attempt.steps[index], { state: "running", began_at: now() });
      say(`Step ${index + 1}: ${attempt.steps[index].name}\n`, { stream: "system", step: index });
    }
    world.changed(`run/${run.id}`);
  };
  const finish = (state, fields = {}) => {
    for (const part of attempt.steps) {
      if (part.state === "running") Object.assign(part, { state, ended_at: now() });
      if (part.state === "waiting") part.state = "skipped";
    }
    Object.assign(attempt, { state, finished_at: now(), ...fields });
    Object.assign(job, { state, finished_at: now(), reason: fields.reason ?? null, detail: fields.detail ?? null });
    log.state = "closed";
    world.changed(`log/${attempt.log}`);
    world.changed(`run/${run.id}`);
  };
  return { job, attempt, log, say, step, finish };
}

function checkout({ say, step }, run) {
  step(0);
  say(`Fetching https://git.example.org/tailrace.git\n`, { stream: "system" });
  say(`\x1b[2mFrom git.example.org:tailrace\x1b[0m\n * branch            main       -> FETCH_HEAD\n`, { stream: "stderr" });
  say(`HEAD is now at ${run.revision.slice(0, 8)} ${run.title}\n`);
}

function colours(say, step) {
  say(COLOURS.map((code) => `\x1b[${code}m■ ${code}\x1b[0m \x1b[${code + 60}m■ ${code + 60}\x1b[0m`).join("  ") + "\n", { step });
  let cube = "";
  for (let i = 16; i < 232; i += 6) cube += `\x1b[48;5;${i}m  `;
  say(`${cube}\x1b[0m 256 colours\n`, { step });
  let rainbow = "";
  for (let i = 0; i < 72; i += 1) {
    const [r, g, b] = [0, 2, 4].map((shift) => Math.round(127 + 127 * Math.sin(i / 11 + shift)));
    rainbow += `\x1b[38;2;${r};${g};${b}m━`;
  }
  say(`${rainbow}\x1b[0m true colour\n`, { step });
  say("\x1b[1mbold\x1b[0m \x1b[2mdim\x1b[0m \x1b[3mitalic\x1b[0m \x1b[4munderline\x1b[0m \x1b[7minverse\x1b[0m \x1b[9mstruck\x1b[0m \x1b[1;37;41m FAIL \x1b[0m \x1b[30;42m PASS \x1b[0m\n", { step });
  say("<b>not html</b> &amp; <script>alert(1)</script>  中文输出与 emoji 🚰\ttab\n", { step });
}

export const SCRIPTS = {
  /** Prints for ever, a few lines a second, with a partial line and a progress bar now and then. */
  steady({ world, run }) {
    const lint = begin(world, run, "lint", ["checkout", "ruff check"]);
    checkout(lint, run);
    lint.step(1);
    lint.say("All checks passed!\n", { step: 1 });
    lint.finish("passed");
    const test = begin(world, run, "test", ["checkout", "pip install -e .", "pytest -q", "artifacts"], ["lint"]);
    run.jobs.push(world.job("image", { needs: ["test"], why: "It waits for the job test." }));
    checkout(test, run);
    test.step(1);
    let percent = 0;
    let count = 0;
    world.every(120, () => {
      if (run.finished_at) return false;
      if (percent < 100) {
        percent += 5;
        const bar = "━".repeat(percent / 2.5).padEnd(40, "╺");
        test.say(`\r   \x1b[35m${bar}\x1b[0m ${percent}% 4.${percent} MB/s`, { step: 1 });
        if (percent >= 100) {
          test.say("\nSuccessfully installed tailrace-0.1.0\n", { step: 1 });
          test.step(2);
          colours(test.say, 2);
        }
        return true;
      }
      count += 1;
      if (count % 17 === 0) test.say(`/srv/tailrace/hub.py:${count}: DeprecationWarning: \x1b[33mget_event_loop()\x1b[0m is deprecated\n`, { stream: "stderr", step: 2 });
      else test.say(`tests/unit/live/test_hub.py::test_case_${count} \x1b[32mPASSED\x1b[0m  [${String(count % 100).padStart(3)}%]\n`, { step: 2 });
      return true;
    });
  },

  /** As many lines as the server was started with, as fast as the page takes them. */
  burst({ world, run, lines }) {
    const job = begin(world, run, "burst", ["checkout", "yes"]);
    checkout(job, run);
    job.step(1);
    let line = 0;
    world.every(10, () => {
      const until = Math.min(lines, line + 2000);
      let text = "";
      for (; line < until; line += 1) text += `\x1b[36m${String(line).padStart(8, "0")}\x1b[0m the quick brown fox jumps over the lazy dog, and then some more to fill it up\n`;
      job.say(text, { step: 1, stream: line % 20_000 === 0 ? "stderr" : "stdout" });
      if (line < lines) return true;
      job.finish("passed");
      world.end(run, "passed");
      return false;
    });
  },

  failing({ world, run }) {
    const job = begin(world, run, "test", ["checkout", "make test", "artifacts"]);
    checkout(job, run);
    job.step(1);
    colours(job.say, 1);
    for (let i = 1; i <= 140; i += 1) job.say(`tests/unit/test_states.py::test_move_${i} \x1b[32mPASSED\x1b[0m\n`, { step: 1 });
    job.say("Traceback (most recent call last):\n  File \"tests/unit/test_lease.py\", line 41, in test_expiry\n", { stream: "stderr", step: 1 });
    job.say("\x1b[1;31mLeaseLost\x1b[0m: attempt 9: lease expired at 04:16:10; the job was queued again as attempt 10\n", { stream: "stderr", step: 1 });
    job.say("make: *** [Makefile:12: test] Error 2\n", { stream: "stderr", step: 1 });
    job.say("Step 2 'make test' ended with exit code 2\n", { stream: "system", step: 1 });
    job.finish("failed", { reason: "exit_code", exit_code: 2, detail: "step 2 'make test' ended with exit code 2" });
    run.jobs.push(world.job("deploy", { needs: ["test"], state: "skipped", reason: "needs_failed", detail: "its need test failed" }));
    world.end(run, "failed", "exit_code", "job 'test': step 2 'make test' ended with exit code 2");
  },

  /** A line without a newline, rewritten for ever. */
  progress({ world, run }) {
    const job = begin(world, run, "download", ["fetch"]);
    job.step(0);
    let count = 0;
    world.every(30, () => {
      count += 1;
      job.say(`\rReceiving objects: ${count}`, {});
      return !run.finished_at;
    });
  },

  /** Several lines that are rewritten in place, as docker does it, then npm's and pip's ways. */
  pull({ world, run }) {
    const job = begin(world, run, "image", ["docker pull", "npm ci"]);
    const layers = ["a2abf6c4d29d", "e95f33c60a64", "27f971273f90", "c1cfa8ed38f1"];
    let tick = 0;
    job.step(0);
    job.say("latest: Pulling from library/node\n", {});
    job.say(layers.map((layer) => `${layer}: Pulling fs layer\n`).join(""), {});
    world.every(80, () => {
      if (run.finished_at) return false;
      tick += 1;
      if (tick <= 40) {
        const up = layers.length - (tick % layers.length);
        const layer = layers[tick % layers.length];
        const done = Math.min(50, Math.round(tick * 1.3));
        const bar = `[${"=".repeat(done)}>${" ".repeat(50 - done)}]`;
        const text = tick > 36 ? `${layer}: \x1b[32mPull complete\x1b[0m` : `${layer}: Downloading  ${bar}  ${done * 2}MB/100MB`;
        job.say(`\x1b[${up}A\x1b[2K\r${text}\r\x1b[${up}B`, {});
        return true;
      }
      if (tick === 41) {
        job.say("Status: Downloaded newer image for node:latest\n", {});
        job.step(1);
      }
      job.say(`\x1b[1G\x1b[0K${"⠋⠙⠹⠸⠼⠴⠦⠧"[tick % 8]} reify:vue: \x1b[36mhttp fetch\x1b[0m GET 200 (${tick})`, { step: 1, stream: "stderr" });
      return true;
    });
  },

  /** 40 MB that ended long ago, with an error in their midst. */
  large({ world, run }) {
    const job = begin(world, run, "build", ["checkout", "make -j8", "make check"]);
    const began = Date.now() - 3.6e6;
    job.log.append("Checked out\n", { stream: "system", time: began });
    for (let line = 0; line < 400_000; line += 1000) {
      let text = "";
      for (let i = line; i < line + 1000; i += 1) {
        text += i === 234_567 ? "src/hub.c:41: \x1b[31merror\x1b[0m: needle in the haystack\n" : `[${i}] cc -O2 -Wall -Wextra -c src/module_${i}.c -o build/module_${i}.o   # object ${i}\n`;
      }
      job.log.append(text, { step: line < 300_000 ? 1 : 2, time: began + line * 8 });
    }
    for (const part of job.attempt.steps) Object.assign(part, { state: "passed", began_at: new Date(began + part.index * 1.2e6).toISOString(), ended_at: now() });
    job.finish("passed");
    job.log.state = "sealed";
    world.end(run, "passed");
  },

  stalled({ world, run }) {
    const job = begin(world, run, "build", ["make"]);
    job.step(0);
    job.say("cc -c a.c\ncc -c b.c\n", {});
    job.attempt.stalled = "the server's disk is full (0 bytes left of 252 GB); output goes on when there is room";
  },

  dropped({ world, run }) {
    const job = begin(world, run, "chatty", ["yes"]);
    job.step(0);
    for (let i = 0; i < 60; i += 1) job.say(`y ${i} ${"and a long line that goes on and on, ".repeat(i % 9 === 0 ? 12 : 1)}\n`, {});
    job.say("The log's limit of 1 GiB is reached; what follows is not kept.\n", { stream: "system" });
    job.attempt.log_dropped = 3_456_789_012;
    job.finish("passed");
    job.log.state = "sealed";
    world.end(run, "passed");
  },

  removed({ world, run }) {
    const job = begin(world, run, "test", ["make test"]);
    job.step(0);
    job.finish("passed");
    job.log.state = "removed";
    world.end(run, "passed");
  },

  quiet({ world, run }) {
    begin(world, run, "quiet", ["sleep"]);
  },

  retried({ world, run }) {
    const job = begin(world, run, "test", ["checkout", "make test"]);
    checkout(job, run);
    job.log.state = "truncated";
    Object.assign(job.attempt, { state: "failed", reason: "agent_lost", detail: "quay-2 stayed away longer than 60 s", finished_at: now(), agent: "quay-2" });
    const second = world.attempt(job.job, ["checkout", "make test"]);
    world.logs.get(second.log).append("Attempt 2 on quay-1\nok\n", { stream: "system" });
    for (const part of second.steps) Object.assign(part, { state: "passed", began_at: now(), ended_at: now() });
    Object.assign(second, { state: "passed", finished_at: now() });
    Object.assign(job.job, { state: "passed", finished_at: now() });
    world.end(run, "passed");
    world.logs.get(second.log).state = "closed";
  },
};
