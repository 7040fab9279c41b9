// Justified rows: pictures in order, each row as wide as the page, all of a row equally high.

/** Shapes beyond these are cut to fit, or one panorama would be a row that nobody can see. */
export const NARROWEST = 0.45;
export const WIDEST = 3;

/**
 * The rows of pictures, as high as *target* or nearly so; `caption` pixels are added below each row.
 *
 * `aspect(i)` is width ÷ height.  Returns typed arrays, so that 100,000 pictures take milliseconds: `starts[r]` is the
 * first picture of row r, `tops[r]` its upper edge, `heights[r]` the height of its pictures; `starts` and `tops` have
 * one entry more, for the end.
 */
export function rows(length, aspect, { width, target, gap, caption = 0 }) {
  const starts = new Int32Array(length + 1);
  const tops = new Float64Array(length + 1);
  const heights = new Float32Array(length);
  let row = 0;
  let sum = 0;
  const end = (after, height) => {
    heights[row] = height;
    tops[row + 1] = tops[row] + height + caption + gap;
    starts[(row += 1)] = after;
  };
  for (let at = 0; at < length; at += 1) {
    const wide = clamped(aspect(at));
    const before = sum > 0 ? (width - gap * (at - starts[row] - 1)) / sum : Infinity;
    const height = (width - gap * (at - starts[row])) / (sum + wide);
    if (height > target) {
      sum += wide;
    } else if (before / target < target / height) {  // the row looks better without this one
      end(at, before);
      sum = wide;
    } else {
      end(at + 1, height);
      sum = 0;
    }
  }
  if (sum > 0) end(length, Math.min(target, (width - gap * (length - starts[row] - 1)) / sum));
  return { count: row, starts: starts.subarray(0, row + 1), tops: tops.subarray(0, row + 1), heights: heights.subarray(0, row) };
}

export function clamped(aspect) {
  return Math.min(Math.max(aspect || 1, NARROWEST), WIDEST);
}

/** The last row r with edges[r] <= value, at least 0. */
export function rowAt(edges, value) {
  let low = 0;
  let high = edges.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (edges[middle] <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}
