// Saying which of the pictures that were found are right, and having the server learn from it.
import { address, ask } from "./api.js";
import { button, fill, h } from "./dom.js";
import { progress } from "./progress.js";
import { written } from "./state.js";
import { count, percent, shown, whole } from "./text.js";

const ASKS = ["image", "id", "url", "region", "text", "plus", "minus"];
const LONGEST = 500;

/** What judgements of a state's answers are of: an item's id, or a name for anything else; null where it is too long. */
function asked(now) {
  const by = Object.fromEntries(ASKS.filter((each) => now[each]?.length).map((each) => [each, now[each]]));
  if (Object.keys(by).join() === "id" && Number(by.id) > 0) return { id: Number(by.id) };
  const name = written(by).replace(/^#\/search\?/, "");
  return name.length > LONGEST ? null : { name };
}

export class Judging {
  #asked = null;
  #fits = new Map();     // what is said of the pictures of this answer, by id
  #facts = null;         // of the collection: how many judgements, and what was learned
  #sending = Promise.resolve();

  /** `mark()` brings the pictures that are shown up to date. */
  constructor(context, mark) {
    Object.assign(this, { context, mark });
    this.says = h("span", { class: "soft", role: "status" });
    this.learn = button("Learn", { title: "Find out which differences matter, from what you said is right and what is wrong", onclick: () => this.#learn().catch(context.fail) });
    this.away = button("Undo what was learned", { class: "quiet", onclick: () => this.#undo().catch(context.fail) });
    this.running = h("div", {});
    this.line = h("div", { class: "judged", role: "group", "aria-label": "Right and wrong", hidden: true }, this.says, this.learn, this.away, this.running);
    this.begun = progress(this.running, context, "learn", {
      title: "Learning from what you said", running: (is) => { this.learn.disabled = is; },
      ended: (job) => { if (job.report) this.#outcome(job.report); },
    });
  }

  get off() {
    return this.context.collection.read_only || this.#asked === null;
  }

  /** Bring it to a state; where nothing is searched by there is nothing to judge. */
  async show(now, asks) {
    const wanted = asks ? asked(now) : null;
    this.#asked = wanted;
    this.#fits = new Map();
    this.#tell();
    if (!wanted) return;
    const told = await ask(address(`${this.context.base}/judgements`, wanted));
    if (this.#asked !== wanted) return;
    this.#take(told, this.#fits);
  }

  /** The two buttons of a picture. */
  thumbs({ id, name }) {
    if (this.off) return null;
    const fits = this.#fits.get(id);
    const key = (words, sign, fit) => button(`${words}: ${shown(name)}`, {
      sign, shown: false, class: words.toLowerCase(), tabIndex: -1, title: `${words} (${fit ? "y" : "n"})`, "aria-pressed": String(fits === fit),
      onclick: () => this.answer(id, fit),
    });
    return h("span", { class: "judge" }, key("Right", "right-sign", true), key("Wrong", "wrong-sign", false));
  }

  /** Say what a picture is; said twice, it is taken back. */
  answer(id, fit) {
    if (this.off) return;
    const taken = this.#fits.get(id) === fit;
    if (taken) this.#fits.delete(id);
    else this.#fits.set(id, fit);
    this.mark();
    this.context.say(taken ? "Taken back." : fit ? "Right." : "Wrong.");
    const list = taken ? "neither" : fit ? "right" : "wrong";
    const wanted = this.#asked;
    this.#sending = this.#sending.then(() => this.#send(wanted, { [list]: [id] })).catch(this.context.fail);
  }

  async #send(wanted, what) {
    try {
      const told = await ask(`${this.context.base}/judgements`, { json: { ...wanted, ...what } });
      if (this.#asked === wanted) this.#count(told);
    } catch (error) {
      this.context.fail(error);
      if (this.#asked === wanted) this.#take(await ask(address(`${this.context.base}/judgements`, wanted)));
    }
  }

  /** Take over what the server knows; what was said *since* it was asked stays. */
  #take(told, since = []) {
    this.#fits = new Map([...told.judgements.map(({ item, fits }) => [item, fits]), ...since]);
    this.#count(told);
    this.mark();
  }

  #count({ total, searches, learned }) {
    this.#facts = { total, searches, learned };
    this.#tell();
  }

  #tell() {
    const { total = 0, searches = 0, learned = null } = this.#facts ?? {};
    this.line.hidden = this.off || !(total || learned);
    this.learn.hidden = !total;
    this.learn.querySelector("span").textContent = `Learn from ${count(total, "answer")}`;
    this.away.hidden = !learned;
    const right = [...this.#fits.values()].filter(Boolean).length;
    const here = this.#fits.size ? `${whole(right)} right, ${whole(this.#fits.size - right)} wrong here; ` : "";
    const in_all = `${here}${count(total, "answer")} about ${count(searches, "search", "searches")} in all.`;
    const by = learned?.source === "judgements" ? ` Searches go by what ${count(learned.judgements, "answer")} taught.` : learned ? " Searches go by what labels taught." : "";
    this.says.textContent = `${total ? in_all : ""}${by}`.trim();
  }

  async #learn() {
    await this.#sending;
    this.begun(await ask(`${this.context.base}/learn`, { json: { source: "judgements" } }));
  }

  async #undo() {
    await ask(`${this.context.base}/learn/undo`, { method: "POST" });
    this.context.notify("What was learned is taken away; pictures are compared as before.");
    this.context.changed();
  }

  /** What came of learning, in a dialog. */
  #outcome(report) {
    const close = button("Close", { class: "main", onclick: () => dialog.close() });
    const undo = report.applied && button("Undo", { onclick: () => { dialog.close(); this.#undo().catch(this.context.fail); } });
    const row = (what, share, words) => h("div", { class: "gauge" }, h("span", {}, what), h("meter", { min: 0, max: 1, value: share, "aria-label": what }), h("b", {}, percent(share)), words);
    const dialog = h("dialog", { class: "learned", "aria-label": "What was learned" },
      h("h2", {}, report.applied ? "Searches are better now" : "Nothing was changed"),
      h("p", {}, report.reason),
      row("Before", report.before), row("After", report.after),
      h("p", { class: "soft" }, `Of a right and a wrong picture, how often the right one is nearer, in ${count(report.queries, "search", "searches")} that were each left out while it learned from the others.`),
      report.notes.map((note) => h("p", { class: "soft" }, shown(note))),
      h("footer", {}, undo, close));
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
    close.focus();
  }
}
