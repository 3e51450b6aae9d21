// A timeline of prompts: a line each, a strip of what each covers, and how its frames would look.

import { run } from "./api.js";
import { el } from "./dom.js";

const PREVIEW_STEPS = 8;

// `frames` and `seed` are the inputs that say how long the clip is and what its noise is.
export function timelineEditor({ frames, seed, prompts }) {
  const lines = el("tbody");
  const strip = el("ol", { class: "strip", "aria-label": "what each prompt covers" });
  const all = el("button", { type: "button", onclick: () => [...lines.children].reduce((before, row) => before.then(() => row.preview()), Promise.resolve()) }, "Preview every prompt");
  prompts.forEach(([frame, text]) => add(frame, text));
  frames.addEventListener("input", draw);
  const element = el("div", {},
    el("table", { class: "timeline" },
      el("thead", {}, el("tr", {}, ["from frame", "prompt", "preview"].map((name) => el("th", { scope: "col" }, name)))), lines),
    strip,
    el("div", { class: "row" }, el("button", { type: "button", onclick: () => add(Number(frames.value) - 1, "").querySelectorAll("input")[1].focus() }, "Add a prompt"), all));
  draw();
  return { element, text: () => spans().map(({ frame, prompt }) => `${frame}: ${prompt}`).join("\n") };

  function add(frame, text) {
    const n = lines.children.length + 1;
    const prompt = el("input", { value: text, "aria-label": `prompt ${n}`, oninput: draw });
    const cell = el("button", { type: "button", class: "preview", "aria-label": `preview of prompt ${n}`, onclick: () => row.preview() }, "Preview");
    const row = el("tr", {},
      el("td", {}, el("input", { type: "number", min: 0, value: frame, "aria-label": `frame of prompt ${n}`, oninput: draw })),
      el("td", {}, prompt), el("td", {}, cell));
    row.preview = () => preview(cell, prompt.value.trim());
    lines.append(row);
    draw();
    return row;
  }

  // One frame of the prompt alone, in few steps: what it would be without its neighbours.
  async function preview(cell, prompt) {
    if (!prompt || cell.disabled) return;
    cell.disabled = true;
    cell.replaceChildren("…");
    try {
      await run("animate", { timeline: `0: ${prompt}`, frames: 1, steps: PREVIEW_STEPS, seed: Number(seed.value), format: "webp" }, {
        progress: ({ done, total }) => cell.replaceChildren(`${done} of ${total}`),
        result: ({ url }) => cell.replaceChildren(el("img", { src: url, alt: `preview: ${prompt}` })),
      });
    } catch (error) {
      cell.replaceChildren(el("span", { class: "bad", role: "alert" }, error.message));
    } finally {
      cell.disabled = false;
    }
  }

  function spans() {
    return [...lines.children].map((row) => [...row.querySelectorAll("input")].map((input) => input.value.trim()))
      .filter(([, prompt]) => prompt).map(([frame, prompt]) => ({ frame: Number(frame), prompt })).sort((a, b) => a.frame - b.frame);
  }

  function draw() {
    const found = spans(), end = Math.max(Number(frames.value) || 1, 1);
    strip.replaceChildren(...found.map(({ frame, prompt }, i) => {
      const until = Math.min(found[i + 1]?.frame ?? end, end);
      return el("li", { style: `flex-grow: ${Math.max(until - frame, 0)}`, title: `frames ${frame} to ${until - 1}`, class: frame < end ? null : "bad" },
        frame < end ? prompt : `${prompt} (after the end)`);
    }));
  }
}
