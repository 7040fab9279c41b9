// Names of classes, each where most of it lies, the largest first; none hides another.
import { inkOf } from "./colours.js";

const MOST_NAMES = 160;
const LONGEST = 26;

// *classes* has names, order (codes, the largest class first) and peaks (x, y of each code).
export const drawNames = (plane, classes, dark, fits = () => true) => {
  const { pen, view } = plane;
  pen.font = "600 12px system-ui, sans-serif";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  const boxes = [];
  for (const code of classes.order) {
    if (!fits(code)) continue;
    const [x, y] = plane.onStage(classes.peaks[2 * code], classes.peaks[2 * code + 1]);
    if (x < 0 || y < 0 || x > view.width || y > view.height) continue;
    const whole = classes.names[code];
    const name = whole.length > LONGEST ? `${whole.slice(0, LONGEST - 1)}\u2026` : whole;
    const half = pen.measureText(name).width / 2 + 3;
    if (boxes.some((box) => Math.abs(box[0] - x) < box[2] + half && Math.abs(box[1] - y) < 15)) continue;
    boxes.push([x, y, half]);
    pen.lineWidth = 4;
    pen.strokeStyle = dark ? "#18181add" : "#fbfbfae6";
    pen.strokeText(name, x, y);
    pen.fillStyle = inkOf(dark);
    pen.fillText(name, x, y);
    if (boxes.length >= MOST_NAMES) break;
  }
};
