// What is searched by: a picture or a region of it, more like these, less like those.
import { address, ask, thumbnail } from "./api.js";
import { region } from "./asking.js";
import { button, fill, h } from "./dom.js";
import { Region } from "./region.js";
import { shown } from "./text.js";
import { kept } from "./uploads.js";
import { Words } from "./words.js";

export class Query {
  #picture = null;
  #shown = "";
  #blob = "";

  constructor(root, context, intake) {
    Object.assign(this, { context, intake });
    const { state } = context;
    this.image = h("img", { alt: "", draggable: "false" });
    this.area = h("div", { class: "area" }, this.image);
    this.box = new Region(this.area, { told: (box) => state.go({ region: box?.join(",") ?? null }), say: context.say });
    this.name = h("bdi", { class: "name" });
    this.part = button("Region", { sign: "region", title: "Search by a region: draw a box on the picture", onclick: () => this.box.begin() });
    this.large = button("Larger", { sign: "look", "aria-pressed": "false", onclick: () => this.#enlarge() });
    this.away = button("Take the picture away", { sign: "close", shown: false, class: "quiet",
      onclick: () => state.go({ image: null, id: null, url: null, region: null }) });
    this.figure = h("figure", { class: "asked" }, this.area, h("figcaption", {}, this.name, h("div", { class: "chips" }, this.part, this.large, this.away)));
    this.others = h("div", { class: "others chips" });
    this.again = h("div", { class: "chips again" }, ...this.#ways("Another picture"));
    this.hero = this.#hero();
    this.words = new Words(context);
    this.element = h("div", { class: "query" }, this.words.element, this.hero, this.figure, h("div", { class: "beside" }, this.again, this.others));
    root.append(this.element);
  }

  #ways(choose, main = false) {
    const { intake } = this;
    return [button(choose, { sign: "picture", class: main ? "main" : "", onclick: () => intake.choose() }),
      button("Photograph", { sign: "camera", onclick: () => intake.shoot() })];
  }

  #hero() {
    return h("div", { class: "hero" }, h("h2", {}, "Which of your pictures look like this one?"),
      h("p", { class: "soft" }, "Drop a picture anywhere, paste one, or click one of those below."),
      h("div", { class: "chips" }, this.#ways("Choose a picture", true)));
  }

  /** Bring it up to date with the state. */
  async show(now, asked) {
    this.words.show(now);
    this.hero.hidden = asked;
    this.again.hidden = !asked;
    const one = now.image ? `image ${now.image}` : now.id ? `item ${now.id}` : now.url ? `url ${now.url}` : "";
    this.figure.hidden = !one;
    this.box.show(region(now));
    this.part.hidden = Boolean(now.url);
    this.#chips(now);
    if (one === this.#shown) return;
    this.#shown = one;
    this.#forget();
    this.name.textContent = "";
    if (now.image) await this.#given(now.image, one);
    else if (now.id) await this.#item(Number(now.id), one);
    else if (now.url) this.name.textContent = shown(now.url);
  }

  async #given(key, one) {
    const blob = await kept(key);
    if (one !== this.#shown) return;
    this.name.textContent = blob ? shown(blob.name ?? "Your picture") : "A picture that this browser does not have";
    if (!blob) return;
    this.#blob = URL.createObjectURL(blob);
    this.image.src = this.#blob;
    this.image.alt = "Your picture, which is searched by";
    this.image.decode().catch(() => {
      if (one === this.#shown) this.name.textContent = `${this.name.textContent} (this browser cannot show it)`;
    });
  }

  async #item(id, one) {
    const item = await ask(`${this.context.base}/items/${id}`);
    if (one !== this.#shown) return;
    this.#picture = item;
    this.image.src = thumbnail(item, this.#wide ? 1600 : 512);
    this.image.alt = `${shown(item.name)}, which is searched by`;
    this.name.textContent = shown(item.name);
    this.name.title = shown(item.path);
  }

  #forget() {
    if (this.#blob) URL.revokeObjectURL(this.#blob);
    this.#blob = "";
    this.#picture = null;
    this.image.removeAttribute("src");
    this.image.alt = "";
  }

  get #wide() {
    return this.large.getAttribute("aria-pressed") === "true";
  }

  #enlarge() {
    this.large.setAttribute("aria-pressed", String(!this.#wide));
    this.element.classList.toggle("wide", this.#wide);
    if (this.#picture && this.#wide) this.image.src = thumbnail(this.#picture, 1600);
  }

  async #chips({ plus = [], minus = [] }) {
    const { context, others } = this;
    others.hidden = !plus.length && !minus.length;
    const chips = [...plus.map((id) => ["plus", id]), ...minus.map((id) => ["minus", id])].map(([way, id]) => this.#chip(way, id));
    fill(others, chips);
    if (!chips.length) return;
    const found = await ask(address(`${context.base}/items`, { id: [...plus, ...minus] })).catch(() => ({ items: [] }));
    for (const item of found.items) {
      for (const chip of others.querySelectorAll(`[data-id="${item.id}"] img`)) chip.alt = shown(item.name);
    }
  }

  #chip(way, id) {
    const { state, base } = this.context;
    const number = Number(id);
    const words = way === "plus" ? "More like" : "Less like";
    const away = button(`${words} this: take away`, { sign: "close", shown: false,
      onclick: () => state.go({ [way]: (state.now[way] ?? []).filter((each) => each !== id) }) });
    const image = h("img", { src: `${base}/items/${number}/thumbnail?size=128`, alt: `picture ${number}`, width: 34, height: 34 });
    return h("span", { class: `chip with ${way}`, data: { id: String(number) } }, h("b", {}, words), image, away);
  }
}
