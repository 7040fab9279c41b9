// What points are coloured by: a field of the map, or whether a picture has a tag; and the legend beside it.
import { css, onGround, rgb } from "../../plane/colours.js";
import { fill, h } from "../dom.js";
import { shown, whole } from "../text.js";

const NONE = "#b9b9bd";
const ACCENT = "#2062d6";
const FEW = 400;         // classes that a legend lists

/** The classes of a field of the map: `of` rows, `names`, `colours`, sizes, and the order in which names are drawn. */
export function classes(field) {
  const sizes = new Uint32Array(field.names.length);
  let without = 0;
  for (const code of field.of) {
    if (code < 0) without += 1;
    else sizes[code] += 1;
  }
  const order = [...sizes.keys()].sort((one, other) => sizes[other] - sizes[one]);
  const { of, peaks } = field;
  return { of, peaks, sizes, order, without, colours: field.colours, names: field.names.map(shown) };
}

/** Two classes: what has the tag, and what has not. */
export function tagged(tag, flags) {
  const of = Int32Array.from(flags, (flag) => flag - 1);
  const size = flags.reduce((sum, flag) => sum + flag, 0);
  const [sizes, order] = [Uint32Array.of(size), [0]];
  return { of, peaks: null, sizes, order, without: flags.length - size, colours: [ACCENT], names: [shown(tag)] };
}

/** Write the colour of each row. */
export function tint(tints, found, dark) {
  const parts = (hex) => onGround(rgb(hex), dark);
  const [none, plain] = [parts(NONE), parts(ACCENT)];
  const colours = found?.colours.map(parts);
  for (let row = 0; 3 * row < tints.length; row += 1) {
    const code = found ? found.of[row] : -1;
    tints.set(found ? (code < 0 ? none : colours[code]) : plain, 3 * row);
  }
}

/** Put the classes into a list; `press(code, more)` when one is chosen; `only` are those that are. */
export function legend(list, found, { dark, only, press }) {
  if (!found) return fill(list);
  const lines = found.order.slice(0, FEW).map((code) => [code, found.names[code], found.sizes[code], found.colours[code]]);
  if (found.without) lines.push([-1, "none", found.without, NONE]);
  return fill(list, lines.map(([code, name, size, colour]) => {
    const swatch = h("i", { "aria-hidden": "true" });
    swatch.style.background = css(onGround(rgb(colour), dark));
    const many = (event) => event.shiftKey || event.ctrlKey || event.metaKey;
    return h("li", {}, h("button", {
      type: "button", title: name, "aria-pressed": String(only.has(code)), data: { code },
      onclick: (event) => press(code, many(event)),
    }, swatch, h("span", {}, name), h("small", {}, whole(size))));
  }));
}
