import { call } from "./api.js";
import { el } from "./dom.js";
import { ask } from "./ask.js";
import { animate } from "./animate.js";
import { federated } from "./federated.js";
import { masks } from "./masks.js";
import { media } from "./media.js";
import { models } from "./models.js";
import { regional } from "./regional.js";
import { store } from "./store.js";

const ROOMS = { ask, media, masks, animate, regional, federated, models, store };

function show() {
  const [name, query = ""] = location.hash.slice(1).split("?");
  const room = name in ROOMS ? name : "ask";
  for (const link of document.querySelectorAll("#rooms a")) {
    if (link.hash === `#${room}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const main = document.getElementById("main");
  document.title = `${room} · suffice studio`;
  main.replaceChildren();
  ROOMS[room](main, new URLSearchParams(query));
}

document.getElementById("rooms").append(
  ...Object.keys(ROOMS).map((name) => el("a", { href: `#${name}` }, name[0].toUpperCase() + name.slice(1))));
addEventListener("hashchange", show);
show();

call("server").then(
  ({ role, target, version }) => { document.getElementById("server").textContent = `${target} · ${role} · ${version}`; },
  (error) => { document.getElementById("server").textContent = error.message; },
);
