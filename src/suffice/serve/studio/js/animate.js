// Animate: a timeline of prompts to a clip.

import { el } from "./dom.js";
import { painted } from "./result.js";

export function animate(main) {
  const lines = el("tbody");
  const frames = el("input", { id: "frames", type: "number", value: 16, min: 1, max: 256 });
  const loop = el("select", { id: "loop" }, [["N", "no loop"], ["R-P", "loop"], ["R+P", "loop, prompts too"], ["A", "closed loop"]].map(([value, text]) => el("option", { value }, text)));
  const seed = el("input", { id: "seed", type: "number", value: 0, min: 0 });
  const steps = el("input", { id: "steps", type: "number", value: 20, min: 1, max: 100 });
  const results = el("div");
  line(0, "a red circle on the left");
  line(8, "a blue square on the right");
  main.append(
    el("form", { class: "card", onsubmit: (event) => { event.preventDefault(); go(); } },
      el("h2", {}, "Timeline"),
      el("table", { class: "timeline" }, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "from frame"), el("th", { scope: "col" }, "prompt"))), lines),
      el("div", { class: "row" }, el("button", { type: "button", onclick: () => line(Number(frames.value) - 1, "") }, "Add a prompt")),
      el("div", { class: "row" }, el("label", { for: "frames" }, "Frames"), frames, el("label", { for: "loop" }, "Loop"), loop,
        el("label", { for: "seed" }, "Seed"), seed, el("label", { for: "steps" }, "Steps"), steps, el("button", { class: "main" }, "Animate")),
      el("p", { class: "quiet" }, "The packaged weights are small (64 pixels) and under-trained: they keep to colours and mostly to places, not yet to shapes and motions.")),
    results);

  function line(frame, text) {
    const n = lines.children.length + 1;
    lines.append(el("tr", {},
      el("td", {}, el("input", { type: "number", min: 0, value: frame, "aria-label": `frame of prompt ${n}` })),
      el("td", {}, el("input", { value: text, "aria-label": `prompt ${n}` }))));
  }

  function go() {
    const rows = [...lines.children].map((row) => [...row.querySelectorAll("input")].map((input) => input.value.trim())).filter(([, text]) => text);
    const timeline = rows.map(([frame, text]) => `${frame}: ${text}`).join("\n");
    painted(results, "animate", { timeline, frames: Number(frames.value), loop: loop.value, seed: Number(seed.value), steps: Number(steps.value) });
  }
}
