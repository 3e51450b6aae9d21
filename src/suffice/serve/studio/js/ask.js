// Ask: a statement, its plan, its progress, an interval that shrinks, and the answer.

import { call, run } from "./api.js";
import { answer } from "./answer.js";
import { editor } from "./editor.js";
import { el, number } from "./dom.js";
import { intervals } from "./intervals.js";

const KEPT = "suffice.query";

const SAMPLES = [
  ["When is the street most crowded?", (path) => `SELECT f.time_s, count(*) AS people, any_value(f.image) AS image
FROM frames('${path}', fps => 0.5) f, detect(f.image) o
WHERE o.label = 'person'
GROUP BY f.time_s ORDER BY people DESC, f.time_s LIMIT 6`],
  ["Who is nearest to the camera?", (path) => `SELECT f.image, f.time_s, o.label, o.score, o.x0, o.y0, o.x1, o.y1
FROM frames('${path}', fps => 0.2) f, detect(f.image) o
WHERE o.label = 'person' ORDER BY (o.y1 - o.y0) DESC LIMIT 8`],
  ["About how many people, in few looks?", (path) => `SELECT count(*) AS people
FROM frames('${path}') f, detect(f.image) o
WHERE o.label = 'person' WITHIN 10% CONFIDENCE 95%`],
  ["What could not be read?", () => "SELECT path, message FROM problems"],
];

export function ask(main, parameters) {
  const write = editor(parameters.get("q") ?? localStorage.getItem(KEPT) ?? "");
  const start = el("button", { class: "main", onclick: () => go() }, "Run");
  const plan = el("button", { onclick: () => explain() }, "Explain");
  const stop = el("button", { disabled: true, onclick: () => running?.abort() }, "Cancel");
  const state = el("div", { role: "status", "aria-live": "polite" });
  const found = el("section", { "aria-label": "Answer" });
  const samples = el("ul", { class: "samples" });
  let running = null;

  main.append(
    write.element,
    el("div", { class: "row" }, start, plan, stop, el("span", { class: "quiet" }, "Ctrl+Enter runs · Ctrl+Space completes")),
    state, found,
    el("section", { class: "card" }, el("h2", {}, "Questions to start from"), samples));
  write.onRun = () => go();
  fill();

  async function fill() {
    const { files } = await call("files").catch(() => ({ files: [] }));
    const video = files.find((file) => file.kind === "video")?.path.replaceAll("'", "''") ?? "*.mp4";
    samples.replaceChildren(...SAMPLES.map(([title, query]) => el("li", {}, el("button", {
      onclick: () => { write.value = query(video); write.focus(); },
    }, title))));
  }

  async function go(prefix = "") {
    const query = write.value.trim();
    if (!query || running) return;
    localStorage.setItem(KEPT, query);
    running = new AbortController();
    stop.disabled = false;
    start.disabled = plan.disabled = true;
    found.replaceChildren();
    const bars = new Map(), seen = [];
    state.replaceChildren(el("p", { class: "quiet" }, "Running…"));
    try {
      const job = await run("sql", { query: prefix + query }, {
        progress: (step) => progress(state, bars, step),
        answer: (result, job) => {
          if (result.guarantee) seen.push(result);
          found.replaceChildren(seen.length > 1 ? intervals(seen) : "", answer(result, job));
        },
      }, running.signal);
      state.replaceChildren();
      return job;
    } catch (error) {
      state.replaceChildren(el("p", { class: "bad", role: "alert" }, error.message));
    } finally {
      running = null;
      stop.disabled = true;
      start.disabled = plan.disabled = false;
    }
  }

  const explain = () => go(/^\s*explain\b/i.test(write.value) ? "" : "EXPLAIN ");
}

function progress(state, bars, { what, done, total }) {
  if (!bars.size) state.replaceChildren();
  if (!bars.has(what)) {
    const bar = el("progress", { "aria-label": what, max: total, value: 0 });
    const text = el("span", { class: "quiet" });
    bars.set(what, { bar, text, started: performance.now() });
    state.append(el("div", { class: "row" }, el("strong", {}, what), bar, text));
  }
  const { bar, text, started } = bars.get(what);
  bar.max = total;
  bar.value = done;
  const rate = done / ((performance.now() - started) / 1000);
  const left = rate > 0 ? `, ${number(Math.ceil((total - done) / rate))} s left` : "";
  text.textContent = `${number(done)} of ${number(total)}${left}`;
}
