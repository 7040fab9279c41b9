// One picture of a grid: made once and used again for others as the page scrolls.
import { thumbnail } from "./api.js";
import { fill, h } from "./dom.js";
import { brief, percent, shown, sure, told } from "./text.js";

const COARSE = matchMedia("(pointer: coarse)");

/** How near a picture is: how sure it is the same, where the collection is calibrated, or else how similar. */
function nearness({ similarity, match }) {
  if (similarity === undefined) return null;
  if (match === undefined) return h("b", {}, percent(similarity));
  return h("b", { title: `${percent(similarity)} similar` }, `${sure(match)} match`);
}

export class Tile {
  index = -1;
  item = null;
  #wanted = "";

  constructor(grid) {
    this.grid = grid;
    this.picture = h("img", { alt: "", decoding: "async", draggable: "false" });
    this.picture.addEventListener("load", () => this.picture.classList.add("here"));
    this.picture.addEventListener("error", () => this.#failed());
    this.link = h("a", { class: "picture", tabIndex: -1, draggable: "true" }, this.picture);
    this.says = h("div", { class: "says" });
    this.element = h("div", { class: "tile", role: "gridcell" }, this.link, this.says);
    this.element.tile = this;
  }

  /** Show the picture at a place of the source. */
  show(index, source, { width, height, column }) {
    const same = this.index === index && this.item !== null && this.item === source.item(index);
    this.index = index;
    this.id = source.id(index);
    this.element.style.width = `${width}px`;
    this.link.style.height = `${height}px`;
    this.element.setAttribute("aria-colindex", column + 1);
    this.size = Math.max(width, height) * Math.min(devicePixelRatio, 2);
    if (!same) this.#about(source.item(index));
    this.mark();
  }

  #about(item) {
    this.grid.hand?.release(this);
    this.item = item;
    this.#wanted = "";
    this.picture.removeAttribute("src");
    this.picture.classList.remove("here");
    this.element.classList.remove("gone");
    if (!item) {
      this.link.removeAttribute("href");
      this.link.setAttribute("aria-label", "Picture, not loaded yet");
      this.link.removeAttribute("title");
      fill(this.says);
      return;
    }
    this.link.setAttribute("href", this.grid.link(item));
    this.link.setAttribute("aria-label", told(item));
    this.link.title = shown(item.path);
    this.#caption(item);
  }

  #caption(item) {
    const near = nearness(item);
    const label = item.label ? h("span", { class: "label" }, shown(item.label)) : null;
    const tags = item.tags?.length ? h("span", { class: "label" }, item.tags.map((tag) => `#${shown(tag)}`).join(" ")) : null;
    const badge = this.grid.badge?.(item) ?? null;
    const aside = this.grid.aside?.(item) ?? null;
    const path = h("bdi", { class: "path" }, brief(item.path));
    fill(this.says, h("div", {}, near, label, tags, badge), aside ? h("div", { class: "where" }, path, aside) : path);
    if (COARSE.matches) this.says.append(this.grid.lens(item));
  }

  /** Say anew what is said of the picture, which has changed; the button that had the keys has them again. */
  say() {
    if (!this.item) return;
    const held = [...this.says.querySelectorAll("button")].indexOf(document.activeElement);
    this.#caption(this.item);
    if (held >= 0) this.says.querySelectorAll("button")[held]?.focus({ preventScroll: true });
  }

  /** Whether it is selected, and whether it is where keys go. */
  mark() {
    const picked = this.grid.selection.has(this.id);
    this.element.setAttribute("aria-selected", String(picked));
    this.element.classList.toggle("also", this.grid.lit?.(this.id) ?? false);
    this.link.tabIndex = this.index === this.grid.active ? 0 : -1;
  }

  /** Load the picture, unless that is on its way. */
  load() {
    if (!this.item) return;
    const wanted = thumbnail(this.item, this.size);
    if (wanted === this.#wanted) return;
    this.#wanted = wanted;
    this.picture.src = wanted;
  }

  /** Give up what is on its way, as the tile leaves the page. */
  leave() {
    this.grid.hand?.release(this);
    if (!this.picture.complete) {
      this.picture.removeAttribute("src");
      this.#wanted = "";
      this.item = null;
    }
  }

  #failed() {
    if (!this.#wanted) return;
    this.element.classList.add("gone");
    this.link.setAttribute("aria-label", `${told(this.item)}; its file cannot be shown`);
  }
}
