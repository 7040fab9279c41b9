// Query and hit side by side, and where they agree: what each part of both adds to their similarity.
import { ask, thumbnail } from "./api.js";
import { packed, query, region } from "./asking.js";
import { button, h } from "./dom.js";
import { fitted, Heat, most, placed } from "./heat.js";
import { percent, shown } from "./text.js";

export class Comparison {
  #blob = "";
  #asked = null;
  #wanted = false;

  /** `fit` holds the picture that the query is compared with. */
  constructor(context, fit) {
    this.context = context;
    this.image = h("img", { alt: "" });
    this.box = h("div", { class: "region still", hidden: true });
    const own = fitted(this.image);
    own.append(this.box);
    this.pane = h("div", { class: "pane", hidden: true }, h("div", { class: "frame" }, own), h("p", { class: "soft" }, "What is searched by"));
    this.heats = { query: new Heat(own), hit: new Heat(fit) };
    this.key = button("Where they agree", { sign: "heat", "aria-pressed": "false", onclick: () => this.toggle() });
    this.said = h("p", { class: "soft", role: "status" });
    this.scale = h("div", { class: "scale", hidden: true }, h("span", {}, "less"), h("i", {}), h("span", {}, "more"));
    this.words = h("div", { class: "comparison", hidden: true }, this.key, this.scale, this.said);
  }

  /** Show the query beside an item; answers whether there is one that can be shown. */
  async show(now, item) {
    this.leave();
    const asked = { now, item };
    this.#asked = asked;
    const address = await this.#picture(now).catch(() => null);
    if (this.#asked !== asked) return false;
    const there = Boolean(address) && Number(now.id) !== item.id;
    this.pane.hidden = this.words.hidden = !there;
    if (!there) return false;
    this.image.src = address;
    this.image.alt = "What is searched by";
    this.#region(region(now));
    if (this.#wanted) await this.#agree(asked);
    return true;
  }

  leave() {
    this.#asked = null;
    this.#clear();
    this.pane.hidden = this.words.hidden = true;
    this.image.removeAttribute("src");
    if (this.#blob) URL.revokeObjectURL(this.#blob);
    this.#blob = "";
  }

  /** Show or hide where they agree; stays so from picture to picture. */
  toggle() {
    this.#wanted = !this.#wanted;
    this.key.setAttribute("aria-pressed", String(this.#wanted));
    if (!this.#wanted) this.#clear();
    else if (!this.words.hidden) this.#agree(this.#asked);
  }

  async #picture(now) {
    if (now.id) return thumbnail(await ask(`${this.context.base}/items/${Number(now.id)}`), 1600);
    const { blob } = await query(this.context, { image: now.image });
    if (!blob) return null;
    this.#blob = URL.createObjectURL(blob);
    return this.#blob;
  }

  #region(part) {
    this.box.hidden = !part;
    if (part) placed(this.box, part);
  }

  #clear() {
    for (const heat of Object.values(this.heats)) heat.hide();
    this.said.textContent = "";
    this.scale.hidden = true;
  }

  async #agree(asked) {
    const { now, item } = asked;
    this.said.textContent = "Looking where they agree…";
    try {
      const { base } = this.context;
      const found = await ask(`${base}/compare`, packed(await query(this.context, now), { with: item.id }));
      if (this.#asked !== asked || !this.#wanted) return;
      const highest = Math.max(...[found.query, found.hit].flatMap(({ values }) => values.flat()), 1e-9);
      this.heats.query.show(found.query, highest);
      this.heats.hit.show(found.hit, highest);
      this.scale.hidden = false;
      this.said.textContent = `${percent(found.similarity)} similar. They agree most ${most(found.query)} of the query and ${most(found.hit)} of ${shown(item.name)}.`;
    } catch (error) {
      if (error.name === "AbortError" || this.#asked !== asked) return;
      this.said.textContent = error.status === 404 && error.code === "NotFound" ? "This server cannot tell where pictures agree." : error.message;
    }
  }
}
