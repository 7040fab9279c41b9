// The picture beside the pointer, with what it is called.
import { ask } from "../api.js";
import { fill, h } from "../dom.js";
import { shown, told } from "../text.js";

const PAUSE = 120;       // milliseconds after which a name is asked for
const APART = 18;        // pixels between the pointer and the card

export class Card {
  #row = -1;
  #timer = 0;
  #known = new Map();

  constructor(context, chart) {
    Object.assign(this, { context, chart });
    this.image = h("img", { alt: "" });
    this.words = h("div", {});
    this.element = h("div", { class: "map-card", hidden: true }, this.image, this.words);
    this.said = h("p", { class: "away", role: "status" });
    this.image.addEventListener("load", () => this.#place());
  }

  hide() {
    clearTimeout(this.#timer);
    this.element.hidden = true;
    this.#row = -1;
  }

  /** Show the picture of a row beside a place of the stage; *aloud* for those who do not see it. */
  show(row, left, top, aloud = false) {
    if (row < 0) return this.hide();
    this.at = [left, top];
    if (row !== this.#row) {
      this.#row = row;
      this.image.src = this.chart.thumbnail(row, 256);
      this.#name(row, aloud);
      this.element.hidden = false;
    }
    this.#place();
  }

  #place() {
    const { width, height } = this.chart.plane.view;
    const beside = (at, size, all) => Math.max(6, at + APART + size > all ? at - size - APART : at + APART);
    this.element.style.left = `${beside(this.at[0], this.element.offsetWidth, width)}px`;
    this.element.style.top = `${beside(this.at[1], this.element.offsetHeight, height)}px`;
  }

  #name(row, aloud) {
    const { found } = this.chart;
    const code = found ? found.of[row] : -1;
    const known = this.#known.get(row);
    fill(this.words, code >= 0 && h("strong", {}, found.names[code]), known && h("span", {}, shown(known.name)));
    clearTimeout(this.#timer);
    if (known && aloud) this.said.textContent = told(known);
    else if (!known) this.#timer = setTimeout(() => this.#ask(row, aloud), PAUSE);
  }

  async #ask(row, aloud) {
    const item = await ask(`${this.context.base}/items/${this.chart.facts.ids[row]}`).catch(() => null);
    if (!item) return;
    this.#known.set(row, item);
    if (row === this.#row) this.#name(row, aloud);
  }
}
