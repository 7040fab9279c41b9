// Pictures in place of points, close up: as many as have room, the same ones at every zoom.
import { css } from "./colours.js";

const MOST_PICTURES = 1500;   // pictures in view beyond which none is shown

const chance = (row) => Math.imul(row + 1, 2654435761) >>> 0;

// Width and height of a picture of that shape, as large as fits into a square.
export const fitted = (shape, side) =>
  (shape >= 1 ? [side, Math.max(1, side / shape)] : [Math.max(1, side * shape), side]);

// *source* has side, the most pixels a picture should take, and picture(row), which is null as long as it is not there
// and else {image, x, y, width, height, shape}: a part of an image and its width over height.  Returns what was drawn
// as [row, left, top, width, height].
export const drawTiles = (plane, source) => {
  const { view, space, states } = plane;
  const [left, bottom] = plane.onMap(-60, view.height + 60);
  const [right, top] = plane.onMap(view.width + 60, -60);
  const rows = space.inside([left, bottom, right, top], MOST_PICTURES);
  if (!rows) return [];
  const room = 1.2 * Math.sqrt((view.width * view.height) / Math.max(rows.length, 1));
  const side = Math.min(Math.max(room, 40), source.side);
  const free = vacancies(side);
  const tiles = [];
  rows.sort((a, b) => chance(a) - chance(b));
  for (const row of rows) {
    if (states[row] < 2) continue;
    const [x, y] = plane.onScreen(row);
    if (!free(x, y)) continue;
    const found = source.picture(row);
    if (found) tiles.push(drawTile(plane, row, found, [x, y, side - 5]));
  }
  return tiles;
};

// Whether a square has room at a place, which it then takes.
const vacancies = (side) => {
  const taken = new Map();
  const cell = (x, y) => Math.floor(x / side) * 65_536 + Math.floor(y / side);
  return (x, y) => {
    for (let dx = -side; dx <= side; dx += side) {
      for (let dy = -side; dy <= side; dy += side) {
        const other = taken.get(cell(x + dx, y + dy));
        if (other && Math.abs(other[0] - x) < side && Math.abs(other[1] - y) < side) return false;
      }
    }
    taken.set(cell(x, y), [x, y]);
    return true;
  };
};

const drawTile = (plane, row, found, [x, y, side]) => {
  const { pen, tints, states } = plane;
  const [width, height] = fitted(found.shape, side);
  const [left, top] = [x - width / 2, y - height / 2];
  if (states[row] === 3) {
    pen.fillStyle = plane.rim();
    pen.fillRect(left - 5, top - 5, width + 10, height + 10);
  }
  pen.fillStyle = css([...tints.subarray(3 * row, 3 * row + 3)]);
  pen.fillRect(left - 2, top - 2, width + 4, height + 4);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(found.image, found.x, found.y, found.width, found.height, left, top, width, height);
  return [row, left, top, width, height];
};
