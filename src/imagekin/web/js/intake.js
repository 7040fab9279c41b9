// How a query comes in from outside: dropped anywhere, pasted, chosen from the disk, photographed.
import { photograph, seen } from "./camera.js";
import { h, typing } from "./dom.js";
import { keep } from "./uploads.js";

const ID = "application/x-imagekin-id";
const FRESH = { view: "search", image: null, id: null, url: null, region: null, text: null, plus: null, minus: null, open: null };

export class Intake {
  constructor(context) {
    this.context = context;
    this.chosen = input({ accept: "image/*" }, (file) => this.take(file));
    this.taken = input({ accept: "image/*", capture: "environment" }, (file) => this.take(file));
    this.cover = h("div", { class: "cover", hidden: true }, h("p", {}, "Drop the picture to search by it"));
    document.body.append(this.chosen, this.taken, this.cover);
    addEventListener("paste", (event) => this.#paste(event));
    addEventListener("dragover", (event) => this.#over(event));
    addEventListener("dragleave", (event) => { if (!event.relatedTarget) this.cover.hidden = true; });
    addEventListener("drop", (event) => this.#drop(event));
    context.choose = () => this.choose();
  }

  choose() {
    this.chosen.click();
  }

  async shoot() {
    if (!seen()) {
      this.taken.click();
      return;
    }
    try {
      await this.take(await photograph());
    } catch (error) {
      const why = { NotFoundError: "No camera was found.", NotAllowedError: "The browser does not let this page use the camera." };
      this.context.fail(new Error(why[error.name] ?? `The camera cannot be used: ${error.message}`));
    }
  }

  /** Search by a picture that was given. */
  async take(file) {
    if (!file) return;
    try {
      this.#go({ image: await keep(file) });
    } catch (error) {
      this.context.fail(error);
    }
  }

  #go(patch) {
    const { state } = this.context;
    this.context.viewer.close?.();
    state.go({ ...FRESH, ...patch }, { fresh: state.now.view !== "search" });
  }

  #paste(event) {
    if (typing(event)) return;
    const file = [...event.clipboardData.files].find(({ type }) => type.startsWith("image/"));
    const text = event.clipboardData.getData("text/plain").trim();
    if (file) this.take(file);
    else if (/^https?:\/\/\S+$/i.test(text)) this.#go({ url: text });
    else return;
    event.preventDefault();
  }

  #over(event) {
    const own = event.dataTransfer.types.includes(ID);
    if (!own && !event.dataTransfer.types.includes("Files") && !event.dataTransfer.types.includes("text/uri-list")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    this.cover.hidden = own;
  }

  #drop(event) {
    this.cover.hidden = true;
    const { dataTransfer } = event;
    const id = dataTransfer.getData(ID);
    const address = dataTransfer.getData("text/uri-list").split("\n")[0].trim();
    if (id) {
      if (event.target.closest?.(".query")) this.context.like(Number(id));
    } else if (dataTransfer.files.length) this.#files([...dataTransfer.files]);
    else if (/^https?:/i.test(address)) this.#go({ url: address });
    else return;
    event.preventDefault();
  }

  #files(files) {
    const pictures = files.filter(({ type, name }) => type.startsWith("image/") || /\.(heic|heif|avif|tiff?)$/i.test(name));
    if (!pictures.length) this.context.fail(new Error("That is no picture; drop a JPEG, PNG, WebP, GIF, BMP or TIFF file."));
    else {
      if (pictures.length > 1) this.context.notify(`Searching by the first of ${pictures.length} pictures.`);
      this.take(pictures[0]);
    }
  }
}

function input(props, told) {
  const made = h("input", { type: "file", class: "unseen", tabindex: -1, "aria-hidden": "true", ...props });
  made.addEventListener("change", () => { told(made.files[0]); made.value = ""; });
  return made;
}
