// The smallest page that is of use: a picture in, its kin out.  Text of files only ever becomes textContent.
const at = (id) => document.getElementById(id);
const SHOWN = 40;
let here = null;

async function ask(path, options) {
  const answer = await fetch(path, options);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail || answer.statusText);
  return body;
}

function fail(error) {
  at("problem").textContent = error ? error.message : "";
  at("problem").hidden = !error;
}

function shown(hit) {
  const button = document.createElement("button");
  const picture = document.createElement("img");
  picture.src = `${hit.thumbnail}&size=384`;
  picture.alt = "";
  picture.loading = "lazy";
  const says = document.createElement("span");
  const near = hit.similarity === undefined ? [] : [`${(100 * hit.similarity).toFixed(1)} %`];
  says.textContent = [...near, ...(hit.label ? [hit.label] : [])].join(" · ");
  const name = document.createElement("span");
  name.textContent = hit.name;
  button.title = hit.path;
  button.append(picture, says, name);
  button.addEventListener("click", () => { location.hash = `id=${hit.id}`; });
  const line = document.createElement("li");
  line.append(button);
  return line;
}

async function search(options) {
  fail(null);
  try {
    const found = await ask(`${here}/search`, { method: "POST", ...options });
    at("hits").replaceChildren(...found.results[0].map(shown));
  } catch (error) {
    fail(error);
  }
}

function show(address) {
  at("query").src = address;
  at("query").hidden = false;
}

function byFile(file) {
  if (!file) return;
  show(URL.createObjectURL(file));
  const form = new FormData();
  form.append("image", file);
  form.append("k", SHOWN);
  search({ body: form });
}

// The address says which picture is searched by, so that back and reload work.
async function byAddress() {
  const id = Number(new URLSearchParams(location.hash.slice(1)).get("id"));
  try {
    if (!id) {
      const { items } = await ask(`${here}/items?limit=${SHOWN}`);
      at("hits").replaceChildren(...items.map(shown));
      return;
    }
    show(`${(await ask(`${here}/items/${id}`)).thumbnail}&size=512`);
    search({ headers: { "Content-Type": "application/json" }, body: JSON.stringify({ id, k: SHOWN }) });
  } catch (error) {
    fail(error);
  }
}

async function start() {
  const { collections } = await ask("/api/v1/collections");
  const first = collections[0];
  here = `/api/v1/collections/${encodeURIComponent(first.name)}`;
  at("state").textContent = `${first.name}: ${first.images.toLocaleString()} pictures`;
  await byAddress();
  if (!first.job) return;
  const events = new EventSource(`${here}/jobs/${first.job}/events`);
  const tell = (event) => {
    const { progress } = JSON.parse(event.data);
    if (progress) at("state").textContent = `indexing: ${progress.done}${progress.total ? ` of ${progress.total}` : ""}`;
  };
  events.addEventListener("progress", tell);
  events.addEventListener("end", () => { events.close(); start().catch(fail); });
}

at("file").addEventListener("change", () => byFile(at("file").files[0]));
addEventListener("hashchange", byAddress);
addEventListener("paste", (event) => byFile([...event.clipboardData.files].find((file) => file.type.startsWith("image/"))));
addEventListener("dragover", (event) => { event.preventDefault(); at("drop").classList.add("over"); });
addEventListener("dragleave", () => at("drop").classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  at("drop").classList.remove("over");
  byFile(event.dataTransfer.files[0]);
});
start().catch(fail);
