// Words to search by, where the model takes them: alone, or beside a picture, a region, more like and less like.
import { h, icon } from "./dom.js";

const SIGN = /\s+([+−-])\s+/;

/** The parts of what was written, as the API takes them: "2:beach + sea - people" is ["2:beach", "sea", "-people"]. */
export function parts({ text = "" }) {
  const [first, ...rest] = text.trim().split(SIGN);
  const found = [first];
  for (let at = 0; at < rest.length; at += 2) found.push(`${rest[at] === "+" ? "" : "-"}${rest[at + 1]}`);
  return found.filter((part) => part.trim());
}

export class Words {
  constructor(context) {
    this.context = context;
    this.field = h("input", {
      type: "search", autocomplete: "off", enterkeyhint: "search", maxlength: 2000,
      "aria-label": "Describe what to look for", placeholder: "Describe what to look for: a dog on a beach",
      oninput: () => !this.field.value && this.#go(),
    });
    this.hint = h("p", { class: "soft", id: "words-hint", hidden: true },
      "Parts go with + and −, also beside a picture: beach + sunset − people. Words and pictures are never very similar.");
    this.field.setAttribute("aria-describedby", this.hint.id);
    this.element = h("form", { class: "words", role: "search", onsubmit: (event) => this.#sent(event) },
      h("div", {}, this.field, h("button", { type: "submit", title: "Search by these words" }, icon("search"), h("span", {}, "Search"))), this.hint);
    context.describe = () => this.#here();
    context.events.addEventListener("facts", () => this.#offer());
    this.#offer();
  }

  /** Bring it up to date with the state. */
  show({ text = "" }) {
    this.hint.hidden = !text;
    if (document.activeElement !== this.field || !text) this.field.value = text;
  }

  #offer() {
    this.element.hidden = !this.context.collection.takes_text;
  }

  #sent(event) {
    event.preventDefault();
    this.#go();
  }

  #go() {
    this.context.state.go({ text: this.field.value.trim() || null, open: null });
  }

  /** Put the keys into the field; answers whether there is one. */
  #here() {
    if (this.element.hidden) return false;
    if (this.context.state.now.view !== "search") this.context.state.go({ view: "search" }, { fresh: true });
    this.field.focus();
    this.field.select();
    return true;
  }
}
