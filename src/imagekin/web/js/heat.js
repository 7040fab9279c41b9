// A heat map over a picture: how much each cell of the network's last features adds to a similarity.
import { h } from "./dom.js";

const STOPS = [[0, [60, 15, 110, 0]], [0.2, [110, 30, 130, 30]], [0.45, [215, 60, 90, 100]], [0.7, [250, 140, 40, 150]], [1, [255, 235, 110, 175]]];
const LARGER = 3;  // times its own size, no more, is a small picture shown
const FINE = 24;  // pixels of the canvas for each cell

export class Heat {
  /** `fit` is an element as large as the picture is shown. */
  constructor(fit) {
    this.canvas = h("canvas", { class: "heat", hidden: true, "aria-hidden": "true" });
    fit.append(this.canvas);
  }

  /** Show a map `{ rows, columns, box, values }` over the part of the picture that the network saw; *highest* is where its colours end. */
  show(map, highest) {
    this.#draw(map, highest);
    placed(this.canvas, map.box);
    this.canvas.hidden = false;
  }

  hide() {
    this.canvas.hidden = true;
  }

  #draw({ rows, columns, values }, highest) {
    const { canvas } = this;
    [canvas.width, canvas.height] = [columns * FINE, rows * FINE];
    const pen = canvas.getContext("2d");
    const picture = pen.createImageData(canvas.width, canvas.height);
    for (let y = 0; y < canvas.height; y += 1) {
      for (let x = 0; x < canvas.width; x += 1) {
        const value = between(values, (y + 0.5) / FINE - 0.5, (x + 0.5) / FINE - 0.5) / highest;
        picture.data.set(colour(Math.min(Math.max(value, 0), 1)), 4 * (y * canvas.width + x));
      }
    }
    pen.putImageData(picture, 0, 0);
  }
}

/** Put an element over a part of the picture, given as shares of its sides. */
export function placed(element, part) {
  const [left, top, width, height] = part.map((each) => `${100 * each}%`);
  Object.assign(element.style, { left, top, width, height });
}

/** A picture as large as its pane allows; what lies over it is placed by shares of its sides. */
export function fitted(image) {
  const fit = h("div", { class: "fit" }, image);
  image.addEventListener("load", () => {
    fit.style.setProperty("--ratio", image.naturalWidth / image.naturalHeight);
    fit.style.setProperty("--most", `${LARGER * image.naturalWidth}px`);
  });
  return fit;
}

/** The value at a place between cells, by those around it. */
function between(values, row, column) {
  const [y, x] = [Math.floor(row), Math.floor(column)];
  const at = (r, c) => values[Math.min(Math.max(r, 0), values.length - 1)][Math.min(Math.max(c, 0), values[0].length - 1)];
  const [down, across] = [row - y, column - x];
  return (1 - down) * ((1 - across) * at(y, x) + across * at(y, x + 1)) + down * ((1 - across) * at(y + 1, x) + across * at(y + 1, x + 1));
}

function colour(share) {
  const after = Math.max(STOPS.findIndex(([stop]) => stop >= share), 1);
  const [[from, low], [to, high]] = [STOPS[after - 1], STOPS[after]];
  const far = (share - from) / (to - from);
  return low.map((each, at) => Math.round(each + far * (high[at] - each)));
}

/** Where a map is highest, in words. */
export function most({ rows, columns, values, box: [x, y, width, height] }) {
  let best = [0, 0];
  values.forEach((row, r) => row.forEach((value, c) => { if (value > values[best[0]][best[1]]) best = [r, c]; }));
  const down = y + ((best[0] + 0.5) / rows) * height;
  const across = x + ((best[1] + 0.5) / columns) * width;
  const high = down < 1 / 3 ? "upper" : down > 2 / 3 ? "lower" : "";
  const side = across < 1 / 3 ? "left" : across > 2 / 3 ? "right" : "";
  if (!high && !side) return "in the middle";
  return `at the ${[high, side].filter(Boolean).join(" ")}${high && side ? "" : side ? " side" : " edge"}`;
}
