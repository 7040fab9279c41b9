// What is to be done with duplicates, with which groups, and with which kinds of them.
import { ask } from "../api.js";
import { button, fill, h } from "../dom.js";
import { count } from "../text.js";
import { ACTS, shownPlan } from "./acting.js";
import { KINDS, kindsOf } from "./group.js";

const EVERY = Object.keys(KINDS).filter((kind) => kind !== "keeper");

export class Bar {
  /** `choices` holds `keepers` by number and the `ticked` numbers; `begin(job)` takes up the job of an act. */
  constructor(context, choices, begin) {
    Object.assign(this, { context, choices, begin });
    const choose = (label, options) => h("select", { "aria-label": label, onchange: () => this.tell() },
      options.map(([value, told]) => h("option", { value }, told)));
    this.act = choose("What to do", Object.entries(ACTS)
      .filter(([value]) => value !== "move" || context.collection.set_aside)
      .map(([value, [told]]) => [value, told]));
    this.which = choose("Which groups", [["all", "in every group"], ["ticked", ""]]);
    this.kind = choose("Which kinds", [["exact", ""], ["", ""]]);
    this.says = h("p", { class: "soft" });
    this.go = button("See what would happen…", { class: "main", onclick: () => this.#plan() });
    this.element = h("div", { class: "act-bar", role: "group", "aria-label": "What to do with duplicates", hidden: true },
      h("div", { class: "act-line" }, this.act, this.which, this.kind, this.go), this.says);
  }

  /** Offer acts for what was found. */
  show(found) {
    this.found = found;
    this.element.hidden = !found.total || Boolean(this.context.collection.read_only);
    this.which.value = "all";
    const { exact = 0, ...others } = found.counts ?? {};
    const all = Object.values(others).reduce((sum, each) => sum + each, exact);
    [kindsOf("exact", exact), `every kind: ${count(all, "picture")}`].forEach((told, at) => { this.kind.options[at].textContent = told; });
    this.kind.value = "exact";
    this.tell();
  }

  /** A group was ticked, or no longer. */
  ticked() {
    const { size } = this.choices.ticked;
    if (size === 1 && this.which.value === "all") this.kind.value = "";
    this.which.value = size ? "ticked" : "all";
    if (!size) this.kind.value = "exact";
    this.tell();
  }

  tell() {
    const { act, which, kind, choices } = this;
    const [, ticked] = which.options;
    ticked.textContent = `in the ${count(choices.ticked.size, "ticked group")}`;
    ticked.disabled = !choices.ticked.size;
    if (act.value === "hardlink") kind.value = "exact";
    kind.disabled = act.value === "hardlink";
    const own = choices.keepers.size ? ` ${count(choices.keepers.size, "picture")} to keep chosen by you.` : "";
    const none = kind.value === "exact" && !this.found?.counts?.exact;
    const hint = none ? " There are no exact copies: tick groups that you have looked at, or choose every kind." : "";
    fill(this.says, ACTS[act.value][1], own, hint);
  }

  async #plan() {
    const { context, choices, found, act, which, kind } = this;
    this.go.disabled = true;
    try {
      const plan = await ask(`${context.base}/duplicates/plan`, { json: {
        act: act.value, made: found.made, kinds: kind.value ? [kind.value] : EVERY,
        groups: which.value === "ticked" ? [...choices.ticked] : null, keepers: Object.fromEntries(choices.keepers),
      } });
      if (await shownPlan(act.value, plan)) this.begin(await ask(`${context.base}/duplicates/act`, { json: { plan: plan.plan } }));
    } catch (error) {
      context.fail(error);
    } finally {
      this.go.disabled = false;
    }
  }
}
