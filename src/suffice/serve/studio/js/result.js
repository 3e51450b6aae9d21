// A job that makes a picture or a clip: progress, then what it made.

import { run } from "./api.js";
import { el, number } from "./dom.js";

export async function painted(place, path, body, on = {}) {
  const bar = el("progress", { "aria-label": "progress" });
  const text = el("span", { class: "quiet" }, "Waiting…");
  const stop = new AbortController();
  const cancel = el("button", { onclick: () => stop.abort() }, "Cancel");
  const card = el("section", { class: "card fresh", "aria-label": path }, el("div", { class: "row" }, bar, text, cancel));
  place.prepend(card);
  const started = performance.now();
  let made = null;
  try {
    await run(path, body, {
      progress: ({ what, done, total }) => { bar.max = total; bar.value = done; text.textContent = `${what} ${number(done)} of ${number(total)}`; },
      result: (result) => { made = result; },
      ...on,
    }, stop.signal);
    const seconds = el("p", { class: "quiet" }, `${number((performance.now() - started) / 1000)} s`);
    card.replaceChildren(...shown(made, body), seconds);
  } catch (error) {
    card.replaceChildren(el("p", { class: "bad", role: "alert" }, error.message));
  }
  return made;
}

function shown(made, body) {
  if (!made?.url) return [];
  const alt = body.prompt ?? body.timeline ?? "what was made";
  const isClip = /\.(mp4|webm)$/.test(made.url);
  const main = isClip
    ? el("video", { src: made.url, controls: true, loop: true, muted: true, autoplay: true, "aria-label": alt, class: "made" })
    : el("img", { src: made.url, alt, class: "made" });
  return [main, made.explain_url ? el("img", { src: made.explain_url, alt: "which regions ran at which step" }) : null].filter(Boolean);
}
