// A text area that knows the words of this server: completion under the cursor, by keyboard.

import { call } from "./api.js";
import { el } from "./dom.js";

const KEYWORDS = "SELECT FROM WHERE GROUP BY HAVING ORDER LIMIT JOIN LEFT ON AND OR NOT IN EXISTS CASE WHEN THEN ELSE END AS DISTINCT count sum avg min max WITH CREATE VIEW MODEL USING EXPLAIN ANALYZE".split(" ");

export function editor(text) {
  const area = el("textarea", { id: "query", spellcheck: "false", autocapitalize: "off", autocomplete: "off", "aria-autocomplete": "list", "aria-controls": "completions", "aria-label": "Question in SQL", placeholder: "SELECT … FROM frames('*.mp4') f, detect(f.image) o" });
  const list = el("ul", { class: "completions", id: "completions", role: "listbox", "aria-label": "Completions", hidden: true });
  const element = el("div", { class: "editor" }, area, list);
  const self = { element, onRun: () => {}, focus: () => area.focus(), get value() { return area.value; }, set value(next) { area.value = next; } };
  let words = KEYWORDS.map((word) => [word, ""]), chosen = 0, shown = [];
  area.value = text;

  call("words").then((known) => {
    words = [
      ...Object.entries(known.media).flatMap(([name, columns]) => [[`${name}(`, "media"], ...columns.map((column) => [column, name])]),
      ...known.models.map((model) => [`${model.name}(`, model.problem ? "model, not here" : "model"]),
      ...Object.entries(known.relations).flatMap(([name, columns]) => [[name, "table"], ...columns.map((column) => [column, name])]),
      ...known.clauses.map((clause) => [clause, "guarantee"]), ...words,
    ];
  }).catch(() => {});

  const prefix = () => area.value.slice(0, area.selectionStart).match(/[\w]*$/)[0];

  function open(all = false) {
    const start = prefix().toLowerCase();
    const seen = new Set();
    shown = start || all ? words.filter(([word]) => word.toLowerCase().startsWith(start) && word.toLowerCase() !== start && !seen.has(word) && seen.add(word)).slice(0, 12) : [];
    chosen = 0;
    list.hidden = !shown.length;
    place();
    paint();
  }

  function paint() {
    list.replaceChildren(...shown.map(([word, kind], i) => el("li", { role: "option", id: `completion-${i}`, "aria-selected": String(i === chosen), onmousedown: (event) => { event.preventDefault(); take(i); } }, word, el("small", {}, kind))));
    if (list.hidden) area.removeAttribute("aria-activedescendant");
    else area.setAttribute("aria-activedescendant", `completion-${chosen}`);
  }

  function place() {
    const before = area.value.slice(0, area.selectionStart).split("\n");
    const line = parseFloat(getComputedStyle(area).lineHeight);
    list.style.top = `${Math.min(before.length * line + 8 - area.scrollTop, area.offsetHeight)}px`;
    list.style.left = `${Math.min(before.at(-1).length * 8.4 + 8, Math.max(area.offsetWidth - 260, 0))}px`;
  }

  function take(i) {
    const end = area.selectionStart, start = end - prefix().length;
    area.setRangeText(shown[i][0], start, end, "end");
    list.hidden = true;
    paint();
  }

  area.addEventListener("input", () => open());
  area.addEventListener("blur", () => { list.hidden = true; paint(); });
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); list.hidden = true; self.onRun(); return; }
    if (event.key === " " && event.ctrlKey) { event.preventDefault(); open(true); return; }
    if (list.hidden) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); chosen = (chosen + step + shown.length) % shown.length; paint(); }
    else if (event.key === "Enter" || event.key === "Tab") { event.preventDefault(); take(chosen); }
    else if (event.key === "Escape") { list.hidden = true; paint(); }
  });
  return self;
}
