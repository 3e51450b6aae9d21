import { call } from "./api.js";
import { el, table } from "./dom.js";

export async function models(main) {
  const card = el("section", { class: "card" }, el("h2", {}, "Models"), el("p", { class: "quiet" }, "Looking…"));
  main.append(card);
  try {
    const { rows } = await call("models");
    card.replaceChildren(el("h2", {}, "Models"), table("Models", rows, ["name", "inputs", "outputs", "returns", "problem"]));
  } catch (error) {
    card.append(el("p", { class: "bad" }, error.message));
  }
}
