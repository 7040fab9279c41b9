// The view on the map: where it looks, what is drawn over the points, and how it is moved.
const stage = $("stage");
const over = $("over");
const pen = over.getContext("2d");
const space = new Space();
const points = pointsOn($("points"));
const view = { x: 0, y: 0, scale: 100, width: 1, height: 1, whole: 100 };
const frames = [];       // milliseconds that each of the last frames took to draw
let tiles = [];          // pictures as they are drawn now: row, left, top, width, height
let waiting = false;
let flight = 0;

const redraw = () => {
  if (!waiting) {
    waiting = true;
    requestAnimationFrame(draw);
  }
};

const relook = () => {
  light();
  points.look(tints, states);
  redraw();
};

const onScreen = (row) => [
  view.width / 2 + (places[2 * row] - view.x) * view.scale,
  view.height / 2 - (places[2 * row + 1] - view.y) * view.scale,
];
const onMap = (left, top) => [
  view.x + (left - view.width / 2) / view.scale,
  view.y - (top - view.height / 2) / view.scale,
];

const pointSize = () => {
  const even = Math.sqrt((view.width * view.height) / Math.max(count, 1)) * 0.28;
  return Math.min(14, Math.min(9, Math.max(2.2, even)) * (view.scale / view.whole) ** 0.3);
};

const resize = () => {
  const ratio = window.devicePixelRatio || 1;
  const box = stage.getBoundingClientRect();
  const first = view.width === 1;
  view.width = Math.max(1, box.width);
  view.height = Math.max(1, box.height);
  for (const canvas of [points.canvas, over]) {
    canvas.width = Math.round(view.width * ratio);
    canvas.height = Math.round(view.height * ratio);
  }
  const before = view.whole;
  view.whole = 0.94 * Math.min(view.width, view.height) / 2;
  if (view.width > view.height) {  // a map that is wider than high may use the width
    let tall = 0.05;
    for (let row = 0; row < count; row++) tall = Math.max(tall, Math.abs(places[2 * row + 1]));
    view.whole = 0.94 * Math.min(view.width / 2, view.height / 2 / tall);
  }
  view.scale = first ? view.whole : view.scale * (view.whole / before);
  redraw();
};

const look = (x, y, scale) => {
  view.scale = Math.min(Math.max(scale, view.whole * 0.5), view.whole * 4000);
  view.x = Math.min(Math.max(x, -1.2), 1.2);
  view.y = Math.min(Math.max(y, -1.2), 1.2);
  forget();
  redraw();
};

// What was under the pointer is elsewhere now.
const forget = () => {
  state.hovered = -1;
  $("card").hidden = true;
};

const fly = (x, y, scale) => {
  cancelAnimationFrame(flight);
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return look(x, y, scale);
  const from = { ...view };
  const begun = performance.now();
  const step = (now) => {
    const share = Math.min(1, Math.max(0, (now - begun) / 350));
    const eased = share * share * (3 - 2 * share);
    look(from.x + (x - from.x) * eased, from.y + (y - from.y) * eased, from.scale * (scale / from.scale) ** eased);
    if (share < 1) flight = requestAnimationFrame(step);
  };
  flight = requestAnimationFrame(step);
};

const zoom = (by, left = view.width / 2, top = view.height / 2) => {
  cancelAnimationFrame(flight);
  const [x, y] = onMap(left, top);
  const scale = Math.min(Math.max(view.scale * by, view.whole * 0.5), view.whole * 4000);
  look(x - (left - view.width / 2) / scale, y + (top - view.height / 2) / scale, scale);
};

// ---- drawing

const draw = () => {
  waiting = false;
  const begun = performance.now();
  const ratio = window.devicePixelRatio || 1;
  points.draw(view, pointSize());
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, view.width, view.height);
  drawTiles();
  drawChosen();
  if (state.hovered >= 0) ring(state.hovered, 7, 2);
  drawNames();
  frames.push(performance.now() - begun);
  if (frames.length > 600) frames.shift();
};

const ink = () => (dark.matches ? "#ececee" : "#1c1c1e");

const ring = (row, radius, width) => {
  const [left, top] = onScreen(row);
  pen.beginPath();
  pen.arc(left, top, radius, 0, 2 * Math.PI);
  pen.lineWidth = width;
  pen.strokeStyle = ink();
  pen.stroke();
};

const dot = (row, radius, width) => {
  ring(row, radius, width);
  pen.fillStyle = css(colourOf(state.field, row));
  pen.fill();
};

const chance = (row) => Math.imul(row + 1, 2654435761) >>> 0;   // an order that is the same at every zoom

const drawTiles = () => {
  tiles = [];
  if (!given.side || !$("pictures").checked) return;
  const [left, bottom] = onMap(-60, view.height + 60);
  const [right, top] = onMap(view.width + 60, -60);
  const rows = space.inside(left, bottom, right, top, 1500);
  if (!rows) return;
  const room = 1.2 * Math.sqrt((view.width * view.height) / Math.max(rows.length, 1));
  const side = Math.min(Math.max(room, 40), Math.max(1.5 * given.side, 96));
  const taken = new Map();
  const cell = (x, y) => Math.floor(x / side) * 65_536 + Math.floor(y / side);
  rows.sort((a, b) => chance(a) - chance(b));
  for (const row of rows) {
    if (states[row] !== 2) continue;
    const [x, y] = onScreen(row);
    let free = true;
    for (let dx = -side; free && dx <= side; dx += side) {
      for (let dy = -side; free && dy <= side; dy += side) {
        const other = taken.get(cell(x + dx, y + dy));
        free = !other || Math.abs(other[0] - x) >= side || Math.abs(other[1] - y) >= side;
      }
    }
    if (!free) continue;
    taken.set(cell(x, y), [x, y]);
    drawTile(row, x, y, side - 5);
  }
};

const drawTile = (row, x, y, side) => {
  const from = sheetOf(row, redraw);
  if (!from) return;
  const [width, height] = fit(row, side);
  const [left, top] = [x - width / 2, y - height / 2];
  pen.fillStyle = css(colourOf(state.field, row));
  pen.fillRect(left - 2, top - 2, width + 4, height + 4);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(from.image, from.x, from.y, given.side, given.side, left, top, width, height);
  tiles.push([row, left, top, width, height]);
};

const drawChosen = () => {
  if (state.chosen < 0) return;
  const [left, top] = onScreen(state.chosen);
  for (const { row, similarity } of neighbours(state.chosen)) {
    const [x, y] = onScreen(row);
    pen.beginPath();
    pen.moveTo(left, top);
    pen.lineTo(x, y);
    pen.lineWidth = 0.8 + 2.4 * similarity;
    pen.strokeStyle = dark.matches ? "#ececeeaa" : "#1c1c1e88";
    pen.stroke();
  }
  for (const { row } of neighbours(state.chosen)) dot(row, 4, 1);
  dot(state.chosen, 7, 2.5);
};

const drawNames = () => {
  const { field } = state;
  if (!$("names").checked || !field || field.kind !== "class" || state.chosen >= 0 || state.found) return;
  pen.font = "600 12px system-ui, sans-serif";
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  const boxes = [];
  for (const code of field.order) {
    if (state.only.size && !state.only.has(code)) continue;
    const [x, y] = [
      view.width / 2 + (field.peaks[2 * code] - view.x) * view.scale,
      view.height / 2 - (field.peaks[2 * code + 1] - view.y) * view.scale,
    ];
    if (x < 0 || y < 0 || x > view.width || y > view.height) continue;
    const name = field.names[code].length > 26 ? `${field.names[code].slice(0, 25)}\u2026` : field.names[code];
    const half = pen.measureText(name).width / 2 + 3;
    if (boxes.some((box) => Math.abs(box[0] - x) < box[2] + half && Math.abs(box[1] - y) < 15)) continue;
    boxes.push([x, y, half]);
    pen.lineWidth = 4;
    pen.strokeStyle = dark.matches ? "#18181add" : "#fbfbfae6";
    pen.strokeText(name, x, y);
    pen.fillStyle = ink();
    pen.fillText(name, x, y);
    if (boxes.length >= 160) break;
  }
};
