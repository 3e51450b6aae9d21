// Animate: a timeline of prompts to a clip.

import { el } from "./dom.js";
import { painted } from "./result.js";
import { timelineEditor } from "./timeline.js";

export function animate(main) {
  const frames = el("input", { id: "frames", type: "number", value: 16, min: 1, max: 256 });
  const loop = el("select", { id: "loop" }, [["N", "no loop"], ["R-P", "loop"], ["R+P", "loop, prompts too"], ["A", "closed loop"]].map(([value, text]) => el("option", { value }, text)));
  const seed = el("input", { id: "seed", type: "number", value: 0, min: 0 });
  const steps = el("input", { id: "steps", type: "number", value: 20, min: 1, max: 100 });
  const results = el("div");
  const timeline = timelineEditor({ frames, seed, prompts: [[0, "a red circle moving right on a black background"], [8, "a blue square moving right on a black background"]] });
  main.append(
    el("form", { class: "card", onsubmit: (event) => { event.preventDefault(); go(); } },
      el("h2", {}, "Timeline"),
      timeline.element,
      el("div", { class: "row" }, field("Frames", frames), field("Loop", loop), field("Seed", seed), field("Steps", steps),
        el("button", { class: "main" }, "Animate")),
      el("p", { class: "quiet" }, "The packaged weights are small: simple shapes and digits in plain colours at 64 pixels, at a place you name, moving left, right, up or down.")),
    results);

  function go() {
    painted(results, "animate", { timeline: timeline.text(), frames: Number(frames.value), loop: loop.value, seed: Number(seed.value), steps: Number(steps.value) });
  }
}

const field = (name, input) => el("span", { class: "field" }, el("label", { for: input.id }, name), input);
