// Searches as the API takes them, made of the page's state.
import { ask } from "./api.js";
import { filters } from "./state.js";
import { kept } from "./uploads.js";
import { parts } from "./words.js";

const FIRST = 60;
const PAGE = 120;
const MOST = 10_000;  // the API gives none from a larger offset

/** Whether a state has anything to search by. */
export function asks(now) {
  return Boolean(now.image || now.id || now.url || now.text?.trim() || now.plus?.length);
}

/** Four shares of the picture's sides, x, y, width and height, or null. */
export function region(now) {
  const parts = (now.region ?? "").split(",").map(Number);
  const fits = parts.length === 4 && parts.every((each) => each >= 0 && each <= 1) && parts[2] > 0 && parts[3] > 0;
  return fits ? parts : null;
}

/** What a state searches by: `{ id }`, `{ url }` or `{ blob }`; with `crop` the region, in the pixels of the picture. */
export async function query(context, now) {
  const part = region(now);
  if (now.image) {
    const blob = await kept(now.image);
    if (!blob) throw new Error("That picture was given to another browser, or long ago; give it once more.");
    return { blob, crop: part && pixels(part, await sides(blob)) };
  }
  if (now.id) {
    const id = Number(now.id);
    const item = part && await ask(`${context.base}/items/${id}`);
    return part ? { id, crop: pixels(part, [item.width, item.height]) } : { id };
  }
  return now.url ? { url: now.url } : {};
}

/** A form or JSON that says what is searched by, and more. */
export function packed({ blob, ...rest }, more) {
  if (!blob) return { json: { ...rest, ...more } };
  const { crop } = rest;
  const form = new FormData();
  form.append("image", blob, "query");
  if (crop) form.append("crop", crop.join(","));
  for (const [name, value] of Object.entries(more)) {
    for (const each of Array.isArray(value) ? value : [value]) form.append(name, String(each));
  }
  return { form };
}

/** The options of a search that a state has, those of its pages left out. */
export function options(now) {
  const found = filters(now);
  for (const name of ["plus", "minus"]) if (now[name]?.length) found[name] = now[name].map(Number);
  const text = parts(now);
  if (text.length) found.text = text;
  const near = Number(now.near);
  if (near > 0 && near <= 100) found.min_similarity = near / 100;
  return found;
}

/** The pages of a search's hits; `told({ seconds, taken })` hears of each. */
export function pages(context, now, told) {
  const limit = Math.min(Number(now.k) > 0 ? Number(now.k) : MOST, MOST);
  const own = now.id && region(now) ? Number(now.id) : null;
  let ready = null;
  return async (offset, signal) => {
    ready ??= query(context, now).catch((error) => { ready = null; throw error; });
    const k = Math.min(offset ? PAGE : FIRST, limit - offset);
    const sent = packed(await ready, { ...options(now), k, offset });
    const { results, seconds } = await ask(`${context.base}/search`, { ...sent, signal });
    const taken = results[0].length;
    told({ seconds, offset });
    return { items: results[0].filter(({ id }) => id !== own), taken, last: taken < k || offset + taken >= limit };
  };
}

/** Width and height of a picture as it is shown. */
async function sides(blob) {
  const address = URL.createObjectURL(blob);
  try {
    const picture = new Image();
    picture.src = address;
    await picture.decode();
    return [picture.naturalWidth, picture.naturalHeight];
  } catch {
    throw new Error("This browser cannot show the picture, so that no region of it can be chosen.");
  } finally {
    URL.revokeObjectURL(address);
  }
}

function pixels([x, y, width, height], [wide, high]) {
  return [x * wide, y * high, width * wide, height * high].map((each) => Math.round(each));
}
