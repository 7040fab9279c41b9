// A job of one kind where it was begun: how far it is, and a way to stop it.
import { button, fill, h } from "./dom.js";
import { shown, whole } from "./text.js";

/** What a job does now, in words. */
function step({ progress: now }) {
  const far = now?.total > 1 ? `${whole(now.done)} of ${whole(now.total)}` : "";
  return [shown(now?.what ?? ""), far].filter(Boolean).join(": ") || "Starting";
}

/**
 * Show jobs of a *kind* in *box* while they run, and tell `ended(job)`; `running(is)` when one begins or ends.
 *
 * Returns `begin(job)`, which takes up the job of an answer.
 */
export function progress(box, { jobs, fail }, kind, { title, ended, running = () => {} }) {
  const bar = h("progress", { "aria-label": title });
  const words = h("span", { class: "step" });
  const stop = button("Stop", { class: "quiet", onclick: () => { stop.disabled = true; jobs.cancel()?.catch(fail); } });
  const line = h("div", { class: "running", role: "group", "aria-label": title }, h("strong", {}, title), bar, words, stop);
  const tell = (job) => {
    if (job?.kind !== kind || job.state !== "running") return;
    if (!line.isConnected) {
      stop.disabled = false;
      fill(box, line);
      running(true);
    }
    const { done, total } = job.progress ?? {};
    if (total > 1) Object.assign(bar, { max: total, value: Math.min(done, total) });
    else bar.removeAttribute("value");
    words.textContent = step(job);
  };
  jobs.addEventListener("change", (event) => tell(event.detail));
  jobs.addEventListener("end", ({ detail: job }) => {
    if (job.kind !== kind) return;
    line.remove();
    running(false);
    if (job.state === "failed") fail(new Error(job.error || "It failed."));
    ended(job);
  });
  tell(jobs.running);
  return (job) => {
    jobs.follow(job.id);
    tell(job);
  };
}
