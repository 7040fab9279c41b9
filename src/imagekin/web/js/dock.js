// What can be done with the pictures that are selected, at the lower edge of the page.
import { ask, address } from "./api.js";
import { button, fill, h } from "./dom.js";
import { count } from "./text.js";

const MOST = 100;  // pictures that one search takes
const REMOVED = 500;  // ids of one request

export class Dock {
  constructor(context) {
    this.context = context;
    this.box = document.getElementById("dock");
    this.number = h("strong", {});
    this.bar = h("div", { class: "dock", role: "toolbar", "aria-label": "Selected pictures", hidden: true },
      this.number,
      button("Search by these", { sign: "search", onclick: () => this.#search() }),
      !context.collection.read_only && [
        button("Tag…", { sign: "tags", onclick: (event) => this.#tag(event.currentTarget) }),
        button("Remove…", { sign: "remove", onclick: () => this.#remove() }),
      ],
      button("Select none", { sign: "close", shown: false, class: "quiet", onclick: () => context.selection.clear() }));
    fill(this.box, this.bar);
    context.selection.addEventListener("change", () => this.#show());
    this.#show();
  }

  #show() {
    const { size } = this.context.selection;
    this.bar.hidden = size === 0;
    document.body.classList.toggle("selecting", size > 0);
    this.number.textContent = `${count(size, "picture")} selected`;
  }

  #search() {
    const { selection, state, notify } = this.context;
    const ids = selection.ids;
    if (ids.length > MOST) notify(`A search takes ${MOST} pictures at most; these are the first of ${ids.length}.`);
    selection.clear();
    if (ids.length === 1) state.go({ view: "search", id: String(ids[0]) }, { fresh: true });
    else state.go({ view: "search", plus: ids.slice(0, MOST).map(String) }, { fresh: true });
  }

  async #tag(anchor) {
    try {
      const { tagging } = await import("./tagging.js");
      await tagging(this.context, { ids: this.context.selection.ids, anchor });
    } catch (error) {
      this.context.fail(error);
    }
  }

  #remove() {
    const { size } = this.context.selection;
    const confirm = button("Remove", { class: "danger" });
    const cancel = button("Keep");
    const dialog = h("dialog", { class: "sure", "aria-label": "Remove" },
      h("h2", {}, `Take ${count(size, "picture")} out of the collection?`),
      h("p", {}, "The files stay where they are. Indexing their folders again brings them back."),
      h("footer", {}, cancel, confirm));
    cancel.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    confirm.addEventListener("click", async () => {
      confirm.disabled = true;
      await this.#removed(this.context.selection.ids).catch(this.context.fail);
      dialog.close();
    });
    document.body.append(dialog);
    dialog.showModal();
    cancel.focus();
  }

  async #removed(ids) {
    const { base, selection, notify, events, changed } = this.context;
    let removed = 0;
    for (let at = 0; at < ids.length; at += REMOVED) {
      const some = ids.slice(at, at + REMOVED);
      removed += (await ask(address(`${base}/items`, { id: some }), { method: "DELETE" })).removed;
      events.dispatchEvent(new CustomEvent("removed", { detail: some }));
      selection.remove(some);
    }
    notify(`${count(removed, "picture")} taken out of the collection; the files are where they were.`);
    changed();
  }
}
