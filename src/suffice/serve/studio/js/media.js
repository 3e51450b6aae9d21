// Media: what is there, and adding to it.

import { call } from "./api.js";
import { bytes, el } from "./dom.js";

export function media(main) {
  const list = el("div", {}, el("p", { class: "quiet" }, "Looking…"));
  const state = el("p", { role: "status" });
  const input = el("input", { type: "file", id: "upload", multiple: true, onchange: () => add([...input.files]) });
  main.append(
    el("section", { class: "card" }, el("h2", {}, "Add files"), el("div", { class: "row" }, el("label", { for: "upload" }, "Videos, pictures, documents, texts"), input), state),
    el("section", { class: "card" }, el("h2", {}, "Files under the roots"), list));
  main.ondragover = (event) => event.preventDefault();
  main.ondrop = (event) => { event.preventDefault(); add([...event.dataTransfer.files]); };
  refresh();

  async function add(files) {
    for (const file of files) {
      state.textContent = `Adding ${file.name}…`;
      const form = new FormData();
      form.append("file", file);
      try {
        const kept = await call("media", { method: "POST", body: form });
        state.textContent = `${kept.path} added`;
      } catch (error) {
        state.textContent = `${file.name}: ${error.message}`;
      }
    }
    refresh();
  }

  async function refresh() {
    try {
      const { files } = await call("files");
      list.replaceChildren(files.length ? rows(files) : el("p", { class: "quiet" }, "None yet: drop a video here."));
    } catch (error) {
      list.replaceChildren(el("p", { class: "bad" }, error.message));
    }
  }
}

const FUNCTION = { video: "frames", image: "images", document: "pages", text: "texts" };

function rows(files) {
  return el("div", { class: "scroll answer", tabindex: "0", role: "region", "aria-label": "Files" }, el("table", {},
    el("thead", {}, el("tr", {}, ["file", "kind", "size", ""].map((name) => el("th", { scope: "col" }, name || el("span", { class: "skip" }, "ask"))))),
    el("tbody", {}, files.map((file) => el("tr", {},
      el("td", { "data-name": "file" }, file.path), el("td", { "data-name": "kind" }, file.kind), el("td", { "data-name": "size" }, bytes(file.size_bytes)),
      el("td", {}, el("a", { href: `#ask?${new URLSearchParams({ q: `SELECT * FROM ${FUNCTION[file.kind]}('${file.path.replaceAll("'", "''")}') LIMIT 12` })}`, "aria-label": `Ask ${file.path}` }, "ask")))))));
}
