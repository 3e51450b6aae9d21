// An answer: rows with thumbnails and boxes, the guarantee, the work.

import { call, imageUrl } from "./api.js";
import { el, number } from "./dom.js";
import { view } from "./viewer.js";

const BOX = ["x0", "y0", "x1", "y1"];

export function answer(result, job) {
  if (result.columns.length === 1 && result.columns[0] === "plan") {
    return el("div", { class: "card" }, el("h2", {}, "Plan"),
      el("pre", { tabindex: "0" }, result.rows.map(([line]) => line).join("\n")));
  }
  const body = el("tbody", {}, rows(result, result.rows, 0));
  const numeric = (i) => result.rows.some((row) => typeof row[i] === "number");
  const more = el("button", { onclick: next }, "More rows");
  let shown = result.rows.length;
  more.hidden = shown >= result.row_count;

  async function next() {
    const page = await call(`jobs/${job.id}/rows?offset=${shown}`);
    body.append(...rows(result, page.rows, shown));
    shown += page.rows.length;
    more.hidden = shown >= result.row_count;
  }

  return el("div", { class: "card fresh" },
    el("h2", {}, `${number(result.row_count)} row${result.row_count === 1 ? "" : "s"}`),
    result.guarantee ? promise(result) : null,
    el("div", { class: "scroll answer", tabindex: "0", role: "region", "aria-label": "Rows" },
      el("table", {},
        el("thead", {}, el("tr", {}, result.columns.map((name, i) =>
          el("th", { scope: "col", class: numeric(i) ? "number" : null }, name)))),
        body)),
    more,
    el("p", { class: "quiet" }, `${result.guarantee ? "" : "exact · "}${result.summary}`));
}

function promise(result) {
  return el("p", {}, el("strong", {}, `${number(result.guarantee.confidence * 100)}% sure`), ` · ${result.promise}`);
}

function rows(result, values, offset) {
  return values.map((row, i) => el("tr", {}, row.map((value, column) => cell(result, row, value, column, offset + i))));
}

function cell(result, row, value, column, index) {
  const name = result.columns[column];
  if (result.pictures.includes(column) && value !== null) {
    return el("td", { "data-name": name }, thumbnail(result.columns, row, value));
  }
  const interval = result.guarantee?.intervals?.[name]?.[index];
  const text = value === null ? "" : typeof value === "number" ? number(value) : typeof value === "object" ? JSON.stringify(value) : String(value);
  return el("td", { class: typeof value === "number" ? "number" : null, "data-name": name }, text,
    interval ? el("span", { class: "interval" }, `${number(interval[0])} … ${number(interval[1])}`) : null);
}

function thumbnail(columns, row, reference) {
  const at = (name) => row[columns.findIndex((column) => column.toLowerCase() === name)];
  const box = !reference.includes("@") && BOX.every((name) => typeof at(name) === "number") ? BOX.map(at) : null;
  const label = [at("label"), typeof at("score") === "number" ? at("score").toFixed(2) : null].filter(Boolean).join(" ");
  const alt = `picture ${label || reference.slice(0, 12)}`;
  return el("button", { class: "thumb", "aria-label": `Look at ${alt}`, onclick: () => view({ reference, box, label, time_s: at("time_s") }) },
    el("img", { loading: "lazy", alt, src: imageUrl(reference, { box, label }) }));
}
