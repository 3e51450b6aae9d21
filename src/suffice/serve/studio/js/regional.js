// Regional: a picture whose settled regions rest, and the map of what ran when.

import { el, number } from "./dom.js";
import { painted } from "./result.js";

export function regional(main) {
  const prompt = el("input", { id: "regional-prompt", value: "a red circle left of a blue square on a black background", size: 52 });
  const skip = el("select", { id: "skip" }, [["auto", "auto"], ["budget=0.5", "half of the work"], ["budget=0.25", "a quarter"], ["off", "skip nothing"]].map(([value, text]) => el("option", { value }, text)));
  const seed = el("input", { id: "regional-seed", type: "number", value: 0, min: 0 });
  const told = el("p", { role: "status" });
  const results = el("div");
  main.append(
    el("form", { class: "card", onsubmit: (event) => { event.preventDefault(); go(); } },
      el("h2", {}, "Draw, and let what has settled rest"),
      el("div", { class: "row" }, el("label", { for: "regional-prompt" }, "Prompt"), prompt, el("label", { for: "skip" }, "Skip"), skip, el("label", { for: "regional-seed" }, "Seed"), seed, el("button", { class: "main" }, "Draw")), told),
    results);

  async function go() {
    const made = await painted(results, "regional", { prompt: prompt.value, skip: skip.value, seed: Number(seed.value) });
    if (made) told.textContent = `${number(Math.round(100 * made.flops_executed / made.flops_dense))}% of the work of a whole run; active regions by step: ${made.active_fraction.map((one) => `${Math.round(100 * one)}%`).join(" ")}`;
  }
}
