// The folders of a collection as a tree, opened step by step; keys as in any tree.
import { address, ask } from "./api.js";
import { fill, h, icon } from "./dom.js";
import { shown, whole } from "./text.js";

export class Tree {
  #nodes = new Map();

  /** `chosen(path | null)` hears which folder was chosen; null stands for all. */
  constructor(context, { chosen, label = "Folders" }) {
    Object.assign(this, { context, chosen });
    this.element = h("ul", { class: "tree", role: "tree", "aria-label": label });
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.current = null;
  }

  /** Ask for the folders anew; those that were open are opened again. */
  async load() {
    const open = [...this.#nodes].filter(([, node]) => node.getAttribute("aria-expanded") === "true").map(([path]) => path);
    const { folders } = await ask(`${this.context.base}/folders`);
    this.#nodes.clear();
    const all = this.#node({ path: null, name: "All pictures", count: this.context.collection.images, folders: 0 }, 1);
    fill(this.element, all, folders.map((folder) => this.#node(folder, 1)));
    for (const path of open) if (this.#nodes.has(path)) await this.#open(this.#nodes.get(path));
    if (folders.length === 1 && folders[0].folders && !open.length) await this.#open(this.#nodes.get(folders[0].path));
    this.show(this.current);
  }

  /** Mark the folder that is shown; null stands for all of them. */
  show(path) {
    this.current = path;
    for (const node of this.element.querySelectorAll("[role=treeitem]")) {
      const same = (node.data.path ?? null) === (path ?? null);
      node.setAttribute("aria-selected", String(same));
      node.tabIndex = same ? 0 : -1;
    }
    if (!this.element.querySelector("[tabindex='0']")) this.element.querySelector("[role=treeitem]")?.setAttribute("tabindex", "0");
  }

  #node(folder, level) {
    const bytes = /\p{Surrogate}/u.test(folder.path ?? "");  // a name that is no text cannot stand in an address
    const twist = h("span", { class: "twist" }, icon("right"));
    const line = h("div", { class: "line", title: bytes ? "The name of this folder is no text, so that it cannot be asked for" : shown(folder.path ?? "") },
      folder.folders ? twist : h("span", { class: "twist" }), icon(folder.path === null ? "browse" : "folder"),
      h("bdi", {}, shown(folder.name)), h("small", {}, whole(folder.count)));
    const node = h("li", { role: "treeitem", "aria-level": level, tabIndex: -1, "aria-selected": "false", "aria-expanded": folder.folders ? "false" : null,
      "aria-label": `${shown(folder.name)}, ${whole(folder.count)}` }, line);
    node.data = { ...folder, level, bytes };
    twist.addEventListener("click", (event) => { event.stopPropagation(); this.#toggle(node); });
    line.addEventListener("click", () => this.#choose(node));
    if (folder.path !== null) this.#nodes.set(folder.path, node);
    return node;
  }

  #choose(node) {
    if (node.data.bytes) return;
    this.show(node.data.path);
    node.focus();
    this.chosen(node.data.path);
    if (node.data.path !== null && node.getAttribute("aria-expanded") === "false") this.#open(node);
  }

  #toggle(node) {
    if (node.getAttribute("aria-expanded") === "true") node.setAttribute("aria-expanded", "false");
    else this.#open(node);
  }

  async #open(node) {
    node.setAttribute("aria-expanded", "true");
    if (node.querySelector("[role=group]") || node.data.bytes) return;
    try {
      const { folders } = await ask(address(`${this.context.base}/folders`, { folder: node.data.path }));
      node.append(h("ul", { role: "group" }, folders.map((folder) => this.#node(folder, node.data.level + 1))));
      this.show(this.current);
    } catch (error) {
      this.context.fail(error);
    }
  }

  #key(event) {
    const node = event.target.closest("[role=treeitem]");
    const seen = [...this.element.querySelectorAll("[role=treeitem]")].filter((each) => !each.parentElement.closest("[aria-expanded=false]"));
    const at = seen.indexOf(node);
    const open = node.getAttribute("aria-expanded");
    const keys = {
      ArrowDown: () => seen[at + 1]?.focus(),
      ArrowUp: () => seen[at - 1]?.focus(),
      Home: () => seen[0].focus(),
      End: () => seen.at(-1).focus(),
      ArrowRight: () => (open === "false" ? this.#open(node) : node.querySelector("[role=treeitem]")?.focus()),
      ArrowLeft: () => (open === "true" ? this.#toggle(node) : node.parentElement.closest("[role=treeitem]")?.focus()),
      Enter: () => this.#choose(node),
      " ": () => this.#choose(node),
    };
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  }
}
