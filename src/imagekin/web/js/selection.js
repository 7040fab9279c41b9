// The pictures that a person has picked, across views; told as `change`.
class Selection extends EventTarget {
  #ids = new Set();

  get size() {
    return this.#ids.size;
  }

  /** The ids in the order in which they were picked. */
  get ids() {
    return [...this.#ids];
  }

  has(id) {
    return this.#ids.has(id);
  }

  add(ids) {
    this.#change(ids, (id) => !this.#ids.has(id) && this.#ids.add(id));
  }

  remove(ids) {
    this.#change(ids, (id) => this.#ids.delete(id));
  }

  toggle(id) {
    if (this.has(id)) this.remove([id]);
    else this.add([id]);
  }

  /** Pick these and no others. */
  set(ids) {
    this.#ids = new Set(ids);
    this.dispatchEvent(new Event("change"));
  }

  clear() {
    if (this.#ids.size) this.set([]);
  }

  #change(ids, each) {
    let changed = false;
    for (const id of ids) changed = Boolean(each(id)) || changed;
    if (changed) this.dispatchEvent(new Event("change"));
  }
}

export const selection = new Selection();
