// The page's start: which collection is served, and everything that the views share.
import * as api from "./api.js";
import { asks } from "./asking.js";
import { Dock } from "./dock.js";
import { fill, h } from "./dom.js";
import { Intake } from "./intake.js";
import { Jobs } from "./jobs.js";
import { listen } from "./keys.js";
import { locked } from "./lock.js";
import { fail, notify, say } from "./notices.js";
import { selection } from "./selection.js";
import { Shell } from "./shell.js";
import { state } from "./state.js";
import { Viewer } from "./viewer.js";

const PREFIX = "/api/v1/collections";
const SELDOM = 3000;

async function start() {
  api.door.addEventListener("locked", locked);
  const { collections } = await api.ask(PREFIX);
  const chosen = collections.find((each) => each.name === state.now.collection) ?? collections[0];
  if (!chosen) throw new Error("No collection is served here.");
  const base = `${PREFIX}/${encodeURIComponent(chosen.name)}`;
  const context = {
    api, base, collection: chosen, collections, state, selection, notify, fail, say,
    events: new EventTarget(),  // `changed`: pictures, labels or tags are other ones now; `facts`: of the collection
    open: (id) => state.go({ open: String(id) }),
    above: () => document.getElementById("bar").getBoundingClientRect().bottom,
    below: () => innerHeight - document.getElementById("dock").getBoundingClientRect().top,
    changed: () => context.events.dispatchEvent(new Event("changed")),
  };
  context.like = (id) => lean(context, "plus", "minus", id);
  context.unlike = (id) => lean(context, "minus", "plus", id);
  context.jobs = new Jobs(context);
  context.intake = new Intake(context);
  context.shell = new Shell(context);
  context.viewer = new Viewer(context);
  context.dock = new Dock(context);
  const learn = () => api.ask(base).then((facts) => {
    context.collection = facts;
    context.shell.facts();
    context.events.dispatchEvent(new Event("facts"));
  }).catch(() => {});  // it was a courtesy
  context.events.addEventListener("changed", learn);
  context.jobs.addEventListener("change", seldom(learn));
  listen(context);
  await context.shell.begin();
}

/** *act*, but not more often than every few seconds. */
function seldom(act) {
  let last = performance.now();
  return () => {
    if (performance.now() - last < SELDOM) return;
    last = performance.now();
    act();
  };
}

/** Search for more like a picture, or less: beside what is searched by, or by it alone. */
function lean({ state, notify }, way, other, id) {
  const { now } = state;
  const beside = now.view === "search" && asks(now);
  if (!beside && way === "minus") notify("Search by a picture first; then others can be taken away from it.");
  else if (!beside) state.go({ view: "search", plus: [String(id)] }, { fresh: true });
  else {
    const without = (now[other] ?? []).filter((each) => each !== String(id));
    state.go({ [way]: [...new Set([...(now[way] ?? []), String(id)])], [other]: without, open: null });
  }
}

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();  // the address is the page's state, not a place on it
  document.getElementById("main").focus();
});

start().catch((error) => {
  if (error.status === 401) return;  // the door is there instead
  fill(document.getElementById("main"), h("p", { class: "trouble", role: "alert" }, error.message));
});
