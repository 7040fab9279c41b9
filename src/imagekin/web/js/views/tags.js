// Tags: which there are, what has them, and what else may deserve them.
import { address, ask } from "../api.js";
import { button, fill, h } from "../dom.js";
import { Grid } from "../grid.js";
import { Proposals } from "../proposals.js";
import { Pages } from "../sources.js";
import { filters } from "../state.js";
import { tagging, tags } from "../tagging.js";
import { count, shown, whole } from "../text.js";

export const name = "tags";
export const title = "Tags";
export const styles = ["tags.css"];

const PAGE = 200;
let view = null;

export async function show(root, now, context) {
  view ??= new View(root, context);
  await view.show(now);
}

export function hide() {
  view?.rest();
}

export function neighbour(id, step) {
  return view.neighbour(id, step);
}

class View {
  tag = null;
  source = new Pages(async () => ({ items: [], last: true }));

  constructor(root, context) {
    this.context = context;
    root.classList.toggle("read-only", Boolean(context.collection.read_only));
    this.pick = button("", { class: "main", sign: "tags", onclick: () => this.#name() });
    this.list = h("ul", { class: "tag-list", "aria-label": "Tags, the most frequent first" });
    this.hint = h("p", { class: "soft" });
    this.head = h("header", { class: "tag-head" });
    this.perhaps = h("section", { class: "proposals", "aria-label": "Proposals" });
    this.has = h("section", { "aria-label": "Tagged" }, this.title = h("h3", {}));
    this.main = h("div", { class: "tag-main" }, this.head, this.perhaps, this.has);
    fill(root, h("div", { class: "tags-view" },
      h("aside", { class: "tag-side", "aria-label": "Tags" }, this.pick, this.hint, this.list), this.main));
    this.proposals = new Proposals(this.perhaps, context, (tag, by) => this.#counted(tag, by));
    this.grid = new Grid(this.has, { context, label: "Tagged pictures", caption: 44 });
    context.selection.addEventListener("change", () => this.#picked());
    context.events.addEventListener("changed", () => this.#again());
    context.events.addEventListener("removed", (event) => this.source.without(event.detail));
    this.#picked();
  }

  async show(now) {
    const wanted = now.tag?.[0] ?? null;
    const narrowed = JSON.stringify(filters(now));
    if (this.shown && wanted === this.tag && narrowed === this.narrowed) return;
    Object.assign(this, { tag: wanted, narrowed, shown: true });
    await this.#list();
    await this.#open();
  }

  rest() {
    this.proposals.stop();
    this.source.stop();
    this.shown = false;
  }

  /** The picture before or after one, among the proposals or among those that have the tag. */
  neighbour(id, step) {
    const { grid } = this.proposals;
    return (grid.source.indexOf(id) < 0 ? this.grid : grid).neighbour(id, step);
  }

  #picked() {
    const { size } = this.context.selection;
    this.pick.hidden = !size;
    this.pick.lastChild.textContent = `Name ${count(size, "selected picture")}…`;
  }

  async #name() {
    try {
      await tagging(this.context, { ids: this.context.selection.ids, anchor: this.pick });
    } catch (error) {
      this.context.fail(error);
    }
  }

  /** Somebody tagged, removed or indexed. */
  #again() {
    if (!this.shown) return;
    this.#list().catch(this.context.fail);
    if (this.tag) this.#having();
  }

  // ---- the list of tags

  async #list() {
    this.all = await tags(this.context.base);
    this.#draw();
  }

  #draw() {
    const { state } = this.context;
    fill(this.list, this.all.map(({ tag, count: size }) => h("li", {}, h("a", {
      href: state.link({ view: "tags", tag: [tag] }, { fresh: true }), "aria-current": tag === this.tag ? "true" : null,
    }, h("bdi", {}, shown(tag)), h("small", {}, whole(size))))));
    this.hint.textContent = this.all.length ? "" : "No picture has a tag yet.";
    if (this.tag) this.#headed();
  }

  /** A tag has some more pictures, or fewer. */
  #counted(tag, by) {
    const known = this.all.find((each) => each.tag === tag);
    if (known) known.count += by;
    else this.all.push({ tag, count: by });
    this.all = this.all.filter((each) => each.count > 0);
    this.#draw();
    this.#having();
  }

  // ---- one of them

  async #open() {
    const { tag } = this;
    this.main.classList.toggle("none", tag === null);
    this.perhaps.hidden = this.has.hidden = tag === null;
    if (tag === null) {
      this.proposals.stop();
      fill(this.head, h("h2", {}, "Tags by example"), h("p", {},
        "Select a few pictures of one thing — in a search, while browsing, or with the lasso on the map — and give them a name. "
        + "Those that look alike are then proposed here, each with how sure it is; you accept them or refuse them."));
      return;
    }
    this.#headed();
    this.#having();
    await this.proposals.show(tag);
  }

  #headed() {
    const { tag, context } = this;
    const size = this.all.find((each) => each.tag === tag)?.count ?? 0;
    fill(this.head, h("h2", {}, h("bdi", {}, shown(tag))), h("span", { class: "soft" }, count(size, "picture")),
      button("Select them", { class: "quiet", sign: "check", onclick: () => this.#select().catch(context.fail) }),
      button("Rename…", { class: "quiet changes", onclick: () => this.#rename() }),
      button("Delete…", { class: "quiet changes", sign: "remove", onclick: () => this.#delete(size) }));
    this.title.textContent = size ? "Tagged" : "";
  }

  /** The pictures that have it, a page at a time. */
  #having() {
    const { context, tag } = this;
    let after = 0;
    this.source.stop();
    this.source = new Pages(async (_, signal) => {
      const { items, next } = await ask(address(`${context.base}/items`, { tag, after, limit: PAGE }), { signal });
      after = next;
      return { items, last: next === null };
    });
    this.source.addEventListener("fail", (event) => context.fail(event.detail));
    this.grid.show(this.source);
    this.source.more();
  }

  async #select() {
    const { ids } = await ask(address(`${this.context.base}/outline`, { tag: this.tag }));
    this.context.selection.add(ids);
  }

  #rename() {
    const name = h("input", { value: this.tag, maxlength: 100, required: true, id: "tag-to", autocomplete: "off" });
    const merge = h("input", { type: "checkbox" });
    const both = h("p", { hidden: true }, h("label", {}, merge, " Make the two one, for good"));
    name.addEventListener("input", () => { both.hidden = true; merge.checked = false; });
    this.#sure("Rename", [h("label", {}, "New name ", name), both], async () => {
      const to = name.value.trim().normalize();
      try {
        await ask(`${this.context.base}/tags/rename`, { json: { tag: this.tag, to, merge: merge.checked } });
      } catch (error) {
        both.hidden = !(await tags(this.context.base)).some(({ tag }) => tag === to);
        throw error;
      }
      this.context.changed();
      this.context.state.go({ tag: [to] }, { replace: true });
    });
    name.select();
  }

  #delete(size) {
    this.#sure("Delete", h("p", {}, `${count(size, "picture")} will have this tag no more. The pictures stay.`), async () => {
      await ask(address(`${this.context.base}/tags`, { tag: this.tag }), { method: "DELETE" });
      this.context.changed();
      this.context.state.go({ tag: null }, { replace: true });
    });
  }

  /** Ask before something is done, which *act* promises to do. */
  #sure(act, body, done) {
    const says = h("p", { class: "trouble", role: "alert", hidden: true });
    const dialog = h("dialog", { class: "sure", "aria-label": act },
      h("form", { onsubmit: async (event) => {
        event.preventDefault();
        try {
          await done();
          dialog.close();
        } catch (error) {
          Object.assign(says, { textContent: error.message, hidden: false });
        }
      } }, h("h2", {}, `${act} the tag `, h("bdi", {}, shown(this.tag))), body, says,
      h("footer", {}, button("Cancel", { onclick: () => dialog.close() }), h("button", { class: "main", type: "submit" }, act))));
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }
}
