// What is done with duplicates: shown as a plan first, done when a person says so, and taken back when they say so.
import { ask } from "../api.js";
import { button, fill, h } from "../dom.js";
import { bytes, count, shown, whole } from "../text.js";

export const ACTS = {
  move: ["Set them aside", "Duplicates go to the folder that this server was given for them."],
  delete: ["Delete them", "Duplicates go to a hidden folder in the indexed one, from which they can be brought back until that folder is emptied."],
  hardlink: ["Make them one file", "Exact copies become one file under all of their names. Nothing disappears from any folder."],
};
const LISTED = 200;

/** Show what an act would do; resolves with whether the person wants it, after which the plan may be carried out. */
export function shownPlan(act, plan) {
  const dialog = h("dialog", { class: "plan", "aria-label": "What would happen" },
    h("h2", {}, "What would happen"), h("p", {}, summary(act, plan)),
    h("p", { class: "soft" }, "Nothing has been touched yet. Each file is read again before anything is done with it, and it can be undone."),
    plan.total > 0 && steps(act, plan), plan.refused_count > 0 && refusals(plan));
  return new Promise((decided) => {
    const go = plan.total > 0 && button(`${ACTS[act][0]}: ${count(plan.total, "file")}`, { class: act === "delete" ? "danger" : "main" });
    const cancel = button(plan.total > 0 ? "Do nothing" : "Close", { onclick: () => dialog.close() });
    dialog.append(h("footer", {}, cancel, go));
    if (go) go.addEventListener("click", () => dialog.close("yes"));
    dialog.addEventListener("close", () => {
      dialog.remove();
      decided(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
    cancel.focus();
  });
}

function summary(act, plan) {
  if (!plan.total) return "There is nothing to be done.";
  const where = plan.places.length ? ` to ${plan.places.map(shown).join(", ")}` : "";
  const files = `${count(plan.total, "file")} (${bytes(plan.bytes)})`;
  return act === "hardlink" ? `${files} would become one with the pictures that are kept.` : `${files} would go${where}.`;
}

function steps(act, plan) {
  const line = (step) => h("tr", {}, h("td", {}, h("bdi", {}, shown(step.path))),
    h("td", {}, h("bdi", {}, shown(act === "hardlink" ? step.keeper_path : step.to))));
  const more = plan.total > LISTED ? h("p", { class: "soft" }, `The first ${LISTED} of ${whole(plan.total)}.`) : null;
  return h("div", { class: "steps", tabindex: 0, role: "region", "aria-label": "Files" },
    h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, "File"), h("th", {}, act === "hardlink" ? "becomes one with" : "goes to"))),
      h("tbody", {}, plan.steps.slice(0, LISTED).map(line))), more);
}

function refusals({ refused, refused_count: all }) {
  return h("details", {}, h("summary", {}, `${count(all, "file")} would be left alone`),
    h("ul", { class: "refused" }, refused.slice(0, LISTED).map(({ path, reason }) => h("li", {}, h("bdi", {}, shown(path)), `: ${shown(reason)}`))));
}

/** What an act or its undoing did, in words. */
export function outcome({ kind, state, report, error }) {
  if (!report) return error || "It was stopped before anything was done.";
  const done = kind === "undo" ? `${count(report.restored, "file")} brought back` : `${count(report.acted, "file")} done, ${bytes(report.bytes)}`;
  const refused = report.refused_count ?? report.refused?.length ?? 0;
  const left = refused ? `; ${count(refused, "file")} left alone` : "";
  return `${done}${left}${state === "cancelled" ? "; stopped there" : ""}.`;
}

/** What was done before, each with a way back. */
export class Logs {
  constructor(context, undo) {
    Object.assign(this, { context, undo });
    this.element = h("details", { class: "logs", hidden: true });
  }

  async load() {
    const { logs } = await ask(`${this.context.base}/duplicates/logs`);
    this.element.hidden = !logs.length;
    fill(this.element, h("summary", {}, `Done before: ${count(logs.length, "time")}`), h("ul", {}, logs.map((log) => h("li", {},
      h("span", {}, `${when(log.made)}: ${log.acts.map((act) => ACTS[act]?.[0] ?? shown(act)).join(", ").toLowerCase()}, `
        + `${count(log.files, "file")}, ${bytes(log.bytes)}`),
      log.left && !this.context.collection.read_only ? button("Undo", { "aria-label": `Undo what was done ${when(log.made)}`, onclick: () => this.undo(log.log) })
        : log.left ? null : h("span", { class: "soft" }, "nothing left to undo")))));
    return logs;
  }
}

function when(made) {
  return new Date(typeof made === "number" ? 1000 * made : made).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}
