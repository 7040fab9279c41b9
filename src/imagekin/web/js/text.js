// Words and numbers as people read them.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|\p{Surrogate}/gu;

/** Text of a file with what cannot be seen, or turns the reading direction, written as an escape. */
export function shown(text) {
  return String(text ?? "").replace(UNSEEN, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The last part of a path, and the folder that it is in. */
export function parted(path) {
  const at = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  return { folder: path.slice(0, Math.max(at, 0)), name: path.slice(at + 1) };
}

/** A path as short as tells pictures apart: its folder's name and its own. */
export function brief(path) {
  const { folder, name } = parted(path);
  const inside = parted(folder).name;
  return shown(inside ? `${inside}/${name}` : name);
}

const WHOLE = new Intl.NumberFormat("en");

export function count(number, one, many = `${one}s`) {
  return `${WHOLE.format(number)} ${number === 1 ? one : many}`;
}

export function whole(number) {
  return WHOLE.format(number);
}

export function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

/** A probability, without more digits than it is worth; never quite nothing, never quite certain. */
export function sure(share) {
  return share > 0.995 ? "> 99 %" : share < 0.005 ? "< 1 %" : `${Math.round(100 * share)} %`;
}

export function bytes(size) {
  const steps = ["bytes", "kB", "MB", "GB", "TB"];
  const step = size < 1000 ? 0 : Math.min(Math.floor(Math.log10(size) / 3), steps.length - 1);
  return step === 0 ? count(size, "byte") : `${(size / 1000 ** step).toFixed(size / 1000 ** step < 10 ? 1 : 0)} ${steps[step]}`;
}

export function day(seconds) {
  return new Date(1000 * seconds).toLocaleDateString("en-CA");
}

export function lasting(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** What a picture is called where it cannot be seen: name, label, tags, similarity. */
export function told(item) {
  const match = item.match === undefined ? "" : `, ${sure(item.match)} match`;
  const near = item.similarity === undefined ? "" : `${match}, ${percent(item.similarity)} similar`;
  const tags = item.tags?.length ? `, tagged ${item.tags.map(shown).join(", ")}` : "";
  return `${shown(item.name)}${item.label ? `, ${shown(item.label)}` : ""}${tags}${near}`;
}
