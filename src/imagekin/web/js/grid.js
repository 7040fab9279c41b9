// A justified grid of pictures of which only those near the window exist: 100,000 scroll as 100 do.
//
//   const grid = new Grid(root, { context, label: "Pictures found", link: (item) => "#/…", caption: 44 });
//   grid.show(new Listing(items));
//
// Options: `link(item)` the address that a click leads to; `badge(item)` a node for the caption, `aside(item)` one beside the path; `lit(id)` whether a
// picture is marked; `actions` a list of { sign, label, key, run(item) } besides select and look; `keys` what further keys do with a
// picture; `target` rows' height.
import { button, h } from "./dom.js";
import { Hand } from "./hand.js";
import { clamped, rowAt, rows } from "./layout.js";
import { Listing } from "./sources.js";
import { Tile } from "./tile.js";

const GAP = 6;
const HASTE = 3;  // pixels a millisecond: faster than that pictures are not loaded on the way
const LEAP = 0.35;  // of the window's height at once: so it is where frames are few
const REST = 90;  // milliseconds

export class Grid extends EventTarget {
  active = 0;
  source = new Listing();
  #layout = rows(0, null, { width: 1, target: 1, gap: 0 });
  #mounted = new Map();
  #pool = [];
  #width = 0;
  #frame = 0;
  #timer = 0;
  #last = { top: 0, time: 0, hasty: false };
  #heard = new WeakSet();
  #ears = new AbortController();

  constructor(root, { context, label, caption = 0, target = null, actions = [], ...rest }) {
    super();
    Object.assign(this, { context, caption, target, actions, selection: context.selection }, rest);
    this.link ??= (item) => context.state.link({ view: "search", id: item.id }, { fresh: true });
    this.element = h("div", { class: "grid", role: "grid", "aria-label": label, "aria-multiselectable": "true" });
    this.element.classList.toggle("captioned", caption > 0);
    this.element.grid = this;
    root.append(this.element);
    this.hand = new Hand(this);
    this.#watch();
  }

  #watch() {
    const { signal } = this.#ears;
    addEventListener("scroll", () => this.#soon(), { passive: true, signal });
    this.selection.addEventListener("change", () => this.mark(), { signal });
    this.observer = new ResizeObserver(() => this.#resized());
    this.observer.observe(this.element);
  }

  /** Show the pictures of a source; *top* is where the page is scrolled to. */
  show(source, { top = null } = {}) {
    this.source = source;
    this.active = 0;
    for (const row of [...this.#mounted.keys()]) this.#unmount(row);
    this.#hear(source);
    this.#place();
    if (top !== null) scrollTo(0, top);
    this.draw();
  }

  #hear(source) {
    if (this.#heard.has(source)) return;
    this.#heard.add(source);
    source.addEventListener("grow", () => source === this.source && this.#grown());
    source.addEventListener("load", () => source === this.source && this.#loaded());
  }

  /** Forget everything. */
  close() {
    this.#ears.abort();
    this.observer.disconnect();
    this.element.remove();
  }

  get rowHeight() {
    return this.target ?? (this.#width < 620 ? Math.max(120, this.#width / 2.7) : 190);
  }

  #place() {
    this.#width = this.element.clientWidth;
    const { source, caption } = this;
    this.#layout = rows(this.#width ? source.length : 0, (at) => source.aspect(at), {
      width: Math.max(this.#width, 1), target: this.rowHeight, gap: GAP, caption,
    });
    const { count, tops } = this.#layout;
    this.element.style.height = `${tops[count]}px`;
    this.element.setAttribute("aria-rowcount", source.whole ? count : -1);
  }

  #resized() {
    if (this.element.clientWidth !== this.#width && this.element.clientWidth) this.again();
  }

  /** The first picture that is seen. */
  get first() {
    const { starts, tops } = this.#layout;
    return starts[rowAt(tops, -this.element.getBoundingClientRect().top + (this.context.above?.() ?? 0))];
  }

  /** Lay everything out again, with the picture at the upper edge where it is. */
  again() {
    const held = this.element.contains(document.activeElement);
    const { starts, tops } = this.#layout;
    const above = -this.element.getBoundingClientRect().top;
    const kept = above > 0 && starts.length > 1 ? starts[rowAt(tops, above)] : null;
    for (const row of [...this.#mounted.keys()]) this.#unmount(row);
    this.#place();
    if (kept !== null) scrollBy(0, this.#layout.tops[this.rowOf(kept)] - above);
    this.draw();
    this.#hold(held);
  }

  /** Give the keys back to the picture that had them before its row was made anew. */
  #hold(held) {
    if (held && !this.element.contains(document.activeElement)) this.tileAt(this.active)?.link.focus({ preventScroll: true });
  }

  #grown() {
    const held = this.element.contains(document.activeElement);
    const from = this.#layout.count ? this.#layout.starts[this.#layout.count - 1] : 0;
    for (const [row] of [...this.#mounted]) if (row >= this.rowOf(from)) this.#unmount(row);
    if (this.source.length < this.#layout.starts.at(-1)) for (const row of [...this.#mounted.keys()]) this.#unmount(row);
    this.#place();
    this.active = Math.min(this.active, Math.max(this.source.length - 1, 0));
    this.draw();
    this.#hold(held);
  }

  #loaded() {
    for (const [row, element] of this.#mounted) this.#fill(row, element);
    this.draw();
  }

  #soon() {
    this.#frame ||= requestAnimationFrame(() => { this.#frame = 0; this.draw(); });
  }

  /** Make what is near the window, and let go of what is not. */
  draw() {
    if (!this.element.clientWidth || !this.#width) return;
    const top = -this.element.getBoundingClientRect().top;
    const { count, tops } = this.#layout;
    const first = rowAt(tops, top - innerHeight);
    const last = Math.min(rowAt(tops, top + 2 * innerHeight), count - 1);
    for (const [row, element] of this.#mounted) {
      if ((row < first || row > last) && !element.contains(document.activeElement)) this.#unmount(row);
    }
    for (let row = first; row <= last; row += 1) if (!this.#mounted.has(row)) this.#mount(row);
    if (tops[count] - top < 3 * innerHeight) this.source.more();
    clearTimeout(this.#timer);
    if (this.#hasty(top)) this.#timer = setTimeout(() => this.#rest(first, last), REST);
    else this.#rest(first, last);
  }

  /** Whether the page moves so quickly that nobody sees what flies past. */
  #hasty(top) {
    const now = performance.now();
    const { top: before, time, hasty } = this.#last;
    if (top === before && now - time < REST) return hasty;
    const far = Math.abs(top - before);
    this.#last = { top, time: now, hasty: far > LEAP * innerHeight || far / Math.max(now - time, 1) > HASTE };
    return this.#last.hasty;
  }

  #rest(first, last) {
    const { starts, count } = this.#layout;
    if (!count) return;
    this.source.need(starts[first], starts[last + 1]);
    const inside = document.activeElement && this.element.contains(document.activeElement);
    const top = rowAt(this.#layout.tops, -this.element.getBoundingClientRect().top);
    if (!inside && !this.#mounted.has(this.rowOf(this.active))) {
      this.active = starts[top];
      this.mark();
    }
    for (const element of this.#mounted.values()) for (const each of element.children) each.tile.load();
    this.dispatchEvent(new Event("rest"));
  }

  #mount(row) {
    const element = h("div", { class: "row", role: "row", "aria-rowindex": row + 1 });
    element.style.transform = `translateY(${this.#layout.tops[row]}px)`;
    element.style.height = `${this.#layout.heights[row] + this.caption}px`;
    this.#fill(row, element);
    const after = Math.min(...[...this.#mounted.keys()].filter((other) => other > row));
    this.element.insertBefore(element, this.#mounted.get(after) ?? null);  // in the order in which they are read
    this.#mounted.set(row, element);
  }

  #fill(row, element) {
    const { starts, heights } = this.#layout;
    const height = heights[row];
    for (let at = starts[row]; at < starts[row + 1]; at += 1) {
      const column = at - starts[row];
      const tile = element.children[column]?.tile ?? this.#pool.pop() ?? new Tile(this);
      if (tile.element.parentNode !== element) element.append(tile.element);
      tile.show(at, this.source, { width: clamped(this.source.aspect(at)) * height, height, column });
    }
  }

  #unmount(row) {
    const element = this.#mounted.get(row);
    this.#mounted.delete(row);
    for (const each of [...element.children]) {
      each.tile.leave();
      each.remove();
      if (this.#pool.length < 400) this.#pool.push(each.tile);
    }
    element.remove();
  }

  /** Bring marks up to date: what is selected, what is lit, where keys go. */
  mark() {
    for (const element of this.#mounted.values()) for (const each of element.children) each.tile.mark();
  }

  /** Say anew what is said of the pictures that are shown. */
  say() {
    for (const element of this.#mounted.values()) for (const each of element.children) each.tile.say();
  }

  /** A button that looks at a picture closely. */
  lens(item) {
    return button(`Look at ${item.name}`, { sign: "look", shown: false, class: "lens", onclick: () => this.context.open(item.id) });
  }

  rowOf(index) {
    return Math.min(rowAt(this.#layout.starts, index), Math.max(this.#layout.count - 1, 0));
  }

  /** The tile of a picture, if it exists now. */
  tileAt(index) {
    const row = this.rowOf(index);
    return this.#mounted.get(row)?.children[index - this.#layout.starts[row]]?.tile ?? null;
  }

  /** The pictures of a row, from the first to before the last, and the edges of the row on the page. */
  row(row) {
    const { starts, tops, heights } = this.#layout;
    return { from: starts[row], to: starts[row + 1], top: tops[row], height: heights[row] + this.caption };
  }

  /** How wide a picture is shown, with the gap after it. */
  width(index) {
    return clamped(this.source.aspect(index)) * this.#layout.heights[this.rowOf(index)] + GAP;
  }

  get rowCount() {
    return this.#layout.count;
  }

  /** Scroll a picture into view and give it the keys. */
  focus(index) {
    this.active = Math.min(Math.max(index, 0), this.source.length - 1);
    const { top, height } = this.row(this.rowOf(this.active));
    const edge = this.element.getBoundingClientRect().top + top;
    const [above, below] = [this.context.above?.() ?? 0, innerHeight - (this.context.below?.() ?? 0)];
    if (edge < above) scrollBy({ top: edge - above - GAP, behavior: "instant" });
    else if (edge + height > below) scrollBy({ top: edge + height - below + GAP, behavior: "instant" });
    this.draw();
    this.mark();
    this.tileAt(this.active)?.link.focus({ preventScroll: true });
  }

  /** The id of the picture before or after another one, or null. */
  neighbour(id, step) {
    const at = this.source.indexOf(id);
    const to = at + step;
    if (to >= this.source.length - 5) this.source.more();
    return at < 0 || to < 0 || to >= this.source.length ? null : this.source.id(to);
  }
}
