// Colours of points: by the chosen field, lit or pale by legend, search and selection.
const darkness = matchMedia("(prefers-color-scheme: dark)");
const dark = () => darkness.matches;
const shown = (hex) => onGround(rgb(hex), dark());

const classColour = (field, code) =>
  shown(code < 0 ? given.none : given.palette[field.looks[code] % given.palette.length]);

const rampColour = (share) => {
  const place = Math.min(Math.max(share, 0), 1) * (given.ramp.length - 1);
  const at = Math.min(Math.floor(place), given.ramp.length - 2);
  const [from, to] = [rgb(given.ramp[at]), rgb(given.ramp[at + 1])];
  return onGround(from.map((part, channel) => part + (to[channel] - part) * (place - at)), dark());
};

const colourOf = (field, row) => {
  if (!field) return shown(given.accent);
  if (field.kind === "class") return classColour(field, field.codes[row]);
  const value = field.values[row];
  if (!Number.isFinite(value)) return shown(given.none);
  return rampColour(field.high > field.low ? (value - field.low) / (field.high - field.low) : 0.5);
};

const state = {
  field: fields[0] ?? null,
  only: new Set(),      // classes that the legend isolates
  found: null,          // rows that the search found, as flags
  chosen: -1,           // the picture that was clicked
};

const matches = (row) =>
  (!state.only.size || state.only.has(state.field.codes[row])) && (!state.found || state.found[row] === 1);

const tint = (tints) => {
  for (let row = 0; row < count; row++) {
    const parts = colourOf(state.field, row);
    tints[3 * row] = parts[0];
    tints[3 * row + 1] = parts[1];
    tints[3 * row + 2] = parts[2];
  }
};

const light = (states) => {
  if (state.chosen >= 0) {
    states.fill(1);
    states[state.chosen] = 2;
    for (const { row } of neighbours(state.chosen)) states[row] = 2;
    return;
  }
  for (let row = 0; row < count; row++) states[row] = matches(row) ? 2 : 1;
};
