// One picture, large, with all that is known of it; beside the query where one searches by a picture.
import { ask, thumbnail } from "./api.js";
import { Comparison } from "./compare.js";
import { button, fill, h, icon } from "./dom.js";
import { fitted } from "./heat.js";
import { bytes, day, percent, shown, sure, whole } from "./text.js";

export class Viewer {
  #id = null;
  #item = null;
  #opener = null;
  #stepped = false;

  constructor(context) {
    this.context = context;
    const { state } = context;
    this.image = h("img", { alt: "" });
    const fit = fitted(this.image);
    this.hit = h("div", { class: "pane" }, h("div", { class: "frame" }, fit), h("p", { class: "soft beside" }, "What was found"));
    this.comparison = new Comparison(context, fit);
    this.name = h("h2", { tabindex: -1 });
    this.facts = h("dl", {});
    this.tags = h("div", { class: "chips tagged" });
    this.step = [["left", "The picture before", -1], ["right", "The next picture", 1]].map(([sign, words, by]) =>
      button(words, { sign, shown: false, class: `step ${sign}`, onclick: () => this.#step(by) }));
    this.download = h("a", { class: "button", download: "" }, icon("save"), h("span", {}, "The file"));
    this.pick = button("Select", { sign: "check", onclick: () => this.#toggle() });
    this.acts = h("div", { class: "chips acts" }, this.#acts(), this.download);
    const close = button("Close", { sign: "close", shown: false, class: "quiet", onclick: () => this.close() });
    this.side = h("div", { class: "about" }, h("header", {}, this.name, close), this.comparison.words, this.facts, this.tags, this.acts);
    this.panes = h("div", { class: "panes" }, this.comparison.pane, this.hit, this.step);
    this.dialog = h("dialog", { class: "viewer", "aria-label": "Picture" }, this.panes, this.side);
    this.dialog.addEventListener("close", () => this.#closed());
    this.dialog.addEventListener("keydown", (event) => this.#key(event));
    this.#swipes();
    document.body.append(this.dialog);
    state.on((now) => this.show(now).catch(context.fail));
    this.show(state.now).catch(context.fail);
  }

  #acts() {
    const { context } = this;
    const tag = async () => {
      const { tagging } = await import("./tagging.js");
      await tagging(context, { ids: [this.#id], anchor: this.acts });
    };
    const act = (words, sign, run) => button(words, { sign, onclick: () => run(this.#id) });
    return [
      act("Search by this", "search", (id) => context.state.go({ view: "search", id: String(id) }, { fresh: true })),
      act("More like", "plus", (id) => context.like(id)), act("Less like", "minus", (id) => context.unlike(id)),
      !context.collection.read_only && act("Tag…", "tags", tag),
      this.pick,
    ];
  }

  /** Show what the state says, or nothing. */
  async show(now) {
    const id = Number(now.open) || null;
    if (id === this.#id) return;
    this.#id = id;
    if (id === null) {
      if (this.dialog.open) this.dialog.close();
      return;
    }
    if (!this.dialog.open) {
      this.#stepped = this.context.state.stepped;
      this.#opener = document.activeElement;
      this.dialog.showModal();
      this.name.focus();
    }
    try {
      await this.#open(id, now);
    } catch (error) {
      if (this.#id === id) this.close();
      throw error;
    }
  }

  async #open(id, now) {
    const item = await ask(`${this.context.base}/items/${id}`);
    if (this.#id !== id) return;
    this.#item = item;
    this.image.src = thumbnail(item, 1600);
    this.image.alt = shown(item.name);
    this.name.textContent = shown(item.name);
    this.download.href = item.original;
    this.#about(item);
    this.#mark();
    this.context.say(`${shown(item.name)}${item.label ? `, ${shown(item.label)}` : ""}`);
    const compared = now.view === "search" && await this.comparison.show(now, item);
    if (this.#id === id) this.panes.classList.toggle("compared", Boolean(compared));
  }

  #about(item) {
    const { similarity: near, match } = this.context.shell.view?.found?.(item.id) ?? {};
    const rows = [
      ["Match", match === undefined ? "" : `${sure(match)} sure to show the same, as calibrated`], ["Similarity", near === undefined ? "" : percent(near)], ["Label", item.label], ["Path", item.path],
      ["Size", `${whole(item.width)} × ${whole(item.height)}, ${bytes(item.size)}`], ["Changed", day(item.mtime)],
      ...Object.entries(item.metadata ?? {}), ["State", item.missing ? "missing: its drive or folder is absent" : ""],
    ].filter(([, value]) => value !== "" && value !== null && value !== undefined);
    fill(this.facts, rows.map(([what, value]) => [h("dt", {}, shown(what)), h("dd", {}, h("bdi", {}, shown(value)))]));
    fill(this.tags, (item.tags ?? []).map((tag) => h("a", { class: "chip", href: this.context.state.link({ view: "browse", tag: [tag] }, { fresh: true }) }, icon("tags"), h("bdi", {}, shown(tag)))));
  }

  #mark() {
    this.pick.setAttribute("aria-pressed", String(this.context.selection.has(this.#id)));
    for (const each of this.step) each.hidden = !this.context.shell.view?.neighbour;
  }

  #toggle() {
    this.context.selection.toggle(this.#id);
    this.#mark();
  }

  async #step(by) {
    const id = await this.context.shell.view?.neighbour?.(this.#id, by);
    if (id) this.context.state.go({ open: String(id) }, { replace: true });
    else this.context.say(by > 0 ? "This is the last picture." : "This is the first picture.");
  }

  /** Go back to what was shown before, so that closing leaves no step behind. */
  close() {
    if (!this.context.state.now.open) return;
    if (this.#stepped) history.back();
    else this.context.state.go({ open: null }, { replace: true });
  }

  #closed() {
    this.comparison.leave();
    this.image.removeAttribute("src");
    if (this.context.state.now.open && this.#id !== null) {
      this.#id = null;
      this.close();
    }
    if (this.#opener?.isConnected) this.#opener.focus({ preventScroll: true });
    else document.getElementById("main").focus({ preventScroll: true });
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT)$/.test(event.target.tagName)) return;
    const keys = {
      ArrowLeft: () => this.#step(-1), ArrowRight: () => this.#step(1), h: () => this.comparison.toggle(),
      "+": () => this.context.like(this.#id), "-": () => this.context.unlike(this.#id), x: () => this.#toggle(),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  }

  #swipes() {
    let from = null;
    this.panes.addEventListener("touchstart", (event) => { from = event.touches.length === 1 ? event.touches[0] : null; }, { passive: true });
    this.panes.addEventListener("touchend", (event) => {
      const to = event.changedTouches[0];
      const across = from ? to.clientX - from.clientX : 0;
      if (Math.abs(across) > 60 && Math.abs(across) > 2 * Math.abs(to.clientY - from.clientY)) this.#step(across < 0 ? 1 : -1);
      from = null;
    }, { passive: true });
  }
}
