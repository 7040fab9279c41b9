// What is shown lives in the address, so that back, reload and sharing work: #/search?id=17&minus=4&label=dog
export const LISTS = new Set(["plus", "minus", "under", "tag"]);
export const FILTERS = ["under", "label", "tag", "where", "side", "from", "until"];
const FIRST = "search";
const REST = 150;  // milliseconds without scrolling, after which the place is noted

/** The address of a state: `view`, and texts or lists of texts by name. */
export function written({ view = FIRST, ...values }) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== null && each !== undefined && each !== "") query.append(name, String(each));
    }
  }
  return `#/${view}${query.size ? `?${query}` : ""}`;
}

/** The state of an address. */
export function read(hash) {
  const [place, query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const found = { view: /^[a-z]+$/.test(place) ? place : FIRST };
  for (const [name, value] of new URLSearchParams(query)) {
    if (name === "view" || name in Object.prototype) continue;
    if (LISTS.has(name)) (found[name] ??= []).push(value);
    else found[name] = value;
  }
  return Object.freeze(found);
}

class State {
  #followers = new Set();
  #timer = 0;
  now = read(location.hash);

  constructor() {
    history.scrollRestoration = "manual";
    addEventListener("click", (event) => this.#followed(event));
    addEventListener("popstate", () => this.#changed(true));
    addEventListener("hashchange", () => this.#changed(true));
    addEventListener("scroll", () => { clearTimeout(this.#timer); this.#timer = setTimeout(() => this.#keep(), REST); }, { passive: true });
    addEventListener("pagehide", () => this.#keep());
  }

  /** Whether the last change was a step back or forth; where the page had been scrolled to then. */
  returned = { is: true, top: history.state?.top ?? 0 };

  /** Whether the last change made a step that one can go back by. */
  stepped = false;

  /** The address after a change; null takes a value away.  `fresh`: nothing of the present state but its collection. */
  link(patch, { fresh = false } = {}) {
    const kept = fresh ? { view: this.now.view, collection: this.now.collection } : this.now;
    return written({ ...kept, ...patch });
  }

  /** Change what is shown.  `replace`: without a step to go back to. */
  go(patch, { replace = false, fresh = false } = {}) {
    const to = this.link(patch, { fresh });
    if (to === written(this.now)) return;
    this.#keep();
    history[replace ? "replaceState" : "pushState"](replace ? history.state : null, "", to);
    this.stepped = !replace;
    this.#changed(false);
  }

  /** Be told of changes: `tell(now, before)`.  Returns what ends it. */
  on(tell) {
    this.#followers.add(tell);
    return () => this.#followers.delete(tell);
  }

  /** Links of the page are steps like any other, so that the place on the page is noted before. */
  #followed(event) {
    const link = event.target.closest?.("a[href^='#/']");
    if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    this.go(read(link.getAttribute("href")), { fresh: true });
  }

  #keep() {
    clearTimeout(this.#timer);
    history.replaceState({ top: scrollY }, "");
  }

  #changed(moved) {
    if (moved) this.stepped = false;
    const now = read(location.hash);
    if (written(now) === written(this.now)) return;
    this.returned = { is: moved && history.state !== null, top: history.state?.top ?? 0 };
    const before = this.now;
    this.now = now;
    for (const tell of this.#followers) tell(now, before);
  }
}

export const state = new State();

/** The filters of a state as the API takes them; `side`, `from` and `until` become part of `where`. */
export function filters(now) {
  const parts = [];
  if (now.where?.trim()) parts.push(`(${now.where.trim()})`);
  if (/^\d+$/.test(now.side ?? "")) parts.push(`(width >= ${now.side} or height >= ${now.side})`);
  if (/^\d{4}-\d\d-\d\d$/.test(now.from ?? "")) parts.push(`date >= '${now.from}'`);
  if (/^\d{4}-\d\d-\d\d$/.test(now.until ?? "")) parts.push(`date < '${next(now.until)}'`);
  const found = {};
  if (now.under?.length) found.under = now.under;
  if (now.tag?.length) found.tag = now.tag;
  if (now.label) found.label = now.label;
  if (parts.length) found.where = parts.join(" and ");
  return found;
}

function next(day) {
  const after = new Date(`${day}T00:00:00Z`);
  after.setUTCDate(after.getUTCDate() + 1);
  return Number.isNaN(after.getTime()) ? day : after.toISOString().slice(0, 10);
}

/** The part of a state that filters are. */
export function filtered(now) {
  return Object.fromEntries(FILTERS.filter((name) => name in now).map((name) => [name, now[name]]));
}
