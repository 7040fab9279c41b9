// What the page is made of: packed arrays and names, one row a picture.
const $ = (id) => document.getElementById(id);
const given = JSON.parse($("data").textContent);

const unpacked = (text, Kind) => {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at++) bytes[at] = raw.charCodeAt(at);
  return new Kind(bytes.buffer);
};

const count = given.count;
const places = unpacked(given.places, Float32Array);      // x, y of each
const ids = unpacked(given.ids, Float64Array);
const near = unpacked(given.near, Uint32Array);           // rows of the nearest of each
const alike = unpacked(given.alike, Uint16Array);         // their similarity in ten-thousandths
const shapes = unpacked(given.shapes, Float32Array);      // width over height of each
const folderOf = unpacked(given.folderOf, Uint32Array);
const NONE = 0xffffffff;

const fields = given.fields.map((field) => ({
  ...field,
  codes: field.codes && unpacked(field.codes, Int32Array),
  values: field.values && unpacked(field.values, Float64Array),
}));

const path = (row) => given.folders[folderOf[row]] + given.names[row];

const neighbours = (row) => {
  const found = [];
  for (let at = row * given.k; at < (row + 1) * given.k; at++) {
    if (near[at] !== NONE) found.push({ row: near[at], similarity: alike[at] / 1e4 });
  }
  return found;
};

const number = (value) => (Math.abs(value) < 1e4 ? String(Number(value.toPrecision(3))) : Math.round(value).toLocaleString("en"));

const shownValue = (field, row) => {
  if (field.kind === "class") return field.codes[row] < 0 ? "none" : field.names[field.codes[row]];
  const value = field.values[row];
  return Number.isFinite(value) ? valueText(field, value) : "none";
};

const valueText = (field, value) =>
  field.kind === "date" ? new Date(value * 1000).toISOString().slice(0, 10) : number(value);

const made = (tag, words, more) => Object.assign(document.createElement(tag), { textContent: words ?? "" }, more);

// Pictures, by sheets that are decoded when they are first needed.
const sheets = [...document.querySelectorAll("script.sheet")].map((element) => ({ element, image: null, ready: false }));

const sheetOf = (row, whenReady) => {
  const each = given.across * given.across;
  const sheet = sheets[Math.floor(row / each)];
  if (!sheet) return null;
  if (!sheet.image) {
    sheet.waiting = new Set();
    sheet.image = new Image();
    sheet.image.src = "data:image/webp;base64," + sheet.element.textContent;
    sheet.image.decode().then(() => {
      sheet.ready = true;
      sheet.waiting.forEach((call) => call());
      sheet.waiting.clear();
    }, () => {});
  }
  if (!sheet.ready) {
    sheet.waiting.add(whenReady);
    return null;
  }
  const place = row % each;
  return { image: sheet.image, x: (place % given.across) * given.side, y: Math.floor(place / given.across) * given.side };
};

const paint = (canvas, row, side) => {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = fitted(shapes[row], side);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.dataset.row = row;
  const draw = () => {
    const from = sheetOf(row, draw);
    if (!from || canvas.dataset.row !== String(row)) return;
    const to = canvas.getContext("2d");
    to.imageSmoothingQuality = "high";
    to.drawImage(from.image, from.x, from.y, given.side, given.side, 0, 0, canvas.width, canvas.height);
    canvas.dataset.painted = row;
  };
  draw();
};
