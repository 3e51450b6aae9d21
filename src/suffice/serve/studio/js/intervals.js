// How an interval shrank: one band over the looks, for the first number that has one.

import { el, svg, number } from "./dom.js";

export function intervals(answers) {
  const last = answers.at(-1);
  const name = Object.keys(last.guarantee.intervals ?? {})[0];
  const points = answers.map(({ guarantee }) => ({ x: guarantee.sampled, band: guarantee.intervals?.[name]?.[0] })).filter(({ band }) => band?.every(Number.isFinite));
  if (points.length < 2) return el("div");
  const low = Math.min(...points.map(({ band }) => band[0])), high = Math.max(...points.map(({ band }) => band[1]));
  const x = (i) => 10 + (i / (points.length - 1)) * 580, y = (value) => 10 + ((high - value) / (high - low || 1)) * 100;
  const edge = (side) => points.map(({ band }, i) => `${x(i)},${y(band[side])}`);
  const end = points.at(-1);
  const drawing = svg("svg", { class: "intervals", viewBox: "0 0 600 130", preserveAspectRatio: "none", role: "img", "aria-label": `Interval of ${name} from ${number(end.band[0])} to ${number(end.band[1])} after ${end.x} looks` },
    svg("polygon", { class: "band", points: [...edge(1), ...edge(0).reverse()].join(" ") }),
    svg("polyline", { class: "line", points: edge(0).join(" ") }), svg("polyline", { class: "line", points: edge(1).join(" ") }));
  return el("figure", { class: "card" }, drawing,
    el("figcaption", { class: "quiet" }, `${name}: ${number(end.band[0])} … ${number(end.band[1])} after looking at ${number(end.x)} of ${number(last.guarantee.population)}`));
}
