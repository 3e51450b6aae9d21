// Masks: click, box or word to a mask; the mask to paint in.

import { call, imageUrl, run } from "./api.js";
import { el, number } from "./dom.js";
import { paint } from "./rle.js";
import { painted } from "./result.js";

const COLOURS = [[47, 160, 130, 130], [220, 90, 60, 130], [70, 110, 230, 130], [230, 170, 30, 130], [160, 60, 200, 130], [20, 150, 200, 130]];

export function masks(main, parameters) {
  let source = null, points = [], boxes = [], objects = [], asking = false, again = false;
  const picture = el("img", { alt: "picture to mask", hidden: true, draggable: "false" });
  const canvas = el("canvas", { "aria-hidden": "true" });
  const stage = el("div", { class: "stage" }, picture, canvas);
  const state = el("p", { role: "status", "aria-live": "polite" }, "Choose a picture.");
  const list = el("div");
  const results = el("div");
  const files = el("select", { id: "picture" }, el("option", { value: "" }, "Choose…"));
  const second = el("input", { id: "picture-second", type: "number", value: 0, min: 0, step: 0.5 });
  const moment = el("span", { class: "row", hidden: true }, el("label", { for: "picture-second" }, "at second"), second);
  const word = el("input", { id: "word", placeholder: "person", size: 14 });
  const x = el("input", { id: "click-x", type: "number", value: 0, min: 0 }), y = el("input", { id: "click-y", type: "number", value: 0, min: 0 });
  const prompt = el("input", { id: "paint-prompt", placeholder: "a red circle", size: 24 });
  const painting = el("button", { disabled: true }, "Paint it anew");

  main.append(
    el("div", { class: "row" }, el("label", { for: "picture" }, "Picture"), files, moment,
      el("label", { for: "picture-file" }, "or your own"), el("input", { type: "file", id: "picture-file", accept: "image/*", onchange: (event) => own(event.target.files[0]) })),
    el("div", { class: "row" },
      el("form", { class: "row", onsubmit: (event) => { event.preventDefault(); ask({ texts: [word.value] }); } },
        el("label", { for: "word" }, "Word"), word, el("button", { class: "main" }, "Find")),
      el("button", { onclick: () => ask({ everything: true }) }, "Everything"),
      el("button", { onclick: () => { points.pop() ?? boxes.pop(); prompted(); } }, "Undo"),
      el("button", { onclick: clear }, "Clear")),
    el("form", { class: "row", onsubmit: (event) => { event.preventDefault(); click(Number(x.value), Number(y.value), event.submitter.value === "on"); } },
      el("label", { for: "click-x" }, "x"), x, el("label", { for: "click-y" }, "y"), y,
      el("button", { value: "on" }, "Click on"), el("button", { value: "off" }, "Click off"),
      el("span", { class: "quiet" }, "or click in the picture; with Shift: not this; drag: a box")),
    state, stage, list,
    el("form", { class: "row card", onsubmit: (event) => { event.preventDefault(); inpaint(); } }, el("label", { for: "paint-prompt" }, "Put here instead"), prompt, painting), results);

  files.onchange = second.onchange = choose;
  call("files").then(({ files: found }) => files.append(...found.filter((file) => file.kind === "image" || file.kind === "video").map((file) => el("option", { value: file.path, "data-kind": file.kind }, file.path.split("/").at(-1))))).catch(() => {});
  if (parameters.get("ref")) show({ ref: parameters.get("ref") });

  let start = null;
  picture.onpointerdown = (event) => { event.preventDefault(); start = at(event); };
  picture.onpointerup = (event) => {
    if (!start) return;
    const end = at(event);
    if (Math.hypot(end.x - start.x, end.y - start.y) > 6) {
      boxes.push([Math.min(start.x, end.x), Math.min(start.y, end.y), Math.max(start.x, end.x), Math.max(start.y, end.y)]);
      prompted();
    } else click(end.x, end.y, !event.shiftKey);
    start = null;
  };

  const at = (event) => {
    const box = picture.getBoundingClientRect();
    const inside = (value, most) => Math.max(0, Math.min(most - 1, value));
    return { x: inside((event.clientX - box.left) / box.width * picture.naturalWidth, picture.naturalWidth), y: inside((event.clientY - box.top) / box.height * picture.naturalHeight, picture.naturalHeight) };
  };

  function show(next) {
    source = next;
    clear();
    picture.hidden = false;
    picture.onload = () => { state.textContent = `${picture.naturalWidth} × ${picture.naturalHeight} pixels`; draw(); };
    picture.onerror = () => { state.textContent = "This picture cannot be shown."; };
    picture.src = next.data ? `data:image/*;base64,${next.data}` : next.ref ? imageUrl(next.ref, { max: 4096 }) : `/api/picture?${new URLSearchParams({ path: next.path })}`;
  }

  async function choose() {
    const chosen = files.selectedOptions[0], isVideo = chosen?.dataset.kind === "video";
    moment.hidden = !isVideo;
    if (!isVideo) { if (files.value) show({ path: files.value }); return; }
    state.textContent = "Looking for the frame…";
    try {
      const query = `SELECT image FROM frames('${files.value.replaceAll("'", "''")}') WHERE time_s >= ${Number(second.value)} ORDER BY time_s LIMIT 1`;
      const { result } = await call("sql", { method: "POST", body: { query, wait_s: 30 } });
      if (result?.rows.length) show({ ref: result.rows[0][0] });
      else state.textContent = `The video ends before ${second.value} s.`;
    } catch (error) {
      state.textContent = error.message;
    }
  }

  async function own(file) {
    if (!file) return;
    const bytes = new Uint8Array(await file.arrayBuffer());
    let text = "";
    for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
    show({ data: btoa(text) });
  }

  function clear() {
    points = []; boxes = []; objects = [];
    draw();
    tell();
  }

  function click(px, py, isOn) {
    points.push({ x: Math.round(px), y: Math.round(py), is_on: isOn });
    prompted();
  }

  function prompted() {
    if (!points.length && !boxes.length) return clear();
    ask(boxes.length > 1 ? { boxes } : { points, boxes });
  }

  async function ask(what) {
    if (!source) { state.textContent = "Choose a picture first."; return; }
    if (asking) { again = what; return; }
    asking = true;
    state.textContent = "Looking…";
    const started = performance.now();
    try {
      await run("masks", { source, ...what }, { result: (answer) => { objects = answer.objects; } });
      state.textContent = `${objects.length} thing${objects.length === 1 ? "" : "s"} in ${number(Math.round(performance.now() - started))} ms`;
    } catch (error) {
      state.textContent = error.message;
    }
    asking = false;
    draw();
    tell();
    if (again) { const next = again; again = false; ask(next); }
  }

  function draw() {
    canvas.width = picture.naturalWidth || 1;
    canvas.height = picture.naturalHeight || 1;
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(canvas.width, canvas.height);
    objects.forEach((object, i) => paint(object.rle, pixels, COLOURS[i % COLOURS.length]));
    context.putImageData(pixels, 0, 0);
    const unit = Math.max(canvas.width, canvas.height) / 160;
    for (const point of points) {
      context.beginPath();
      context.arc(point.x, point.y, unit, 0, 7);
      context.fillStyle = point.is_on ? "#0a7" : "#d33";
      context.fill();
      context.lineWidth = unit / 2;
      context.strokeStyle = "#fff";
      context.stroke();
    }
    context.strokeStyle = "#fff";
    for (const [x0, y0, x1, y1] of boxes) context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  }

  function tell() {
    painting.disabled = !objects.length;
    list.replaceChildren(el("ol", {}, objects.slice(0, 50).map((object) => el("li", {}, `${object.label || "thing"} ${object.score.toFixed(2)}, ${number(object.area)} pixels`))));
  }

  async function inpaint() {
    if (!objects.length) return;
    await painted(results, "inpaint", { source, mask: objects[0].rle, prompt: prompt.value, steps: 20 });
  }
}
