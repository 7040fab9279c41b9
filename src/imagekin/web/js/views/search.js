// Search: a query, filters, and the pictures that are like it, nearest first.
import { address, ask } from "../api.js";
import { asks, pages } from "../asking.js";
import { button, fill, h } from "../dom.js";
import { Filters } from "../filters.js";
import { Grid } from "../grid.js";
import { Judging } from "../judging.js";
import { Query } from "../query.js";
import { shuffled } from "../shuffle.js";
import { Pages } from "../sources.js";
import { filtered, filters, written } from "../state.js";
import { whole } from "../text.js";

export const name = "search";
export const title = "Search";
const KEPT = 8;
const PAGE = 100;
const PATIENCE = 1500;  // milliseconds
const SHOWN = ["image", "id", "url", "region", "text", "plus", "minus", "near", "k"];
let view = null;

export function show(root, now, context) {
  view ??= new Search(root, context);
  return view.show(now);
}

export function hide() {
  view?.leave();
}

export function neighbour(id, step) {
  return view.grid.neighbour(id, step);
}

/** What a search says of a picture that was found. */
export function found(id) {
  return view.grid.source.items?.find((item) => item.id === id);
}

class Search {
  #key = null;
  #looked = 0;
  #sources = new Map();

  constructor(root, context) {
    this.context = context;
    this.query = new Query(root, context, context.intake);
    this.filters = new Filters(context);
    this.line = h("p", { class: "found soft", role: "status" });
    this.trouble = h("div", { class: "trouble", role: "alert", hidden: true });
    this.blank = h("div", { class: "blank", hidden: true });
    this.judging = new Judging(context, () => this.grid.say());
    root.append(this.filters.line, this.filters.panel, this.line, this.judging.line, this.trouble, this.blank);
    this.grid = new Grid(root, {
      context, label: "Pictures found, nearest first", caption: 44, aside: (item) => this.judging.thumbs(item),
      link: (item) => written({ view: "search", collection: context.state.now.collection, id: item.id, ...filtered(context.state.now) }),
      actions: [
        { sign: "plus", label: "More like", key: "+", run: ({ id }) => context.like(id) },
        { sign: "minus", label: "Less like", key: "-", run: ({ id }) => context.unlike(id) },
      ],
      keys: { y: ({ id }) => this.judging.answer(id, true), n: ({ id }) => this.judging.answer(id, false) },
    });
    context.events.addEventListener("changed", () => this.#anew());
    context.jobs.addEventListener("change", () => this.#first());
    context.events.addEventListener("removed", ({ detail }) => this.grid.source.without?.(detail));
  }

  leave() {
    this.#key = null;
  }

  /** Bring the view to a state; where only the picture that is looked at has changed there is nothing to do. */
  async show(now) {
    const wanted = { ...filtered(now), ...Object.fromEntries(SHOWN.filter((each) => each in now).map((each) => [each, now[each]])) };
    const key = written(wanted);
    if (key === this.#key) return;
    const first = this.#key === null;
    this.#key = key;
    this.filters.show(now);
    const picture = this.query.show(now, asks(now)).catch((error) => this.#fail(error, key));
    this.judging.show(now, asks(now)).catch(this.context.fail);
    const source = this.#source(now, key);
    const { is, top } = this.context.state.returned;
    this.#tell(source, now, key);
    this.grid.show(source, { top: is && first ? null : is ? top : 0 });
    if (!source.length) await source.more();
    if (is && key === this.#key) await this.#restore(source, top, key);
    await picture;
  }

  /** Go where the page was, for which further pictures may be needed. */
  async #restore(source, top, key) {
    for (let turn = 0; turn < 40 && !source.whole && document.documentElement.scrollHeight < top + innerHeight; turn += 1) await source.more();
    if (key === this.#key) scrollTo(0, top);
  }

  #source(now, key) {
    if (this.#sources.has(key)) return this.#sources.get(key);
    const source = new Pages(asks(now) ? pages(this.context, now, (told) => { source.seconds ??= told.seconds; }) : everything(this.context, now));
    source.addEventListener("grow", () => this.#tell(source, now, key));
    source.addEventListener("fail", ({ detail }) => { this.#sources.delete(key); this.#fail(detail, key); });
    this.#sources.set(key, source);
    if (this.#sources.size > KEPT) this.#sources.delete(this.#sources.keys().next().value);
    return source;
  }

  /** What was found, in words. */
  #tell(source, now, key) {
    if (key !== this.#key) return;
    this.trouble.hidden = true;
    const none = source.whole && !source.length;
    this.blank.hidden = !none;
    const narrow = Object.keys(filtered(now)).length || now.near;
    this.line.title = "";
    if (none) this.#none(narrow);
    else if (!source.length) this.line.textContent = asks(now) ? "Searching…" : "";
    else if (!asks(now)) this.line.textContent = narrow ? "Pictures that fit, shuffled" : "Your pictures, shuffled";
    else this.#found(source);
  }

  #found(source) {
    const stages = Object.entries(source.seconds ?? {});
    const all = stages.reduce((sum, [, seconds]) => sum + seconds, 0);
    this.line.textContent = `${whole(source.length)}${source.whole ? "" : " or more"} pictures, nearest first${all ? `, in ${(1000 * all).toFixed(0)} ms` : ""}`;
    this.line.title = stages.map(([stage, seconds]) => `${stage} ${(1000 * seconds).toFixed(1)} ms`).join(", ");
  }

  #none(narrow) {
    this.line.textContent = "";
    const { state } = this.context;
    if (narrow) {
      const clear = Object.fromEntries([...Object.keys(filtered(state.now)), "near"].map((each) => [each, null]));
      fill(this.blank, h("p", {}, "No picture fits these filters."), button("Search without filters", { onclick: () => state.go(clear) }));
    } else if (this.context.jobs.running) fill(this.blank, h("p", {}, "The first pictures are being indexed; they appear here when they are."));
    else {
      fill(this.blank, h("p", {}, "There is nothing to find: the collection is empty."),
        h("p", {}, "Index a folder on the machine that serves it: ", h("code", {}, "imagekin serve FOLDER")));
    }
  }

  #fail(error, key) {
    if (key !== this.#key || error.name === "AbortError") return;
    this.trouble.hidden = false;
    this.trouble.textContent = error.message;
    this.line.textContent = "";
    this.filters.wrong(error.status === 422 && Boolean(this.context.state.now.where));
  }

  /** Where there was nothing yet, look now and then whether something has been indexed. */
  #first() {
    if (this.blank.hidden || performance.now() - this.#looked < PATIENCE) return;
    this.#looked = performance.now();
    this.#anew();
  }

  /** Search again, as the collection is another one now. */
  #anew() {
    this.#sources.clear();
    if (this.#key === null) return;
    const { scrollY } = window;
    this.#key = null;
    this.context.state.returned = { is: true, top: scrollY };
    this.show(this.context.state.now);
  }
}

/** All pictures that fit, in no order, so that there is something of everything to begin with; the same on reload. */
function everything(context, now) {
  let ids = null;
  return async (offset, signal) => {
    ids ??= shuffled((await ask(address(`${context.base}/outline`, filters(now)), { signal })).ids);
    const some = ids.slice(offset, offset + PAGE);
    if (!some.length) return { items: [], last: true };
    const { items } = await ask(address(`${context.base}/items`, { where: `id in (${some.join(", ")},)`, limit: PAGE }), { signal });
    const found = new Map(items.map((item) => [item.id, item]));
    return { items: some.filter((id) => found.has(id)).map((id) => found.get(id)), taken: some.length, last: offset + PAGE >= ids.length };
  };
}
