// Thumbnails on the map: a few at a time, what was asked for last first, and no more kept than fit.
const AT_ONCE = 6;
const KEPT = 800;
const WAITING = 400;

export class Pictures {
  #kept = new Map();       // by row, what was used last at the end; null while it is being fetched
  #wanted = new Set();
  #running = 0;

  /** `addressOf(row)` is where its thumbnail is, `ready()` is called when another one can be drawn. */
  constructor(addressOf, ready) {
    this.addressOf = addressOf;
    this.ready = ready;
    this.side = 120;
  }

  /** What drawTiles asks for. */
  picture(row) {
    const found = this.#kept.get(row);
    if (found === undefined) this.#want(row);
    if (!found) return null;
    this.#kept.delete(row);
    this.#kept.set(row, found);
    return found;
  }

  #want(row) {
    this.#wanted.delete(row);
    this.#wanted.add(row);
    if (this.#wanted.size > WAITING) this.#wanted.delete(this.#wanted.values().next().value);
    this.#next();
  }

  #next() {
    while (this.#running < AT_ONCE && this.#wanted.size) {
      const row = [...this.#wanted].at(-1);
      this.#wanted.delete(row);
      this.#kept.set(row, null);
      this.#running += 1;
      this.#fetch(row).finally(() => {
        this.#running -= 1;
        this.#next();
      });
    }
  }

  async #fetch(row) {
    const image = new Image();
    image.src = this.addressOf(row);
    try {
      await image.decode();
    } catch {
      return;  // it stays a point
    }
    const { naturalWidth: width, naturalHeight: height } = image;
    this.#kept.set(row, { image, x: 0, y: 0, width, height, shape: width / height });
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value);
    this.ready();
  }
}
