// The hand on the map: what lies under the pointer, and how pointers, wheel and keys move it.
const under = (left, top) => {
  for (let at = tiles.length - 1; at >= 0; at--) {
    const [row, x, y, width, height] = tiles[at];
    if (left >= x && left <= x + width && top >= y && top <= y + height) return row;
  }
  const [x, y] = onMap(left, top);
  const reach = Math.max(8, pointSize()) / view.scale;
  const lit = space.nearest(x, y, reach, (row) => states[row] === 2);
  return lit >= 0 || state.chosen < 0 ? lit : space.nearest(x, y, reach);
};

const card = $("card");
const hover = (left, top) => {
  const row = under(left, top);
  if (row !== state.hovered) {
    state.hovered = row;
    redraw();
    card.hidden = row < 0;
    if (row >= 0) fillCard(row);
  }
  if (row < 0) return;
  const place = (at, size, whole) => Math.max(6, at + 18 + size > whole ? at - size - 18 : at + 18);
  card.style.left = `${place(left, card.offsetWidth, view.width)}px`;
  card.style.top = `${place(top, card.offsetHeight, view.height)}px`;
};

const fillCard = (row) => {
  card.dataset.row = row;
  const parts = [];
  if (given.side) {
    const canvas = made("canvas");
    paint(canvas, row, Math.min(220, Math.max(120, 2 * given.side)));
    parts.push(canvas);
  }
  if (state.field) parts.push(made("strong", shownValue(state.field, row)));
  parts.push(made("span", given.names[row]));
  card.replaceChildren(...parts);
};

// ---- pointers, wheel and keys

const pointers = new Map();
let moved = 0;
const at = (event) => {
  const box = stage.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};

over.addEventListener("pointerdown", (event) => {
  over.setPointerCapture(event.pointerId);
  cancelAnimationFrame(flight);
  pointers.set(event.pointerId, at(event));
  if (pointers.size === 1) moved = 0;
});
over.addEventListener("pointermove", (event) => {
  const now = at(event);
  if (!pointers.has(event.pointerId)) return hover(...now);
  const before = pointers.get(event.pointerId);
  const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
  pointers.set(event.pointerId, now);
  moved += Math.abs(now[0] - before[0]) + Math.abs(now[1] - before[1]);
  if (other) {
    const gap = (one) => Math.hypot(one[0] - other[0], one[1] - other[1]);
    const middle = (one) => [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2];
    zoom(gap(now) / Math.max(1, gap(before)), ...middle(now));
    drag(middle(before), middle(now));
  } else if (moved > 4) {
    drag(before, now);
  }
});
const drag = (before, now) =>
  look(view.x - (now[0] - before[0]) / view.scale, view.y + (now[1] - before[1]) / view.scale, view.scale);
over.addEventListener("pointerup", (event) => {
  if (pointers.size === 1 && moved <= 4) choose(under(...at(event)));
  pointers.delete(event.pointerId);
});
over.addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));
over.addEventListener("pointerleave", () => { forget(); redraw(); });
over.addEventListener("dblclick", (event) => zoom(2, ...at(event)));
over.addEventListener("wheel", (event) => {
  event.preventDefault();
  const lines = event.deltaMode === 1 ? 30 : 1;
  zoom(Math.exp(-Math.max(-240, Math.min(240, event.deltaY * lines)) / 300), ...at(event));
  hover(...at(event));
}, { passive: false });

const step = (dx, dy) => look(view.x + (dx * 80) / view.scale, view.y + (dy * 80) / view.scale, view.scale);
const KEYS = {
  ArrowLeft: () => step(-1, 0), ArrowRight: () => step(1, 0), ArrowUp: () => step(0, 1), ArrowDown: () => step(0, -1),
  "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), 0: () => fly(0, 0, view.whole),
  Home: () => fly(0, 0, view.whole), Escape: () => choose(-1),
  Enter: () => choose(space.nearest(view.x, view.y, 0.5 * view.width / view.scale, (row) => states[row] === 2)),
};
over.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});
