// One group of duplicates: the picture that is kept, by which rule, and the others with what they are of it.
import { thumbnail } from "../api.js";
import { fill, h } from "../dom.js";
import { brief, bytes, count, day, percent, shown, whole } from "../text.js";

export const KINDS = {
  keeper: "kept", exact: "the same bytes", near: "saved anew or edited", crop: "a part", mirror: "mirrored", rotated: "turned",
};
const SIDE = 180;
const COUNTED = { exact: "exact copies", near: "saved anew or edited", crop: "parts of others", mirror: "mirrored", rotated: "turned" };

/** What a kind of duplicate is called. */
export function kindOf(kind) {
  return KINDS[kind] ?? shown(kind);
}

/** How many duplicates of a kind there are, in words. */
export function kindsOf(kind, number) {
  return `${whole(number)} ${COUNTED[kind] ?? shown(kind)}`;
}

export class Group {
  /** `choices` holds what a person decided: `keepers` by number, and the `ticked` numbers; `changed()` after each. */
  constructor(group, context, choices, changed) {
    Object.assign(this, { group, context, choices, changed });
    const { number } = group;
    this.tick = h("input", { type: "checkbox", checked: choices.ticked.has(number), onchange: () => this.#ticked() });
    this.rule = h("span", { class: "soft" });
    this.list = h("ul", { class: "members" });
    this.element = h("article", { class: "duplicate-group", "aria-label": `Group ${number}`, data: { number } },
      h("header", {}, h("label", {}, this.tick, h("strong", {}, `Group ${whole(number)}`)),
        h("span", {}, `${count(group.count, "picture")} · ${bytes(group.bytes)} could go`), this.rule),
      this.list,
      group.count > group.members.length && h("p", { class: "soft" }, `The first ${whole(group.members.length)} are shown.`));
    this.#draw();
  }

  get keeper() {
    return this.choices.keepers.get(this.group.number) ?? this.group.keeper;
  }

  #draw() {
    const { group } = this;
    const own = this.keeper !== group.keeper;
    this.rule.textContent = own ? "You chose which one is kept." : `Kept: ${shown(group.rule)}.`;
    this.element.classList.toggle("ticked", this.choices.ticked.has(group.number));
    fill(this.list, group.members.map((item) => this.#member(item)));
  }

  #member(item) {
    const { group, context } = this;
    const kept = item.id === this.keeper;
    const picture = h("img", { src: thumbnail(item, SIDE * Math.min(devicePixelRatio, 2)), alt: "", loading: "lazy", draggable: "false" });
    const keep = h("input", {
      type: "radio", name: `keep-${group.number}`, checked: kept, "aria-label": `Keep ${shown(item.name)}`,
      onchange: () => this.#keep(item.id),
    });
    const what = item.id === group.keeper ? (kept ? "" : "proposed to be kept") : kindOf(item.kind);
    const open = () => context.open(item.id);
    return h("li", { class: kept ? "member kept" : "member" },
      h("button", { type: "button", class: "look", "aria-label": `Look at ${shown(item.name)}`, onclick: open }, picture),
      h("label", { class: "keep" }, keep, h("span", {}, kept ? "Kept" : "Keep this one")),
      h("p", { class: "kind" }, what, item.linked && " (already one file)", this.#near(item)),
      h("p", { class: "soft", title: shown(item.path) }, h("bdi", {}, brief(item.path))),
      h("p", { class: "soft" }, `${item.width} × ${item.height} · ${bytes(item.size)} · `, h("span", { class: "date" }, day(item.mtime))),
      item.id !== group.keeper && item.evidence && h("p", { class: "soft evidence" }, shown(item.evidence)));
  }

  #near(item) {
    return item.id === this.group.keeper || item.kind === "exact" ? null : ` · ${percent(item.similarity)}`;
  }

  #keep(id) {
    const { keepers } = this.choices;
    if (id === this.group.keeper) keepers.delete(this.group.number);
    else keepers.set(this.group.number, id);
    this.#draw();
    this.list.querySelector("input:checked")?.focus();
    this.changed();
  }

  #ticked() {
    const { ticked } = this.choices;
    if (this.tick.checked) ticked.add(this.group.number);
    else ticked.delete(this.group.number);
    this.element.classList.toggle("ticked", this.tick.checked);
    this.changed();
  }
}
