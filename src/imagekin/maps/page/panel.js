// The panel beside the map: the chosen picture, search, and the legend.
const say = (text) => { $("said").textContent = text; };

const choose = (row, go = false) => {
  state.chosen = row;
  plane.hovered = -1;
  card.hidden = true;
  relook();
  $("chosen").hidden = row < 0;
  $("help").hidden = row >= 0;
  if (row < 0) return;
  const about = $("about");
  const parts = [];
  if (given.side) {
    const canvas = made("canvas");
    paint(canvas, row, Math.min(280, Math.max(160, 2 * given.side)));
    parts.push(canvas);
  }
  parts.push(made("p", path(row), { className: "path" }));
  const list = made("dl");
  for (const field of fields) list.append(made("dt", field.name), made("dd", shownValue(field, row)));
  list.append(made("dt", "id"), made("dd", String(ids[row])));
  parts.push(list);
  about.replaceChildren(...parts);
  const found = neighbours(row);
  $("near").replaceChildren(...found.map((each) => button(each.row, `${(100 * each.similarity).toFixed(0)} %`)));
  $("nearest").textContent = found.length ? `Its ${found.length} nearest pictures` : "";
  say(`${path(row)}; ${found.length} nearest pictures are listed.`);
  if (go) plane.fly(places[2 * row], places[2 * row + 1], Math.max(view.scale, 3 * view.whole));
};

const button = (row, remark) => {
  const made_ = made("button", "", { type: "button", title: path(row) });
  if (given.side) {
    const canvas = made("canvas");
    paint(canvas, row, 64);
    made_.append(canvas);
  }
  const name = state.field ? shownValue(state.field, row) : given.names[row];
  made_.append(made("span", name), made("small", remark));
  made_.setAttribute("aria-label", `${path(row)}, ${remark}`);
  made_.addEventListener("click", () => choose(row, true));
  made_.addEventListener("pointerenter", () => { plane.hovered = row; plane.redraw(); });
  made_.addEventListener("pointerleave", () => { plane.hovered = -1; plane.redraw(); });
  const item = made("li");
  item.append(made_);
  return item;
};

// ---- search

const lower = (text) => text.toLowerCase();
let haystack = null;
const search = () => {
  const wanted = lower($("search").value.trim());
  state.found = null;
  const rows = [];
  if (wanted) {
    haystack ??= Array.from({ length: count }, (_, row) => lower(path(row)));
    state.found = new Uint8Array(count);
    const classes = fields.filter((field) => field.kind === "class").map((field) => ({
      codes: field.codes, hits: field.names.map((name) => lower(name).includes(wanted)),
    }));
    for (let row = 0; row < count; row++) {
      if (haystack[row].includes(wanted) || classes.some((each) => each.codes[row] >= 0 && each.hits[each.codes[row]])) {
        state.found[row] = 1;
        rows.push(row);
      }
    }
  }
  if (state.chosen >= 0) choose(-1);
  $("hits").textContent = wanted ? `${rows.length.toLocaleString("en")} of ${count.toLocaleString("en")} pictures` : "";
  $("found").replaceChildren(...rows.slice(0, 12).map((row) => button(row, given.names[row])));
  relook();
};
let pause = 0;
$("search").addEventListener("input", () => {
  clearTimeout(pause);
  pause = setTimeout(search, 120);
});
$("search").addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  clearTimeout(pause);
  search();
  const first = $("found").querySelector("button");
  if (first) first.click();
});

// ---- legend

const legend = () => {
  const { field } = state;
  const box = $("legend");
  state.only.clear();
  $("all").hidden = true;
  $("scale").hidden = !field || field.kind === "class";
  box.hidden = !field || field.kind !== "class";
  if (!field) return;
  if (field.kind !== "class") {
    const steps = [0, 0.17, 0.33, 0.5, 0.67, 0.83, 1].map((share) => css(rampColour(share)));
    $("ramp").style.background = `linear-gradient(to right, ${steps.join(", ")})`;
    $("low").textContent = valueText(field, field.low);
    $("high").textContent = valueText(field, field.high);
    return;
  }
  box.replaceChildren(...field.names.map((name, code) => entry(field, code, name, field.sizes[code])));
  if (field.codes.some((code) => code < 0)) box.append(entry(field, -1, "none", field.codes.filter((code) => code < 0).length));
};

const entry = (field, code, name, size) => {
  const item = made("li");
  const made_ = made("button", "", { type: "button", title: name });
  const swatch = made("i");
  swatch.style.background = css(classColour(field, code));
  made_.append(swatch, made("span", name), made("small", size.toLocaleString("en")));
  made_.setAttribute("aria-pressed", "false");
  made_.dataset.code = code;
  made_.addEventListener("click", (event) => isolate(code, event.shiftKey || event.ctrlKey || event.metaKey));
  item.append(made_);
  return item;
};

const isolate = (code, more) => {
  const had = state.only.has(code);
  if (!more) state.only.clear();
  if (had) state.only.delete(code);
  else state.only.add(code);
  for (const each of $("legend").querySelectorAll("button")) {
    each.setAttribute("aria-pressed", String(state.only.has(Number(each.dataset.code))));
  }
  $("all").hidden = !state.only.size;
  $("legend").classList.toggle("some", state.only.size > 0);
  if (state.chosen >= 0) choose(-1);
  relook();
  const names = [...state.only].map((each) => (each < 0 ? "none" : state.field.names[each]));
  say(names.length ? `Only ${names.join(", ")}.` : "All classes.");
};

const recolour = () => {
  legend();
  $("legend").classList.remove("some");
  tint(plane.tints);
  card.dataset.row = "";
  relook();
};

$("field").replaceChildren(...fields.map((field, at) => made("option", field.name, { value: at })));
$("field").disabled = !fields.length;
$("field").addEventListener("change", (event) => {
  state.field = fields[Number(event.target.value)];
  recolour();
  if (state.chosen >= 0) choose(state.chosen);
});
$("all").addEventListener("click", () => { state.only.clear(); recolour(); });
$("close").addEventListener("click", () => { choose(-1); plane.over.focus(); });
$("names").addEventListener("change", () => plane.redraw());
$("pictures").addEventListener("change", showPictures);
$("closer").addEventListener("click", () => plane.zoom(1.6));
$("farther").addEventListener("click", () => plane.zoom(1 / 1.6));
$("whole").addEventListener("click", () => plane.home());
darkness.addEventListener("change", () => { recolour(); if (state.chosen >= 0) choose(state.chosen); });
new Hand(plane, { hover, choose: (row) => choose(row) }, { Escape: () => choose(-1) });

showPictures();
recolour();

// For whoever measures or steers the page from outside.
globalThis.imagekinMap = Object.freeze({
  count, frames: plane.frames, view, state, neighbours, path, choose, draw: plane.draw,
  look: plane.look.bind(plane), onScreen: plane.onScreen.bind(plane),
  tiles: () => plane.tiles, matching: () => plane.states.reduce((sum, each) => sum + (each === 2), 0),
  webgl: () => "gl" in plane.points,
});
