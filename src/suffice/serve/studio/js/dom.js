// Elements without markup in strings: what comes from data is text, never HTML.

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export const number = (value) =>
  Number.isInteger(value) ? value.toLocaleString("en") : value.toLocaleString("en", { maximumSignificantDigits: 5 });

export const bytes = (count) => (count < 1e6 ? `${number(count / 1e3)} kB` : `${number(count / 1e6)} MB`);

export function table(label, rows, columns = Object.keys(rows[0] ?? {})) {
  if (!rows.length) return el("p", { class: "quiet" }, "Nothing yet.");
  const text = (value) => (value === null ? "" : typeof value === "number" ? number(value) : typeof value === "object" ? JSON.stringify(value) : String(value));
  return el("div", { class: "scroll answer", tabindex: "0", role: "region", "aria-label": label },
    el("table", {},
      el("thead", {}, el("tr", {}, columns.map((name) => el("th", { scope: "col", class: rows.some((row) => typeof row[name] === "number") ? "number" : null }, name.replaceAll("_", " "))))),
      el("tbody", {}, rows.map((row) => el("tr", {}, columns.map((name) =>
        el("td", { class: typeof row[name] === "number" ? "number" : null, "data-name": name }, text(row[name]))))))));
}
