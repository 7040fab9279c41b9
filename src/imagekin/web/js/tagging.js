// Tags of pictures that are selected: the dialog in which they are given and taken, and the requests behind it.
import { ask } from "./api.js";
import { button, fill, h } from "./dom.js";
import { count, shown, whole } from "./text.js";

const AT_ONCE = 10_000;  // ids of one request
const LOOKED_AT = 100;   // pictures of which the present tags are told

/** Every tag with its number of pictures, the most frequent first. */
export async function tags(base) {
  return (await ask(`${base}/tags`)).tags;
}

/** Give tags to pictures and take others; returns how many pictures are changed by it. */
export async function retag(base, ids, { add = [], remove = [] }) {
  let changed = 0;
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    changed += (await ask(`${base}/tags`, { json: { ids: ids.slice(at, at + AT_ONCE), add, remove } })).changed;
  }
  return changed;
}

/** The dialog; resolves when it is closed. */
export async function tagging(context, { ids, anchor = null }) {
  const all = await tags(context.base);
  return new Promise((done) => {
    const dialog = new Tagging(context, ids, all).element;
    dialog.addEventListener("close", () => {
      dialog.remove();
      anchor?.focus();
      done();
    });
    document.body.append(dialog);
    dialog.showModal();
    dialog.querySelector("input").focus();
  });
}

class Tagging {
  constructor(context, ids, all) {
    Object.assign(this, { context, ids, all });
    this.name = h("input", {
      id: "tag-name", list: "tag-names", autocomplete: "off", spellcheck: "false", maxlength: 100, required: true,
      placeholder: "holiday", "aria-describedby": "tag-says",
    });
    this.says = h("p", { class: "soft", id: "tag-says", role: "status" });
    this.now = h("ul", { class: "chips", "aria-label": "Tags that they have" });
    this.element = h("dialog", { class: "tagging", "aria-label": "Tag" },
      h("h2", {}, `Tag ${count(ids.length, "picture")}`),
      h("form", { onsubmit: (event) => this.#add(event) },
        h("label", { for: "tag-name" }, "Name"), this.name,
        h("datalist", { id: "tag-names" }, all.map(({ tag }) => h("option", { value: tag }))),
        h("button", { class: "main", type: "submit" }, "Tag")),
      this.says, this.now,
      h("footer", {}, this.more = button("Look for more like these", { hidden: true, onclick: () => this.#look() }),
        button("Close", { onclick: () => this.element.close() })));
    this.#has().catch(context.fail);
  }

  async #add(event) {
    event.preventDefault();
    const name = this.name.value.trim();
    if (!name || !await this.#change({ add: [name] }, (changed) => `${count(changed, "picture")} newly tagged ${shown(name)}.`)) return;
    this.last = name;
    this.more.hidden = false;
    this.name.value = "";
    this.name.focus();
  }

  /** Ask for a change; says what came of it, and whether it did. */
  async #change(wanted, told) {
    const { context } = this;
    try {
      this.says.textContent = told(await retag(context.base, this.ids, wanted));
    } catch (error) {
      this.says.textContent = error.message;
      return false;
    }
    context.changed();
    await this.#has();
    return true;
  }

  /** The tags of the pictures, those that most of them have first. */
  async #has() {
    const some = this.ids.slice(0, LOOKED_AT);
    const query = new URLSearchParams(some.map((id) => ["id", id]));
    const { items } = await ask(`${this.context.base}/items?${query}`);
    const found = new Map();
    for (const tag of items.flatMap((item) => item.tags)) found.set(tag, (found.get(tag) ?? 0) + 1);
    const sorted = [...found].sort((one, other) => other[1] - one[1]);
    const of = this.ids.length > LOOKED_AT ? ` of the first ${LOOKED_AT}` : "";
    fill(this.now, sorted.map(([tag, number]) => h("li", { class: "chip" }, h("bdi", {}, shown(tag)),
      some.length > 1 && h("small", {}, `${whole(number)}${of}`),
      button(`Take the tag ${shown(tag)} from them`, {
        sign: "close", shown: false, class: "quiet",
        onclick: () => this.#change({ remove: [tag] }, (changed) => `${shown(tag)} taken from ${count(changed, "picture")}.`),
      }))));
  }

  #look() {
    this.element.close();
    this.context.selection.clear();
    this.context.state.go({ view: "tags", tag: [this.last] }, { fresh: true });
  }
}
