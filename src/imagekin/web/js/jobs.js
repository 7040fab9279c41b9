// The job that the server works at now, whoever began it; told as `change`, and as `end` when it is over.
import { ask, follow } from "./api.js";
import { count, whole } from "./text.js";

export class Jobs extends EventTarget {
  #stop = null;
  running = null;

  constructor(context) {
    super();
    this.context = context;
    queueMicrotask(() => context.collection.job && this.follow(context.collection.job));
  }

  /** Begin to index the folders again; `force` embeds what is unchanged as well. */
  async index(force = false) {
    const job = await ask(`${this.context.base}/jobs`, { json: { folders: [], force } });
    this.follow(job.id);
  }

  /** Tell of a job from now on. */
  follow(id) {
    if (this.running?.id === id) return;
    this.#stop?.();
    this.running = { id, state: "running", progress: null };
    this.#tell(this.running);
    this.#stop = follow(this.context.base, id, (job) => this.#tell(job));
  }

  cancel() {
    return this.running && ask(`${this.context.base}/jobs/${this.running.id}/cancel`, { method: "POST" });
  }

  #tell(job) {
    const over = job.state !== "running";
    this.running = over ? null : job;
    const { chip } = this.context.shell;
    chip.hidden = over;
    chip.href = this.context.state.link({ view: "indexing" }, { fresh: true });
    chip.textContent = over ? "" : summary(job);
    this.dispatchEvent(new CustomEvent(over ? "end" : "change", { detail: job }));
    if (over) this.context.changed();
  }
}

/** A job in few words. */
export function summary({ kind = "index", progress }) {
  const names = { index: "Indexing", map: "Making the map", duplicates: "Looking for duplicates", act: "Working", learn: "Learning" };
  const done = progress?.total ? ` ${whole(progress.done)} of ${whole(progress.total)}` : progress?.done ? ` ${count(progress.done, "file")}` : "";
  return `${names[kind] ?? "Working"}${done}…`;
}
