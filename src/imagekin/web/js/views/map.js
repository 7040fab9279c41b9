// The map of the collection: what looks alike lies close together.
import { ask } from "../api.js";
import { button, fill, h } from "../dom.js";
import { Chart } from "../map/chart.js";
import { progress } from "../progress.js";
import { count } from "../text.js";

export const name = "map";
export const title = "Map";
export const styles = ["running.css", "map.css"];

const METHODS = { tsne: "t-SNE: groups stand apart", umap: "UMAP: more of the large shape", pca: "PCA: exact and quick" };

let here = null;         // the context that it is shown in
let box = null;          // where the map is, or what is said in its place
let running = null;      // where a map that is being made is told of
let begin = null;
let chart = null;

export async function show(root, now, context) {
  if (chart) {
    await chart.update(now);
    return;
  }
  if (!here) prepare(root, context);
  await load();
}

export function hide() {
  chart?.rest();
}

function prepare(root, context) {
  here = context;
  running = h("div", { class: "map-running" });
  box = h("div", { class: "map-box" }, h("p", { class: "soft map-wait", role: "status" }, "Fetching the map…"));
  fill(root, running, box);
  begin = progress(running, context, "map", {
    title: "Making the map",
    ended: (job) => job.state === "done" && load().then(() => context.notify("The map is made.")).catch(context.fail),
  });
  context.events.addEventListener("changed", () => chart?.refresh().catch(context.fail));
}

async function load() {
  const facts = await ask(`${here.base}/map`).catch((error) => {
    if (error.code !== "NoMap") throw error;
    return null;
  });
  if (!facts) return offer();
  chart?.close();
  chart = new Chart(facts, here, offerAnew);
  fill(box, chart.element);
  chart.plane.resize();
  await chart.update(here.state.now);
}

// ---- making one

function choice() {
  return h("select", {}, Object.entries(METHODS).map(([key, told]) => h("option", { value: key }, told)));
}

function offer() {
  const { images } = here.collection;
  const method = choice();
  fill(box, h("div", { class: "map-offer" },
    h("h2", {}, "No map has been made yet"),
    h("p", { class: "soft" }, "A map lays every picture out in the plane, so that those which look alike lie close "
      + `together. For ${count(images, "picture")} that takes ${lasting(images)}.`),
    h("p", {}, h("label", {}, "Method ", method)),
    button("Make the map", { class: "main", onclick: () => make(method.value) })));
}

function lasting(images) {
  if (images > 50_000) return "some minutes, in which everything else can be used";
  return images > 5_000 ? "a minute or two" : "seconds";
}

function offerAnew() {
  const method = choice();
  if (chart.facts.method in METHODS) method.value = chart.facts.method;
  fill(chart.notice, h("label", {}, "Method ", method), button("Make it", { class: "main", onclick: () => make(method.value) }));
  method.focus();
}

async function make(method) {
  try {
    begin(await ask(`${here.base}/map`, { json: { method } }));
    if (chart) fill(chart.notice);
  } catch (error) {
    here.fail(error);
  }
}
