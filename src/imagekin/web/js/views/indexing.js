// Indexing: what the server works at now, what it did, the folders, and every file that it could not take.
import { address, ask } from "../api.js";
import { button, fill, h } from "../dom.js";
import { summary } from "../jobs.js";
import { brief, bytes, count, lasting, shown, whole } from "../text.js";

export const name = "indexing";
export const title = "Indexing";
export const styles = ["indexing.css"];
const PAGE = 100;
const DID = [["added", "added"], ["updated", "updated"], ["reused", "known by content"], ["unchanged", "unchanged"], ["relabelled", "relabelled"],
  ["completed", "by further models"],
  ["removed", "removed"], ["missing", "missing"], ["returned", "back"], ["skipped_count", "skipped"]];
let view = null;

export function show(root, now, context) {
  view ??= new Indexing(root, context);
  return view.show();
}

export function hide() {}

class Indexing {
  constructor(root, context) {
    this.context = context;
    const { jobs } = context;
    this.bar = h("progress", { "aria-label": "Progress" });
    this.step = h("p", { role: "status" });
    this.path = h("bdi", { class: "soft path" });
    this.stop = button("Stop", { onclick: () => jobs.cancel()?.catch(context.fail) });
    this.now = h("div", { class: "now", hidden: true }, h("div", { class: "chips" }, this.step, this.stop), this.bar, this.path);
    this.again = button("Index again", { sign: "indexing", class: "main", onclick: () => this.#index(false) });
    this.force = button("Embed everything again", { onclick: () => this.#index(true), title: "Every picture goes through the model again, also what is unchanged" });
    this.folders = h("ul", { class: "roots" });
    this.skips = h("div", { class: "skips" });
    this.past = h("ul", { class: "past" });
    this.facts = h("dl", { class: "about" });
    root.append(h("div", { class: "two" },
      h("div", {}, h("h2", {}, "Now"), this.now, h("div", { class: "chips" }, this.again, this.force), h("h2", {}, "Folders"), this.folders,
        h("h2", {}, "Before"), this.past, h("h2", {}, "The collection"), this.facts),
      h("div", {}, h("h2", { id: "skips" }, "Skipped files"), this.skips)));
    jobs.addEventListener("change", ({ detail }) => this.#running(detail));
    jobs.addEventListener("end", ({ detail }) => this.#ended(detail));
  }

  async show() {
    this.#running(this.context.jobs.running);
    await this.#learn();
  }

  async #learn() {
    const { base } = this.context;
    const [facts, { jobs }, { folders }] = await Promise.all([ask(base), ask(`${base}/jobs`), ask(`${base}/folders`)]);
    this.context.collection = facts;
    this.#about(facts, new Map(folders.map(({ path, count: held }) => [path, held])));
    const over = jobs.filter(({ state }) => state !== "running");
    fill(this.past, over.length ? over.slice(0, 8).map(told) : h("li", { class: "soft" }, "Nothing since the server was started."));
    this.skipped = [];
    await this.#skips();
  }

  #about(facts, held) {
    const roots = Object.entries(facts.roots);
    fill(this.folders, roots.map(([path, rule]) => h("li", {}, h("bdi", {}, shown(path)), h("small", {}, `${count(held.get(path) ?? 0, "picture")}, labels: ${shown(rule)}`))),
      !roots.length && h("li", { class: "soft" }, "None yet. Folders are named where the server is started: ", h("code", {}, "imagekin serve FOLDER")));
    const model = facts.embedder ? `${shown(facts.embedder.name ?? "")}, ${whole(facts.embedder.dim ?? facts.dim ?? 0)} numbers a picture` : "chosen at the first picture";
    const rows = [["Pictures", whole(facts.images)], ["Missing", facts.missing ? `${whole(facts.missing)}, whose drive or folder is absent` : ""], ["Model", model],
      ["Engine", facts.engine ? shown(typeof facts.engine === "string" ? facts.engine : facts.engine.name ?? "") : ""], ["On disk", facts.bytes ? bytes(facts.bytes) : ""]];
    fill(this.facts, rows.filter(([, value]) => value).map(([what, value]) => [h("dt", {}, what), h("dd", {}, value)]));
    this.again.hidden = this.force.hidden = !roots.length || Boolean(facts.read_only);
  }

  #running(job) {
    this.now.hidden = !job;
    this.again.disabled = this.force.disabled = Boolean(job);
    if (!job) return;
    const progress = job.progress ?? {};
    if (progress.total) Object.assign(this.bar, { max: progress.total, value: Math.min(progress.done, progress.total) });
    else this.bar.removeAttribute("value");
    const took = job.begun ? Date.now() / 1000 - job.begun : 0;
    const rate = took > 1 && progress.done ? progress.done / took : 0;
    const left = rate && progress.total > progress.done ? `, ${lasting((progress.total - progress.done) / rate)} left` : "";
    const skips = progress.skipped ? `, ${whole(progress.skipped)} skipped` : "";
    this.step.textContent = progress.phase === "build" ? "Building the search structure…" : `${summary(job)}${rate ? ` ${whole(Math.round(rate))} a second` : ""}${left}${skips}`;
    this.path.textContent = progress.path ? brief(progress.path) : "";
  }

  #ended(job) {
    this.#running(null);
    if (job.error) this.context.fail(new Error(job.error));
    if (this.now.isConnected && this.now.closest("section")?.hidden === false) this.#learn().catch(this.context.fail);
  }

  async #index(force) {
    try {
      await this.context.jobs.index(force);
    } catch (error) {
      this.context.fail(error);
    }
  }

  /** The files that could not be indexed, gathered by reason. */
  async #skips() {
    const known = this.skipped;
    const { skipped, total } = await ask(address(`${this.context.base}/skipped`, { offset: known.length, limit: PAGE }));
    if (known !== this.skipped) return;  // asked for anew meanwhile
    this.skipped = [...known, ...skipped];
    if (!total) {
      fill(this.skips, h("p", { class: "soft" }, "None: every picture of the folders could be read."));
      return;
    }
    const reasons = Map.groupBy ? Map.groupBy(this.skipped, ({ reason }) => reason) : grouped(this.skipped);
    const parts = [...reasons].sort(([, one], [, other]) => other.length - one.length).map(([reason, files]) =>
      h("details", { open: true }, h("summary", {}, shown(reason), " ", h("small", {}, whole(files.length))),
        h("ul", {}, files.map(({ path }) => h("li", { title: shown(path) }, h("bdi", {}, shown(path)))))));
    const more = this.skipped.length < total && button(`Show more of ${whole(total)}`, { onclick: () => this.#skips().catch(this.context.fail) });
    fill(this.skips, h("p", { class: "soft" }, `${count(total, "file")} could not be indexed; they are tried again when they change.`), parts, more);
  }
}

function grouped(skipped) {
  const found = new Map();
  for (const each of skipped) found.set(each.reason, [...(found.get(each.reason) ?? []), each]);
  return found;
}

/** What a job did. */
function told({ kind = "index", state, report, error, begun, ended }) {
  const did = DID.filter(([key]) => report?.[key]).map(([key, words]) => `${whole(report[key])} ${words}`).join(", ");
  const names = { index: "Indexed", map: "Made the map", duplicates: "Looked for duplicates", act: "Worked on files" };
  const how = { cancelled: "stopped", failed: `failed: ${shown(error ?? "")}` }[state] ?? "";
  const words = [names[kind] ?? "Worked", did && `: ${did}`, how && ` (${how})`].filter(Boolean).join("");
  const when = new Date(1000 * begun).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  return h("li", {}, h("span", {}, words), h("small", {}, ` ${when}, took ${lasting(ended - begun)}`));
}
