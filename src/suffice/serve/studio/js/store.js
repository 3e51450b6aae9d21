import { call } from "./api.js";
import { bytes, el, number, table } from "./dom.js";

export async function store(main) {
  const kept = el("section", { class: "card" }, el("h2", {}, "Kept results"), el("p", { class: "quiet" }, "Looking…"));
  const jobs = el("section", { class: "card" }, el("h2", {}, "Jobs"));
  const problems = el("section", { class: "card" }, el("h2", {}, "Problems"));
  main.append(kept, jobs, problems);
  try {
    const [store, list, bad] = await Promise.all([call("store"), call("jobs"), call("problems")]);
    kept.replaceChildren(el("h2", {}, "Kept results"),
      el("p", {}, `${number(store.files)} files, ${number(store.blobs)} pictures, pages and texts, ${bytes(store.bytes)} on disk`),
      table("Kept results", store.calls, ["model", "inputs", "rows", "done", "cached", "hit_rate", "seconds", "price", "options"]));
    jobs.append(table("Jobs", list.jobs, ["kind", "state", "seconds", "asked", "error"]));
    problems.append(table("Problems", bad.rows));
  } catch (error) {
    kept.append(el("p", { class: "bad" }, error.message));
  }
}
