// Federated: a simulated run, its accuracy against virtual time.

import { el, svg, number, table } from "./dom.js";
import { painted } from "./result.js";

const CONFIG = `data_set: digits
clients: 100
num_participants: 20
local_steps: 20
learning_rate: 0.5
gradient_policy: fed-yogi
`;

export function federated(main) {
  const config = el("textarea", { id: "config", spellcheck: "false" });
  config.value = CONFIG;
  const rounds = el("input", { id: "rounds", type: "number", value: 20, min: 1, max: 1000 });
  const curve = el("div");
  const results = el("div");
  main.append(
    el("form", { class: "card", onsubmit: (event) => { event.preventDefault(); go(); } },
      el("h2", {}, "Train across simulated devices"), el("label", { for: "config" }, "Settings (YAML)"), config,
      el("div", { class: "row" }, el("label", { for: "rounds" }, "Rounds"), rounds, el("button", { class: "main" }, "Train"))),
    curve, results);

  async function go() {
    const seen = [];
    const made = await painted(results, "federate", { config: config.value, rounds: Number(rounds.value) }, {
      round: (record) => { seen.push(record); curve.replaceChildren(drawn(seen)); },
    });
    if (made) results.append(table("Rounds", made.rounds.filter((one) => one.accuracy !== null).slice(-10), ["virtual_s", "accuracy", "loss", "clients", "wasted"]));
  }
}

function drawn(rounds) {
  const points = rounds.filter((one) => typeof one.accuracy === "number" && Number.isFinite(one.accuracy));
  if (points.length < 2) return el("p", { class: "quiet" }, `${rounds.length} rounds`);
  const last = points.at(-1), end = last.virtual_s || 1;
  const taken = end < 7200 ? `${number(end)} virtual seconds` : `${number(end / 3600)} virtual hours`;
  const line = points.map((one) => `${(one.virtual_s / end) * 590 + 5},${125 - one.accuracy * 120}`).join(" ");
  return el("figure", { class: "card" },
    svg("svg", { class: "intervals", viewBox: "0 0 600 130", role: "img", "aria-label": `accuracy ${last.accuracy.toFixed(2)} after ${taken}` }, svg("polyline", { class: "line", points: line })),
    el("figcaption", { class: "quiet" }, `accuracy ${last.accuracy.toFixed(3)} after ${taken}, ${points.length} rounds`));
}
