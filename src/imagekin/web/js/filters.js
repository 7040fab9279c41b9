// Filters, which act inside the search: folder, label, tag, size, date, an expression; and how many, and how near.
import { ask } from "./api.js";
import { button, fill, h } from "./dom.js";
import { FILTERS } from "./state.js";
import { brief, shown, whole } from "./text.js";
import { Tree } from "./tree.js";

const FIELDS = "Fields: name, path, width, height, pixels, size, date, label, tag, id, missing.";

const SIDES = [["", "any size"], ["640", "640 pixels or more"], ["1000", "1,000 pixels or more"], ["2000", "2,000 pixels or more"], ["4000", "4,000 pixels or more"]];
let number = 0;

export class Filters {
  #facets = null;

  /** `search`: with the number of answers and the least similarity; `folders`: with a choice of folders. */
  constructor(context, { search = true, folders = true } = {}) {
    Object.assign(this, { context, search });
    const name = `filters-${(number += 1)}`;
    this.panel = h("div", { class: "panel", id: name, hidden: true });
    this.toggle = button("Filters", { sign: "filter", "aria-expanded": "false", "aria-controls": name, onclick: () => this.open(this.panel.hidden) });
    this.active = h("div", { class: "chips" });
    this.line = h("div", { class: "chips line" }, this.toggle, this.active);
    this.#build(folders);
    context.events.addEventListener("changed", () => { this.#facets = null; });
  }

  #build(folders) {
    const set = (key, empty = null) => (event) => this.#go({ [key]: event.target.value.trim() || empty });
    const lists = { label: h("datalist", { id: `${this.panel.id}-labels` }), tag: h("datalist", { id: `${this.panel.id}-tags` }) };
    this.lists = lists;
    const text = (key, props) => h("input", { type: "text", autocomplete: "off", spellcheck: "false", onchange: set(key), ...props });
    this.fields = {
      label: text("label", { list: lists.label.id, placeholder: "any" }),
      side: h("select", { onchange: set("side") }, SIDES.map(([value, words]) => h("option", { value }, words))),
      from: h("input", { type: "date", onchange: set("from") }),
      until: h("input", { type: "date", onchange: set("until") }),
      where: text("where", { placeholder: "width >= 1000 and 'beach' in path", maxlength: 3000 }),
      k: h("input", { type: "number", min: 1, max: 11000, placeholder: "all", onchange: set("k") }),
      near: h("input", { type: "range", min: 0, max: 100, step: 1, onchange: (event) => this.#go({ near: Number(event.target.value) || null }) }),
    };
    this.tag = h("input", { type: "text", list: lists.tag.id, placeholder: "add a tag", autocomplete: "off", onchange: () => this.#tagged() });
    this.nearly = h("output", {});
    this.fields.near.addEventListener("input", () => this.#nearly());
    this.columns = h("span", { class: "soft hint", id: `${this.panel.id}-hint` }, FIELDS);
    this.fields.where.setAttribute("aria-describedby", this.columns.id);
    const field = (words, ...inside) => h("label", {}, h("span", {}, words), inside);
    fill(this.panel, Object.values(lists),
      folders && h("div", { class: "field" }, h("span", {}, "Folder"), button("Choose…", { sign: "folder", onclick: () => this.#folder() })),
      field("Label", this.fields.label), field("Tag", this.tag), field("Longer side", this.fields.side),
      field("Changed from", this.fields.from), field("until", this.fields.until),
      this.search && field("At least this similar", h("span", { class: "slide" }, this.fields.near, this.nearly)),
      this.search && field("At most, pictures", this.fields.k),
      h("label", { class: "long" }, h("span", {}, "Expression"), this.fields.where, this.columns));
  }

  #go(patch) {
    this.context.state.go({ ...patch, open: null });
  }

  #tagged() {
    const tag = this.tag.value.trim();
    this.tag.value = "";
    const before = this.context.state.now.tag ?? [];
    if (tag && !before.includes(tag)) this.#go({ tag: [...before, tag] });
  }

  #nearly() {
    const value = Number(this.fields.near.value);
    this.nearly.textContent = value ? `${value} %` : "any";
    this.fields.near.setAttribute("aria-valuetext", this.nearly.textContent);
  }

  /** Show the fields, or only what is chosen. */
  async open(wanted) {
    this.panel.hidden = !wanted;
    this.toggle.setAttribute("aria-expanded", String(wanted));
    if (wanted) await this.#learn().catch(this.context.fail);
  }

  /** What there is to choose from. */
  async #learn() {
    if (this.#facets) return;
    const { base } = this.context;
    this.#facets = await ask(`${base}/labels`);
    const tags = await ask(`${base}/tags`).catch(() => ({ tags: [] }));
    const { labels, columns } = this.#facets;
    const option = (value, count) => h("option", { value }, `${shown(value)} (${whole(count)})`);
    fill(this.lists.label, labels.filter(({ label }) => label !== null).slice(0, 1000).map(({ label, count }) => option(label, count)));
    fill(this.lists.tag, tags.tags.slice(0, 1000).map(({ tag, count }) => option(tag, count)));
    const named = columns.length ? ` Columns: ${columns.slice(0, 20).map(shown).join(", ")}.` : "";
    this.columns.textContent = `${FIELDS}${named}`;
  }

  #folder() {
    const { state } = this.context;
    const dialog = h("dialog", { class: "folders", "aria-label": "Folder" }, h("header", {}, h("h2", {}, "Only in this folder"),
      button("Close", { sign: "close", shown: false, class: "quiet", onclick: () => dialog.close() })));
    const tree = new Tree(this.context, { chosen: (path) => { dialog.close(); state.go({ under: path === null ? null : [path], open: null }); } });
    tree.current = state.now.under?.[0] ?? null;
    dialog.append(tree.element);
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
    tree.load().catch(this.context.fail);
  }

  /** Bring fields and chips up to date; `trouble` is whether the expression makes no sense. */
  show(now) {
    for (const [name, field] of Object.entries(this.fields)) if (document.activeElement !== field) field.value = now[name] ?? (name === "near" ? 0 : "");
    this.#nearly();
    this.wrong(false);
    const names = [...FILTERS, ...(this.search ? ["near", "k"] : [])].filter((name) => now[name]?.length);
    const chips = names.flatMap((name) => (Array.isArray(now[name]) ? now[name].map((one) => this.#chip(name, one)) : [this.#chip(name, now[name])]));
    const clear = chips.length > 1 && button("Clear", { class: "quiet", onclick: () => this.#go(Object.fromEntries(names.map((name) => [name, null]))) });
    fill(this.active, chips, clear);
  }

  /** Whether the expression was refused. */
  wrong(is) {
    this.fields.where.setAttribute("aria-invalid", String(is));
    if (is) this.open(true);
  }

  #chip(name, value) {
    const words = {
      under: () => `in ${brief(value)}`, label: () => `label ${shown(value)}`, tag: () => `tag ${shown(value)}`, where: () => shown(value),
      side: () => `${whole(Number(value))} pixels or more`, from: () => `from ${value}`, until: () => `until ${value}`,
      near: () => `${value} % or more`, k: () => `at most ${value}`,
    }[name]();
    const rest = this.context.state.now[name];
    const without = () => this.#go({ [name]: Array.isArray(rest) ? rest.filter((each) => each !== value) : null });
    return h("span", { class: "chip" }, h("bdi", { title: shown(value) }, words), button(`Without ${words}`, { sign: "close", shown: false, onclick: without }));
  }
}
