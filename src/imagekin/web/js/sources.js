// Where a grid's pictures come from.  A source has `length` pictures, of which `aspect(i)`, `id(i)` and, once they are
// there, `item(i)`; `need(from, to)` fetches items (then `load`), `more()` further pictures (then `grow`, or `fail`).
import { address, ask } from "./api.js";

class Source extends EventTarget {
  length = 0;
  whole = true;  // whether no more pictures can come

  need() {}

  more() {}

  indexOf(id) {
    for (let at = 0; at < this.length; at += 1) if (this.id(at) === id) return at;
    return -1;
  }
}

/** Pictures that are there: items, or hits. */
export class Listing extends Source {
  constructor(items = []) {
    super();
    this.items = items;
    this.length = items.length;
  }

  aspect(at) {
    return this.items[at].width / this.items[at].height;
  }

  id(at) {
    return this.items[at].id;
  }

  item(at) {
    return this.items[at];
  }

  /** Leave some out, as when they have been removed. */
  without(ids) {
    const gone = new Set(ids);
    this.items = this.items.filter((item) => !gone.has(item.id));
    this.length = this.items.length;
    this.dispatchEvent(new Event("grow"));
  }
}

/** Pictures that come a page at a time: `page(offset, signal)` promises `{ items, last }`. */
export class Pages extends Listing {
  #page;
  #asking = null;
  #stop = new AbortController();
  #taken = 0;
  whole = false;

  constructor(page) {
    super();
    this.#page = page;
  }

  more() {
    if (this.whole) return null;
    this.#asking ??= this.#next().finally(() => { this.#asking = null; });
    return this.#asking;
  }

  /** Ask for nothing any more. */
  stop() {
    this.whole = true;
    this.#stop.abort(new DOMException("no longer wanted", "AbortError"));
  }

  async #next() {
    try {
      const { items, taken = items.length, last } = await this.#page(this.#taken, this.#stop.signal);
      this.#taken += taken;
      this.items = this.items.concat(items);
      this.length = this.items.length;
      this.whole ||= last;
      this.dispatchEvent(new Event("grow"));
    } catch (error) {
      if (error.name === "AbortError") return;
      this.whole = true;
      this.dispatchEvent(new CustomEvent("fail", { detail: error }));
    }
  }
}

const CHUNK = 100;

/** A whole listing by ids and shapes alone, so that one can go anywhere in it; items are fetched where one looks. */
export class Outline extends Source {
  #items = new Map();
  #asked = new Set();
  #places = null;

  constructor(base, { ids, aspects }) {
    super();
    this.base = base;
    this.ids = ids;
    this.aspects = aspects;
    this.length = ids.length;
  }

  aspect(at) {
    return this.aspects[at] / 100;
  }

  id(at) {
    return this.ids[at];
  }

  item(at) {
    return this.#items.get(this.ids[at]) ?? null;
  }

  indexOf(id) {
    this.#places ??= new Map(this.ids.map((each, at) => [each, at]));
    return this.#places.get(id) ?? -1;
  }

  without(ids) {
    const gone = new Set(ids);
    const kept = [...this.ids.keys()].filter((at) => !gone.has(this.ids[at]));
    [this.ids, this.aspects] = [kept.map((at) => this.ids[at]), kept.map((at) => this.aspects[at])];
    this.length = this.ids.length;
    this.#asked.clear();
    this.#places = null;
    this.dispatchEvent(new Event("grow"));
  }

  need(from, to) {
    for (let chunk = Math.floor(from / CHUNK); chunk * CHUNK < Math.min(to, this.length); chunk += 1) {
      if (!this.#asked.has(chunk)) this.#fetch(chunk);
    }
  }

  async #fetch(chunk) {
    this.#asked.add(chunk);
    const ids = this.ids.slice(chunk * CHUNK, (chunk + 1) * CHUNK);
    if (!ids.every((id) => this.#items.has(id))) {
      try {
        const where = `id in (${ids.join(", ")},)`;  // those that have gone meanwhile are no failure
        const { items } = await ask(address(`${this.base}/items`, { where, limit: CHUNK }));
        for (const item of items) this.#items.set(item.id, item);
      } catch (error) {
        this.#asked.delete(chunk);
        this.dispatchEvent(new CustomEvent("fail", { detail: error }));
        return;
      }
    }
    this.dispatchEvent(new Event("load"));
  }
}
