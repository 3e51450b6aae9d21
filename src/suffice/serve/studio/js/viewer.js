// One picture, large: its video at that moment, and why it is here.

import { call, imageUrl } from "./api.js";
import { el } from "./dom.js";

export async function view({ reference, box, label, time_s }) {
  const dialog = document.getElementById("viewer");
  const body = document.getElementById("viewer-body");
  document.getElementById("viewer-title").textContent = label || "Picture";
  const steps = el("ol", { class: "steps" }, el("li", { class: "quiet" }, "Looking…"));
  const isMoment = reference.startsWith("vid:") && typeof time_s === "number";
  body.replaceChildren(
    el("div", { class: "two" },
      el("img", { alt: label || "picture", src: imageUrl(reference, { max: 1280, box, label }) }),
      isMoment ? el("video", { controls: true, muted: true, preload: "metadata", "aria-label": `Video at ${time_s} s`,
        src: `/api/video?ref=${encodeURIComponent(reference)}#t=${time_s}` }) : null),
    el("p", {}, el("a", { href: `#masks?${new URLSearchParams({ ref: reference })}`, onclick: () => dialog.close() }, "Mask it")),
    el("h2", {}, "Where it comes from"), steps);
  dialog.showModal();
  dialog.addEventListener("close", () => body.replaceChildren(), { once: true });
  try {
    const lineage = await call(`lineage?ref=${encodeURIComponent(reference)}`);
    steps.replaceChildren(...lineage.steps.map((step) => el("li", {},
      el("strong", {}, step.what), ` ${step.detail} `,
      el("ul", {}, step.results.map((result) => el("li", {}, `${result.model}: ${summary(result.rows)}`))))));
  } catch (error) {
    steps.replaceChildren(el("li", { class: "bad" }, error.message));
  }
}

function summary(rows) {
  const values = rows.slice(0, 3).map((row) => Object.values(row).slice(0, 2).map((value) => (typeof value === "number" ? value.toFixed(2) : JSON.stringify(value)?.slice(0, 60))).join(" "));
  return `${values.join(", ")}${rows.length > 3 ? ` and ${rows.length - 3} more` : ""}` || "nothing";
}
