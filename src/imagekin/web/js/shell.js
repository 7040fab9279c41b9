// Around the views: their names, which one is shown, and what the collection is.
import { button, fill, h, icon } from "./dom.js";
import { written } from "./state.js";
import { count, shown } from "./text.js";

const VIEWS = [
  ["search", "Search"], ["browse", "Browse"], ["map", "Map"], ["duplicates", "Duplicates"], ["tags", "Tags"],
  ["indexing", "Indexing"],
];

export class Shell {
  #views = new Map();
  #links = new Map();
  #current = null;

  constructor(context) {
    this.context = context;
    this.#links = new Map(VIEWS.map(([name, title]) => [name, h("a", {}, icon(name), h("span", {}, title))]));
    fill(document.getElementById("views"), [...this.#links.values()]);
    this.chip = h("a", { class: "chip", hidden: true });
    this.about = h("span", { class: "soft facts" });
    fill(document.getElementById("state"), this.chip, this.#chooser(), this.about, this.#theme(),
      button("Keys", { sign: "keys", shown: false, class: "quiet keys", onclick: () => context.help() }));
    this.facts();
  }

  /** The view of the address, now and whenever that changes. */
  async begin() {
    this.context.state.on((now, before) => {
      if (now.collection !== before.collection) location.reload();
      else this.show(now);
    });
    await this.show(this.context.state.now);
  }

  /** The module of the view that is shown. */
  get view() {
    return this.#current?.module ?? null;
  }

  async show(now) {
    const name = this.#links.has(now.view) ? now.view : "search";
    const title = this.#mark(name);
    try {
      const view = await this.#loaded(name);
      if (this.context.state.now !== now) return;
      if (this.#current !== view) this.#swap(view, name);
      document.getElementById("title").textContent = title;
      document.title = `${view.module.title ?? title} · ${shown(this.context.collection.name)} · imagekin`;
      await view.module.show(view.root, now, this.context);
    } catch (error) {
      this.context.fail(error);
    }
  }

  /** The view's name among the others is marked, and each leads where it was left. */
  #mark(current) {
    const { now } = this.context.state;
    for (const [name, link] of this.#links) {
      if (name === current) {
        const { open, ...rest } = now;
        link.dataset.left = written(rest);
        link.setAttribute("aria-current", "page");
        link.href = written({ view: name, collection: now.collection });
      } else {
        link.removeAttribute("aria-current");
        link.href = link.dataset.left ?? written({ view: name, collection: now.collection });
      }
    }
    return VIEWS.find(([name]) => name === current)[1];
  }

  async #loaded(name) {
    if (!this.#views.has(name)) {
      const module = await import(`./views/${name}.js`);
      await Promise.all((module.styles ?? []).map(styled));
      const root = h("section", { class: `view ${name}`, "aria-label": VIEWS.find(([each]) => each === name)[1], hidden: true });
      document.getElementById("main").append(root);
      this.#views.set(name, { module, root });
    }
    return this.#views.get(name);
  }

  #swap(view, name) {
    if (this.#current) {
      this.#current.module.hide?.();
      this.#current.root.hidden = true;
    }
    document.querySelector(".waiting")?.remove();
    document.body.dataset.view = name;
    this.#current = view;
    view.root.hidden = false;
  }

  /** What the collection is, in the header. */
  facts() {
    const { images, name } = this.context.collection;
    fill(this.about, h("bdi", {}, shown(name)), ` · ${count(images, "picture")}`);
  }

  #chooser() {
    const { collections, collection, state } = this.context;
    if (collections.length < 2) return null;
    const change = (event) => state.go({ collection: event.target.value }, { fresh: true });
    return h("select", { "aria-label": "Collection", onchange: change },
      collections.map(({ name }) => h("option", { value: name, selected: name === collection.name }, shown(name))));
  }

  #theme() {
    const root = document.documentElement;
    const kept = storage("theme");
    if (kept) root.dataset.theme = kept;
    return button("Light or dark", { sign: "theme", shown: false, class: "quiet", onclick: () => {
      const dark = getComputedStyle(root).colorScheme.includes("dark") && !getComputedStyle(root).colorScheme.includes("light");
      const system = matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = (root.dataset.theme ? dark : system) ? "light" : "dark";
      storage("theme", root.dataset.theme);
    } });
  }
}

/** A view's own style sheet, there before the view is. */
function styled(name) {
  return new Promise((done) => {
    document.head.append(h("link", { rel: "stylesheet", href: `/static/css/${name}`, onload: done, onerror: done }));
  });
}

/** What the browser keeps of a wish; nothing where it keeps nothing. */
function storage(name, value = undefined) {
  try {
    if (value !== undefined) localStorage.setItem(`imagekin-${name}`, value);
    return localStorage.getItem(`imagekin-${name}`);
  } catch {
    return null;
  }
}
