// Browse: every picture, folder by folder, in an order; one can go anywhere at once.
import { address, ask } from "../api.js";
import { button, fill, h } from "../dom.js";
import { Filters } from "../filters.js";
import { Grid } from "../grid.js";
import { Outline } from "../sources.js";
import { filtered, filters, written } from "../state.js";
import { count, whole } from "../text.js";
import { Tree } from "../tree.js";

export const name = "browse";
export const title = "Browse";
export const styles = ["browse.css"];
const ORDERS = [["path", "Folder and name"], ["-date", "Newest first"], ["date", "Oldest first"], ["-id", "Added last"], ["id", "Added first"], ["-pixels", "Most pixels"],
  ["-size", "Largest file"], ["size", "Smallest file"], ["label", "Label"]];
const SIZES = [110, 150, 190, 250, 330];
const KEPT = 6;
let view = null;

export function show(root, now, context) {
  view ??= new Browse(root, context);
  return view.show(now);
}

export function hide() {
  view?.leave();
}

export function neighbour(id, step) {
  return view.grid.neighbour(id, step);
}

class Browse {
  #key = null;
  #sources = new Map();
  #stop = new AbortController();

  constructor(root, context) {
    this.context = context;
    const { state } = context;
    this.tree = new Tree(context, { chosen: (path) => state.go({ under: path === null ? null : [path], open: null }) });
    this.filters = new Filters(context, { search: false, folders: false });
    this.order = h("select", { onchange: () => state.go({ order: this.order.value === "path" ? null : this.order.value, open: null }) },
      ORDERS.map(([value, words]) => h("option", { value }, words)));
    this.size = h("input", { type: "range", min: 0, max: SIZES.length - 1, step: 1, oninput: () => this.#resize(), "aria-label": "Size of the pictures" });
    this.size.value = 2;
    this.line = h("p", { class: "found soft", role: "status" });
    this.trouble = h("div", { class: "trouble", role: "alert", hidden: true });
    const folders = button("Folders", { sign: "folder", class: "drawer", "aria-expanded": "false", onclick: () => this.#drawer() });
    this.folders = folders;
    this.aside = h("aside", { "aria-label": "Folders" }, this.tree.element);
    const bar = h("div", { class: "chips bar" }, folders, h("label", {}, h("span", { class: "unseen" }, "Order"), this.order), this.size, this.filters.line);
    const body = h("div", { class: "shelf" }, bar, this.filters.panel, this.line, this.trouble);
    root.append(this.aside, body);
    this.grid = new Grid(body, {
      context, label: "Pictures",
      link: (item) => written({ view: "search", collection: state.now.collection, id: item.id }),
      actions: [{ sign: "plus", label: "More like", key: "+", run: ({ id }) => context.like(id) }],
    });
    this.grid.addEventListener("rest", () => this.#where());
    context.events.addEventListener("changed", () => this.#anew());
    context.events.addEventListener("removed", ({ detail }) => this.grid.source.without?.(detail));
    this.tree.load().catch(context.fail);
  }

  leave() {
    this.#key = null;
  }

  async show(now) {
    const wanted = { ...filters(now), order: ORDERS.some(([value]) => value === now.order) ? now.order : "path" };
    const key = JSON.stringify(wanted);
    if (key === this.#key) return;
    this.#key = key;
    this.order.value = wanted.order;
    this.filters.show({ ...filtered(now), under: null });
    this.tree.show(now.under?.[0] ?? null);
    this.trouble.hidden = true;
    this.#stop.abort();
    this.#stop = new AbortController();
    const { is, top } = this.context.state.returned;
    try {
      const source = await this.#source(wanted, key, this.#stop.signal);
      if (key !== this.#key) return;
      this.grid.show(source, { top: is ? top : Math.min(scrollY, this.#start()) });
      this.#tell(source);
    } catch (error) {
      if (key === this.#key) this.#fail(error);
    }
  }

  /** Where the first picture is, below what stays at the upper edge. */
  #start() {
    return this.grid.element.getBoundingClientRect().top + scrollY - this.context.above() - 120;
  }

  async #source(wanted, key, signal) {
    const held = this.#sources.get(key);
    if (held) return held;
    const outline = await ask(address(`${this.context.base}/outline`, wanted), { signal });
    const source = new Outline(this.context.base, outline);
    source.total = outline.total;
    source.addEventListener("fail", ({ detail }) => this.context.fail(detail));
    this.#sources.set(key, source);
    if (this.#sources.size > KEPT) this.#sources.delete(this.#sources.keys().next().value);
    return source;
  }

  #tell(source) {
    const cut = source.total > source.length ? `, of which the first ${whole(source.length)} are shown; a folder or a filter shows others` : "";
    this.line.textContent = `${count(source.total, "picture")}${cut}`;
    this.#where();
  }

  /** How far down one is, for those who scroll far. */
  #where() {
    const { length } = this.grid.source;
    const { first } = this.grid;
    this.line.dataset.at = first > 0 && length ? whole(Math.min(first + 1, length)) : "";
  }

  #fail(error) {
    if (error.name === "AbortError") return;
    this.#key = null;
    this.trouble.hidden = false;
    this.trouble.textContent = error.message;
    this.line.textContent = "";
    this.filters.wrong(error.status === 422 && Boolean(this.context.state.now.where));
  }

  #resize() {
    this.grid.target = this.size.value === "2" ? null : SIZES[Number(this.size.value)];
    this.grid.again();
  }

  #drawer() {
    const open = this.aside.classList.toggle("open");
    this.folders.setAttribute("aria-expanded", String(open));
  }

  #anew() {
    this.#sources.clear();
    this.tree.load().catch(this.context.fail);
    if (this.#key === null) return;
    this.#key = null;
    this.context.state.returned = { is: true, top: scrollY };
    this.show(this.context.state.now);
  }
}
