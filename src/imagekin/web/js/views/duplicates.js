// Duplicates: groups with the picture that is kept, and what is to be done with the others.
import { address, ask } from "../api.js";
import { button, fill, h } from "../dom.js";
import { Logs, outcome } from "../duplicates/acting.js";
import { Bar } from "../duplicates/bar.js";
import { Group, kindsOf } from "../duplicates/group.js";
import { progress } from "../progress.js";
import { bytes, count, shown } from "../text.js";

export const name = "duplicates";
export const title = "Duplicates";
export const styles = ["running.css", "duplicates.css"];

const PAGE = 30;
const AHEAD = 1200;      // pixels below the window that are filled
let view = null;

export async function show(root, now, context) {
  view ??= new View(root, context);
  await view.show();
}

export function hide() {}

class View {
  found = null;          // what was found last
  choices = { keepers: new Map(), ticked: new Set() };

  constructor(root, context) {
    this.context = context;
    this.head = h("header", { class: "duplicates-head" });
    this.running = h("div", {});
    this.groups = h("div", { class: "groups" });
    this.end = h("div", { class: "groups-end" });
    const shows = (kind, heading, ended) => progress(this.running, context, kind, { title: heading, ended });
    this.begin = shows("duplicates", "Looking for duplicates", (job) => job.state === "done" && this.#load().catch(context.fail));
    this.bar = new Bar(context, this.choices, shows("act", "Working", (job) => this.#done(job)));
    const back = shows("undo", "Bringing files back", (job) => this.#done(job));
    this.undo = (log) => ask(`${context.base}/duplicates/undo`, { json: { log } }).then(back).catch(context.fail);
    this.logs = new Logs(context, this.undo);
    fill(root, h("div", { class: "duplicates-view" },
      this.head, this.running, this.bar.element, this.logs.element, this.groups, this.end));
    context.events.addEventListener("removed", () => { this.found = null; });   // looked up again when it is shown next
    const seen = (entries) => entries.some((each) => each.isIntersecting) && this.#more();
    new IntersectionObserver(seen, { rootMargin: `${AHEAD}px` }).observe(this.end);
  }

  async show() {
    if (!this.found) await Promise.all([this.#load(), this.logs.load()]);
  }

  async #load() {
    this.choices.keepers.clear();
    this.choices.ticked.clear();
    this.offset = 0;
    fill(this.groups);
    try {
      this.found = await this.#page();
    } catch (error) {
      if (error.code !== "NoDuplicates") throw error;
      this.found = { total: 0, groups: [] };
    }
    this.#tell();
    this.bar.show(this.found);
    this.#add(this.found.groups);
  }

  #page() {
    return ask(address(`${this.context.base}/duplicates`, { offset: this.offset, limit: PAGE }));
  }

  async #more() {
    if (this.asking || !this.found || this.offset >= this.found.total) return;
    this.asking = true;
    try {
      this.#add((await this.#page()).groups);
    } catch (error) {
      this.offset = this.found.total;
      this.context.fail(error);
    }
    this.asking = false;
    if (this.end.getBoundingClientRect().top < innerHeight + AHEAD) this.#more();
  }

  #add(groups) {
    this.offset += PAGE;
    this.groups.append(...groups.map((each) => new Group(each, this.context, this.choices, () => this.bar.ticked()).element));
  }

  // ---- what is said of it

  #tell() {
    const { found } = this;
    if (!found.made) return this.#never();
    const { total, bytes: size, counts, images, stale, notes } = found;
    const kinds = Object.entries(counts ?? {}).map(([kind, number]) => kindsOf(kind, number));
    fill(this.head, h("h2", {}, total ? `${count(total, "group")} of duplicates` : "No duplicates"),
      h("p", {}, `Among ${count(images, "picture")}${total ? `: ${kinds.join(", ")}. ${bytes(size)} could go` : ""}.`),
      stale && h("p", { class: "soft" }, "The collection has changed since they were looked for."),
      (notes ?? []).map((note) => h("p", { class: "soft" }, shown(note))), this.#search("Look again"));
  }

  #never() {
    fill(this.head, h("h2", {}, "Duplicates have not been looked for yet"), h("p", { class: "soft" },
      "Files of equal bytes are found at once. Pictures that were saved anew, resized, edited, cropped, mirrored or turned are "
      + "found by comparing those that are most alike, which takes some minutes for ten thousand."),
    this.#search("Look for duplicates", "main"));
  }

  #search(label, look = "") {
    const exact = h("input", { type: "checkbox" });
    return h("div", { class: "search-again" },
      button(label, { class: look, sign: "duplicates", onclick: () => this.#look(exact.checked) }),
      h("label", {}, exact, " files of equal bytes only"));
  }

  async #look(exact) {
    try {
      this.begin(await ask(`${this.context.base}/duplicates`, { json: { exact } }));
    } catch (error) {
      this.context.fail(error);
    }
  }

  /** Something was done, or taken back. */
  async #done(job) {
    const { notify, fail } = this.context;
    try {
      const undo = job.kind === "act" && job.report?.acted ? { label: "Undo", run: () => this.undo(job.report.log) } : null;
      if (job.state !== "failed") notify(outcome(job), undo);
      await Promise.all([this.#load(), this.logs.load()]);
    } catch (error) {
      fail(error);
    }
  }
}
