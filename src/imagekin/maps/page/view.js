// The map of this page: the plane with its pictures, the chosen one's nearest, names, and the card beside the pointer.
const way = ["canvas", "webgl"].find((each) => location.hash.includes(each));
const plane = new Plane($("stage"), { places, dark, way });
const { view } = plane;

const relook = () => {
  plane.pale = state.chosen >= 0;
  light(plane.states);
  plane.relook();
};

const pictures = {
  side: Math.max(1.5 * given.side, 96),
  picture: (row) => {
    const from = sheetOf(row, plane.draw);
    return from && { ...from, width: given.side, height: given.side, shape: shapes[row] };
  },
};
const showPictures = () => {
  plane.pictures = given.side && $("pictures").checked ? pictures : null;
  plane.redraw();
};

const dot = (row, radius, width) => {
  plane.ring(row, radius, width);
  plane.pen.fillStyle = css(colourOf(state.field, row));
  plane.pen.fill();
};

plane.draughts.push(() => {
  if (state.chosen < 0) return;
  const { pen } = plane;
  for (const { row, similarity } of neighbours(state.chosen)) {
    pen.beginPath();
    pen.moveTo(...plane.onScreen(state.chosen));
    pen.lineTo(...plane.onScreen(row));
    pen.lineWidth = 0.8 + 2.4 * similarity;
    pen.strokeStyle = dark() ? "#ececeeaa" : "#1c1c1e88";
    pen.stroke();
  }
  for (const { row } of neighbours(state.chosen)) dot(row, 4, 1);
  dot(state.chosen, 7, 2.5);
});

plane.draughts.push(() => {
  const { field } = state;
  if (!$("names").checked || field?.kind !== "class" || state.chosen >= 0 || state.found) return;
  drawNames(plane, field, dark(), (code) => !state.only.size || state.only.has(code));
});

// ---- the card

const card = $("card");
plane.moved = () => { card.hidden = true; };

const hover = (row, left, top) => {
  card.hidden = row < 0;
  if (row < 0) return;
  if (card.dataset.row !== String(row)) fillCard(row);
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
