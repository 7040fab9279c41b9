// Pictures that may deserve a tag: looked at one by one, or taken all above a confidence.
import { ask } from "./api.js";
import { button, fill, h } from "./dom.js";
import { Grid } from "./grid.js";
import { Listing } from "./sources.js";
import { filters } from "./state.js";
import { retag } from "./tagging.js";
import { count, shown, whole } from "./text.js";

const AT_ONCE = 60;      // proposals that are asked for
const FEW = 12;          // when so few are left, more are asked for
const REMEMBERED = 5_000;

export class Proposals {
  #asking = new AbortController();
  #answers = [];         // what was decided, the last one at the end: { ids, tagged }
  #refused = new Map();  // ids that were refused, by tag; as long as the page is open

  constructor(root, context, changed) {
    Object.assign(this, { context, changed, tag: null, found: [], least: new Set() });
    this.says = h("p", { class: "soft", role: "status" });
    this.sure = h("input", { type: "range", min: 50, max: 99, value: 90, id: "sure", oninput: () => this.#mark() });
    this.share = h("output", { for: "sure" });
    this.all = button("", { class: "main", onclick: () => this.#answer(this.#above(), true) });
    this.undo = button("Undo", { disabled: true, onclick: () => this.#undo().catch(context.fail) });
    this.tools = h("div", { class: "proposal-tools" }, h("label", { for: "sure" }, "At least "), this.sure, this.share, this.all, this.undo);
    fill(root, h("h3", {}, "Perhaps also"), this.says, this.tools);
    this.grid = new Grid(root, {
      context, label: "Proposed pictures", caption: 64, target: 170,
      lit: (id) => this.least.has(id),
      badge: (item) => this.#badge(item),
      link: (item) => context.state.link({ open: String(item.id) }),
    });
    this.grid.element.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Propose pictures for a tag. */
  async show(tag) {
    if (tag !== this.tag) this.#answers = [];
    this.tag = tag;
    this.says.textContent = "Looking for pictures like those. The first time it is measured how sure to be, which takes some seconds.";
    this.#list([]);
    await this.#fetch();
  }

  /** Nothing is shown any more. */
  stop() {
    this.#asking.abort();
    this.tag = null;
  }

  async #fetch() {
    const { tag, context } = this;
    this.#asking.abort();
    this.#asking = new AbortController();
    const { tag: _, ...conditions } = filters(context.state.now);
    const wanted = { tag, refused: [...this.#refusals()].slice(-REMEMBERED), k: AT_ONCE, ...conditions };
    const answer = await ask(`${context.base}/tags/proposals`, { json: wanted, signal: this.#asking.signal });
    if (tag !== this.tag) return;
    this.about = answer;
    this.#list(answer.proposals);
  }

  #refusals() {
    if (!this.#refused.has(this.tag)) this.#refused.set(this.tag, new Set());
    return this.#refused.get(this.tag);
  }

  /** Show proposals; those whose place is the same keep the keys. */
  #list(found) {
    const { grid } = this;
    const inside = grid.element.contains(document.activeElement);
    const at = grid.active;
    this.found = found.map(({ similarity: _, ...item }) => item);
    grid.show(new Listing(this.found));
    if (inside && this.found.length) grid.focus(Math.min(at, this.found.length - 1));
    this.#mark();
  }

  #above() {
    const least = Number(this.sure.value) / 100;
    return this.found.filter((item) => item.confidence >= least).map((item) => item.id);
  }

  #badge(item) {
    const act = (label, sign, tagged) => button(`${label} ${shown(item.name)}`, {
      sign, shown: false, class: label.toLowerCase(), tabIndex: -1, onclick: () => this.#answer([item.id], tagged),
    });
    return h("span", { class: "answer" }, h("b", { title: "How sure it is" }, confidence(item)), act("Accept", "check", true), act("Refuse", "close", false));
  }

  #mark() {
    const above = this.#above();
    const { length } = above;
    this.least = new Set(above);
    this.share.textContent = `${this.sure.value} %`;
    this.all.textContent = `Accept ${length ? `all ${whole(length)}` : "none"}`;
    this.all.disabled = length === 0;
    this.undo.disabled = !this.#answers.length;
    this.tools.hidden = !this.found.length && !this.#answers.length;
    this.grid.mark();
    if (this.about) this.says.textContent = this.#told();
  }

  #told() {
    const { examples, calibrated } = this.about;
    if (!examples) return "No picture has this tag yet. Give it to a few, and others are proposed here.";
    if (!this.found.length) return "Nothing more is like these.";
    const measured = calibrated ? "" : " Nothing else in this collection has labels or tags to measure it by: take the confidence as a guess.";
    const keys = this.context.collection.read_only ? "" : " A accepts, R refuses the picture that has the keys.";
    return `By ${count(examples, "example")}.${keys}${measured}`;
  }

  async #answer(ids, tagged) {
    if (!ids.length) return;
    const { context, tag } = this;
    if (!tagged) for (const id of ids) this.#refusals().add(id);
    this.#answers.push({ ids, tagged });
    const gone = new Set(ids);
    this.#list(this.found.filter((item) => !gone.has(item.id)));
    context.say(`${tagged ? "Accepted" : "Refused"}: ${count(ids.length, "picture")}. ${whole(this.found.length)} left.`);
    try {
      if (tagged) await retag(context.base, ids, { add: [tag] });
      if (tagged) this.changed(tag, ids.length);
      if (this.found.length < FEW) await this.#fetch();
    } catch (error) {
      context.fail(error);
      if (error.name !== "AbortError") await this.#fetch().catch(context.fail);
    }
  }

  async #undo() {
    const last = this.#answers.pop();
    if (!last) return;
    if (last.tagged) await retag(this.context.base, last.ids, { remove: [this.tag] });
    else for (const id of last.ids) this.#refusals().delete(id);
    if (last.tagged) this.changed(this.tag, -last.ids.length);
    this.context.say(`Taken back: ${count(last.ids.length, "picture")}.`);
    await this.#fetch();
  }

  /** A and R on the picture that has the keys, and Ctrl Z. */
  #key(event) {
    if (this.context.collection.read_only) return;
    const run = { a: true, A: true, r: false, R: false }[event.key];
    const item = this.grid.source.item(this.grid.active);
    if ((event.ctrlKey || event.metaKey) && event.key === "z") this.#undo().catch(this.context.fail);
    else if (run !== undefined && item && !event.ctrlKey && !event.metaKey && !event.altKey) this.#answer([item.id], run);
    else return;
    event.preventDefault();
  }
}

/** How likely it is that a picture deserves the tag. */
function confidence({ confidence: share }) {
  return `${share > 0.995 ? "> 99" : share < 0.005 ? "< 1" : Math.round(100 * share)} %`;
}

