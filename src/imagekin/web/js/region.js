// A box on a picture, by mouse, touch and keys; told in shares of the picture's sides when it has been drawn.
import { button, h } from "./dom.js";

const LEAST = 0.03;
const STEP = 0.02;

export class Region {
  #box = null;
  #begun = null;

  /** `area` holds the picture and nothing else; `told([x, y, width, height] | null)` hears of every new box. */
  constructor(area, { told, say }) {
    Object.assign(this, { area, told, say });
    this.remove = button("Search by the whole picture", { sign: "close", shown: false, onclick: () => this.#end(null) });
    this.element = h("div", {
      class: "region", tabindex: 0, role: "group", hidden: true,
      "aria-roledescription": "region of the picture",
    }, this.remove, h("i", { class: "corner" }));
    area.append(this.element);
    area.classList.add("drawable");
    area.addEventListener("pointerdown", (event) => this.#down(event));
    area.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) area.addEventListener(name, (event) => this.#up(event));
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.element.addEventListener("focusout", () => this.#changed && this.#end(this.#box));
  }

  #changed = false;

  /** Show a box, or none; nobody is told. */
  show(box) {
    this.#box = box;
    this.#changed = false;
    this.#draw();
  }

  /** A box in the middle, for keys to move. */
  begin() {
    if (!this.#box) {
      this.#box = [0.25, 0.25, 0.5, 0.5];
      this.#changed = true;
    }
    this.#draw();
    this.element.focus();
    this.say("Arrows move the region, with Shift they change its size; Enter searches by it, Delete takes it away.");
  }

  #draw() {
    this.element.hidden = !this.#box;
    if (!this.#box) return;
    const [x, y, width, height] = this.#box.map((each) => `${100 * each}%`);
    Object.assign(this.element.style, { left: x, top: y, width, height });
    const [left, top, wide, high] = this.#box.map((each) => Math.round(100 * each));
    this.element.setAttribute("aria-label", `Region: ${wide} by ${high} per cent, ${left} from the left, ${top} from the top`);
  }

  #at(event) {
    const { left, top, width, height } = this.area.getBoundingClientRect();
    return [clamp((event.clientX - left) / width), clamp((event.clientY - top) / height)];
  }

  #down(event) {
    if (event.button !== 0 || this.remove.contains(event.target)) return;
    event.preventDefault();
    this.area.setPointerCapture(event.pointerId);
    const how = event.target.matches(".corner") ? "size" : this.element.contains(event.target) ? "move" : "draw";
    this.#begun = { how, at: this.#at(event), box: this.#box, moved: false };
  }

  #move(event) {
    const begun = this.#begun;
    if (!begun) return;
    const [x, y] = this.#at(event);
    const [fromX, fromY] = begun.at;
    begun.moved ||= Math.hypot(x - fromX, y - fromY) > 0.01;
    if (!begun.moved) return;
    if (begun.how === "draw") this.#box = [Math.min(x, fromX), Math.min(y, fromY), Math.abs(x - fromX), Math.abs(y - fromY)];
    else this.#box = changed(begun.box, begun.how, x - fromX, y - fromY);
    this.#draw();
  }

  #up(event) {
    const begun = this.#begun;
    if (!begun) return;
    this.#begun = null;
    const small = this.#box && (this.#box[2] < LEAST || this.#box[3] < LEAST);
    if (event.type === "pointercancel" || small) this.show(begun.box);
    else if (begun.moved) this.#end(this.#box);
    else if (begun.how === "draw") this.#end(null);
  }

  #key(event) {
    if (event.target !== this.element) return;
    const [across, down] = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key] ?? [0, 0];
    if (across || down) {
      this.#box = changed(this.#box, event.shiftKey ? "size" : "move", across, down);
      this.#changed = true;
      this.#draw();
    } else if (event.key === "Enter") this.#end(this.#box);
    else if (event.key === "Delete" || event.key === "Backspace" || event.key === "Escape") this.#end(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #end(box) {
    this.show(box && box.map((each) => Math.round(1000 * each) / 1000));
    this.told(this.#box);
  }
}

function clamp(share) {
  return Math.min(Math.max(share, 0), 1);
}

/** A box moved, or with its lower right corner moved, within the picture. */
function changed([x, y, width, height], how, across, down) {
  if (how === "size") {
    return [x, y, Math.min(Math.max(width + across, LEAST), 1 - x), Math.min(Math.max(height + down, LEAST), 1 - y)];
  }
  return [Math.min(Math.max(x + across, 0), 1 - width), Math.min(Math.max(y + down, 0), 1 - height), width, height];
}
