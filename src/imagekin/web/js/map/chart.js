// The map as it is shown and used: stage, tools, legend; what fits the filters is lit, what is selected stands out.
import { Hand } from "../../plane/hand.js";
import { drawNames } from "../../plane/names.js";
import { Plane } from "../../plane/plane.js";
import { ask, address } from "../api.js";
import { button, fill, h } from "../dom.js";
import { Filters } from "../filters.js";
import { filtered, filters } from "../state.js";
import { count, shown, whole } from "../text.js";
import { Card } from "./card.js";
import { classes, legend, tagged, tint } from "./colouring.js";
import { Pictures } from "./pictures.js";

const REST = 500;        // milliseconds after which a view that has come to rest is written into the address
const darkness = matchMedia("(prefers-color-scheme: dark)");

/** Whether the page is dark: as the page was told to be, or else the system. */
const dark = () => {
  const asked = document.documentElement.dataset.theme;
  return asked ? asked === "dark" : darkness.matches;
};

export class Chart {
  #ends = new AbortController();
  #fetching = new AbortController();
  #resting = 0;
  #coloured = null;
  #filtered = null;

  constructor(facts, context, anew) {
    Object.assign(this, { facts, context, anew, found: null, fits: null, only: new Set(), gone: new Set() });
    this.rows = new Map(facts.ids.map((id, row) => [id, row]));
    const places = new Float32Array(2 * facts.ids.length);
    facts.x.forEach((x, row) => { places[2 * row] = x; });
    facts.y.forEach((y, row) => { places[2 * row + 1] = y; });
    this.#build();
    this.plane = new Plane(this.stage, { places, dark, way: context.state.now.points });
    this.#wire();
    this.tell(facts);
    this.recolour();
    this.element.chart = this;
  }

  // ---- what it consists of

  #build() {
    const { facts, context } = this;
    const over = h("canvas", {
      class: "map-over", tabindex: 0, role: "application", "aria-describedby": "map-help",
      "aria-label": `Map of ${count(facts.ids.length, "picture")}`,
    });
    this.card = new Card(context, this);
    this.lasso = button("Lasso", { sign: "lasso", shown: false, "aria-pressed": "false", onclick: () => this.#tool() });
    const tool = (label, text, act) => h("button", { type: "button", title: label, "aria-label": label, onclick: act }, text);
    const tools = h("div", { class: "map-tools", role: "group", "aria-label": "Map" },
      this.lasso, tool("Closer", "+", () => this.plane.zoom(1.6)), tool("Farther", "\u2212", () => this.plane.zoom(1 / 1.6)),
      tool("The whole map", "\u2922", () => this.plane.home()));
    this.stage = h("div", { class: "map-stage" }, h("canvas", { class: "map-points" }), over, this.card.element, this.card.said, tools);
    this.colours = h("select", { onchange: () => context.state.go({ colour: this.colours.value || null }, { replace: true }) });
    this.names = h("input", { type: "checkbox", checked: true, onchange: () => this.plane.redraw() });
    this.filters = new Filters(context, { search: false });
    this.notice = h("div", { class: "map-notice" });
    this.says = h("p", { class: "soft", role: "status" });
    this.list = h("ul", { class: "map-legend", "aria-label": "Classes; click one to see it alone" });
    this.picks = button("Select these", { class: "quiet", hidden: true, onclick: () => this.#selectLit() });
    this.element = h("div", { class: "chart" }, this.stage, h("aside", { class: "map-side", "aria-label": "About the map" },
      this.header = h("header", {}), this.notice,
      h("div", { class: "map-rows" }, h("label", {}, h("span", {}, "Colour"), this.colours),
        h("label", {}, this.names, h("span", {}, "Names of classes")), this.filters.line, this.filters.panel),
      this.says, this.picks, this.list, help()));
  }

  #wire() {
    const { plane, context } = this;
    const { signal } = this.#ends;
    plane.pictures = new Pictures((row) => this.thumbnail(row, 128), () => plane.redraw());
    plane.draughts.push(() => this.#drawNames());
    plane.moved = () => {
      this.card.hide();
      clearTimeout(this.#resting);
      this.#resting = setTimeout(() => this.#keep(), REST);
    };
    this.hand = new Hand(plane, {
      hover: (row, left, top) => this.card.show(row, left, top),
      choose: (row, event) => this.#choose(row, event),
      enclose: (rows, event) => this.#enclose(rows, event.altKey),
      moved: () => this.#spot(),
    }, {
      " ": () => this.#choose(plane.middle(), { shiftKey: true }),
      l: () => this.#tool(), L: () => this.#tool(), s: () => this.#enclose(this.#seen()), S: () => this.#enclose(this.#seen()),
      Escape: () => (this.hand.lasso ? this.#tool() : context.selection.clear()),
    });
    context.selection.addEventListener("change", () => this.relight(), { signal });
    context.events.addEventListener("removed", ({ detail: ids }) => {
      for (const id of ids) this.gone.add(this.rows.get(id));
      this.relight();
    }, { signal });
    darkness.addEventListener("change", () => this.recolour(), { signal });
    this.themes = new MutationObserver(() => this.recolour());
    this.themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  close() {
    this.#ends.abort();
    this.#fetching.abort();
    this.themes.disconnect();
    this.plane.close();
  }

  /** It is not seen any more. */
  rest() {
    clearTimeout(this.#resting);
    this.card.hide();
  }

  /** What there is to say of the map itself. */
  tell(facts) {
    const { told, stale } = facts;
    fill(this.header, h("p", {}, `${count(facts.ids.length, "picture")}, ${shown(facts.title)}.`), told && h("p", { class: "soft" }, shown(told)),
      stale && h("p", { class: "soft" }, "The collection has changed since the map was made."),
      button(stale ? "Make it anew" : "Make another", { class: "quiet", onclick: this.anew }));
  }

  // ---- what the address says

  /** Show what a state says: colour, filters, and where one looks. */
  async update(now) {
    const at = (now.at ?? "").split(",").map(Number);
    const { view } = this.plane;
    if (at.length === 3 && at.every(Number.isFinite) && now.at !== this.#place()) this.plane.look(at[0], at[1], at[2] * view.whole);
    this.filters.show(filtered(now));
    const wanted = JSON.stringify(filters(now));
    await Promise.all([this.#colour(now.colour ?? ""), wanted === this.#filtered ? null : this.#filter(wanted)]);
  }

  /** Tags, labels or pictures are other ones now. */
  refresh() {
    this.#coloured = this.#filtered = this.tags = null;
    return this.update(this.context.state.now);
  }

  #place() {
    const { x, y, scale, whole: all } = this.plane.view;
    return [x.toFixed(4), y.toFixed(4), (scale / all).toPrecision(4)].join(",");
  }

  #keep() {
    const { state } = this.context;
    if (state.now.view === "map" && this.element.offsetParent) state.go({ at: this.#place() }, { replace: true });
  }

  async #filter(wanted) {
    this.#filtered = wanted;
    this.#fetching.abort();
    this.#fetching = new AbortController();
    this.fits = wanted === "{}" ? null : await this.#flags(JSON.parse(wanted), this.#fetching.signal);
    this.relight();
  }

  async #flags(conditions, signal = null) {
    const { ids } = await ask(address(`${this.context.base}/outline`, conditions), { signal });
    const flags = new Uint8Array(this.plane.count);
    for (const id of ids) if (this.rows.has(id)) flags[this.rows.get(id)] = 1;
    return flags;
  }

  /** *wanted* is the name of a field, or "tag:…"; by default the first field that there is. */
  async #colour(wanted) {
    this.tags ??= (await ask(`${this.context.base}/tags`)).tags;
    const { fields } = this.facts;
    const names = Object.keys(fields).filter((name) => fields[name].names.length);
    fill(this.colours, names.map((name) => h("option", { value: name === names[0] ? "" : name }, shown(name))),
      !names.length && h("option", { value: "" }, "nothing"),
      this.tags.map(({ tag, count: size }) => h("option", { value: `tag:${tag}` }, `tag: ${shown(tag)} (${whole(size)})`)));
    this.colours.value = wanted;
    if (wanted === this.#coloured) return;
    this.#coloured = wanted;
    this.only.clear();
    if (wanted.startsWith("tag:")) this.found = tagged(wanted.slice(4), await this.#flags({ tag: wanted.slice(4) }));
    else this.found = names.length ? classes(fields[names.includes(wanted) ? wanted : names[0]]) : null;
    this.recolour();
  }

  // ---- what is lit

  recolour() {
    tint(this.plane.tints, this.found, dark());
    this.relight();
  }

  relight() {
    const { states, count: all } = this.plane;
    const { selection } = this.context;
    const { ids } = this.facts;
    const { found, fits, only, gone } = this;
    let lit = 0;
    this.alight = new Set();      // classes of which something is lit
    for (let row = 0; row < all; row += 1) {
      if (gone.size && gone.has(row)) {
        states[row] = 0;
        continue;
      }
      const matches = (!fits || fits[row]) && (!only.size || only.has(found.of[row]));
      lit += matches ? 1 : 0;
      if (matches && found) this.alight.add(found.of[row]);
      states[row] = selection.size && selection.has(ids[row]) ? 3 : matches ? 2 : 1;
    }
    legend(this.list, found, { dark: dark(), only, press: (code, more) => this.#isolate(code, more) });
    this.list.classList.toggle("some", only.size > 0);
    this.says.textContent = lit < all - gone.size ? `${whole(lit)} of ${count(all - gone.size, "picture")} are lit.` : "";
    this.picks.hidden = lit === all - gone.size || !lit;
    this.plane.relook();
  }

  #isolate(code, more) {
    const had = this.only.has(code);
    if (!more) this.only.clear();
    if (had) this.only.delete(code);
    else this.only.add(code);
    this.relight();
    this.list.querySelector(`[data-code="${code}"]`)?.focus();
  }

  #drawNames() {
    const { found, alight } = this;
    if (this.names.checked && found?.peaks) drawNames(this.plane, found, dark(), (code) => alight.has(code));
  }

  // ---- what the hand does

  thumbnail(row, size) {
    return `${this.context.base}/items/${this.facts.ids[row]}/thumbnail?size=${size}`;
  }

  #choose(row, event) {
    const { selection, open } = this.context;
    if (row < 0) return;
    if (event.shiftKey || event.ctrlKey || event.metaKey) selection.toggle(this.facts.ids[row]);
    else open(this.facts.ids[row]);
  }

  #enclose(rows, out = false) {
    const { selection, notify } = this.context;
    const ids = rows.filter((row) => this.plane.states[row] >= 2).map((row) => this.facts.ids[row]);
    if (out) selection.remove(ids);
    else selection.add(ids);
    notify(`${count(ids.length, "picture")} ${out ? "taken out of" : "added to"} the selection.`);
  }

  #seen() {
    const { plane } = this;
    const [left, bottom] = plane.onMap(0, plane.view.height);
    const [right, top] = plane.onMap(plane.view.width, 0);
    return plane.space.inside([left, bottom, right, top]);
  }

  #selectLit() {
    this.#enclose(Array.from(this.plane.states.keys()));
  }

  #tool() {
    this.hand.lasso = !this.hand.lasso;
    this.lasso.setAttribute("aria-pressed", String(this.hand.lasso));
    this.stage.classList.toggle("drawing", this.hand.lasso);
  }

  /** Keys have moved the map: tell what is in the middle now. */
  #spot() {
    const { plane } = this;
    plane.hovered = plane.middle();
    if (plane.hovered >= 0) this.card.show(plane.hovered, ...plane.onScreen(plane.hovered), true);
    plane.redraw();
  }
}

function help() {
  const key = (name) => h("kbd", {}, name);
  return h("p", { class: "soft map-help", id: "map-help" },
    "Drag to move, turn the wheel or use two fingers to zoom, click a picture to open it. With the lasso, or the shift key held, ",
    "draw a line around pictures to select them; with Alt to take them out. By keys, on the map: ", key("arrows"), " move, ",
    key("+"), " ", key("\u2212"), " zoom, ", key("0"), " the whole map, ", key("Enter"), " opens the picture in the middle, ",
    key("Space"), " selects it, ", key("S"), " selects all that is seen, ", key("L"), " the lasso.");
}
