// The plane that pictures lie on: where one looks, what is drawn, and what lies under a place of the screen.
import { groundOf, inkOf } from "./colours.js";
import { pointsOn } from "./points.js";
import { Space } from "./space.js";
import { drawTiles } from "./tiles.js";

const FRAMES = 600;

export class Plane {
  // *stage* holds the canvas of the points and, over it, the one that takes the pointer and the focus.  *places* are
  // x, y of each row, from -1 to 1; *dark* says whether the ground is; *way* goes to pointsOn.
  constructor(stage, { places, dark, way }) {
    const [under, over] = stage.querySelectorAll("canvas");
    const count = places.length / 2;
    Object.assign(this, { stage, over, places, count, dark, pen: over.getContext("2d"), space: new Space(places) });
    this.tall = 0.05;
    for (let row = 0; row < count; row++) this.tall = Math.max(this.tall, Math.abs(places[2 * row + 1]));
    this.points = this.pointsOn(under, way);
    this.view = { x: 0, y: 0, scale: 100, width: 1, height: 1, whole: 100 };
    this.tints = new Uint8Array(3 * count);
    this.states = new Uint8Array(count).fill(2);
    this.frames = [];          // milliseconds that each of the last frames took to draw
    this.tiles = [];           // pictures as they are drawn now: row, left, top, width, height
    this.pictures = null;      // where pictures come from, for drawTiles
    this.hovered = -1;
    this.pale = false;         // whether pale points answer the pointer too
    this.draughts = [];        // what else is drawn, in order
    this.moved = () => {};     // called when the view has changed
    this.waiting = this.flight = 0;
    this.draw = this.draw.bind(this);
    this.watch = new ResizeObserver(() => this.resize());
    this.watch.observe(stage);
    this.resize();
  }

  pointsOn(canvas, way) {
    const points = pointsOn(canvas, { places: this.places, ground: () => groundOf(this.dark()), way });
    points.canvas.addEventListener("webglcontextlost", () => {   // a phone that has slept, a driver that fell
      this.points = this.pointsOn(points.canvas, "canvas");
      this.relook();
    });
    return points;
  }

  close() {
    this.watch.disconnect();
    cancelAnimationFrame(this.flight);
    cancelAnimationFrame(this.waiting);
  }

  redraw() {
    this.waiting ||= requestAnimationFrame(this.draw);
  }

  // Colours or states have changed.
  relook() {
    this.points.look(this.tints, this.states);
    this.redraw();
  }

  onStage(x, y) {
    const { view } = this;
    return [view.width / 2 + (x - view.x) * view.scale, view.height / 2 - (y - view.y) * view.scale];
  }

  onScreen(row) {
    return this.onStage(this.places[2 * row], this.places[2 * row + 1]);
  }

  onMap(left, top) {
    const { view } = this;
    return [view.x + (left - view.width / 2) / view.scale, view.y - (top - view.height / 2) / view.scale];
  }

  pointSize() {
    const { view } = this;
    const even = Math.sqrt((view.width * view.height) / Math.max(this.count, 1)) * 0.28;
    return Math.min(14, Math.min(9, Math.max(2.2, even)) * (view.scale / view.whole) ** 0.3);
  }

  resize() {
    const { view } = this;
    const ratio = window.devicePixelRatio || 1;
    const box = this.stage.getBoundingClientRect();
    const first = view.width === 1;
    if (!box.width || !box.height) return;  // not shown
    view.width = box.width;
    view.height = box.height;
    for (const canvas of [this.points.canvas, this.over]) {
      canvas.width = Math.round(view.width * ratio);
      canvas.height = Math.round(view.height * ratio);
    }
    const before = view.whole;
    view.whole = 0.94 * Math.min(view.width, view.height) / 2;
    if (view.width > view.height) {  // a map that is wider than high may use the width
      view.whole = 0.94 * Math.min(view.width / 2, view.height / 2 / this.tall);
    }
    view.scale = first ? view.whole : view.scale * (view.whole / before);
    this.redraw();
  }

  look(x, y, scale) {
    const { view } = this;
    view.scale = Math.min(Math.max(scale, view.whole * 0.5), view.whole * 4000);
    view.x = Math.min(Math.max(x, -1.2), 1.2);
    view.y = Math.min(Math.max(y, -1.2), 1.2);
    this.hovered = -1;
    this.moved();
    this.redraw();
  }

  fly(x, y, scale) {
    cancelAnimationFrame(this.flight);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.look(x, y, scale);
    const from = { ...this.view };
    const begun = performance.now();
    const step = (now) => {
      const share = Math.min(1, Math.max(0, (now - begun) / 350));
      const eased = share * share * (3 - 2 * share);
      this.look(from.x + (x - from.x) * eased, from.y + (y - from.y) * eased, from.scale * (scale / from.scale) ** eased);
      if (share < 1) this.flight = requestAnimationFrame(step);
    };
    this.flight = requestAnimationFrame(step);
  }

  home() {
    this.fly(0, 0, this.view.whole);
  }

  zoom(by, left = this.view.width / 2, top = this.view.height / 2) {
    cancelAnimationFrame(this.flight);
    const { view } = this;
    const [x, y] = this.onMap(left, top);
    const scale = Math.min(Math.max(view.scale * by, view.whole * 0.5), view.whole * 4000);
    this.look(x - (left - view.width / 2) / scale, y + (top - view.height / 2) / scale, scale);
  }

  // The row whose picture or point is at a place of the screen, or -1; lit ones come first, pale ones if they may.
  under(left, top) {
    for (let at = this.tiles.length - 1; at >= 0; at--) {
      const [row, x, y, width, height] = this.tiles[at];
      if (left >= x && left <= x + width && top >= y && top <= y + height) return row;
    }
    const [x, y] = this.onMap(left, top);
    const reach = Math.max(8, this.pointSize()) / this.view.scale;
    const lit = this.space.nearest(x, y, reach, (row) => this.states[row] >= 2);
    return lit >= 0 || !this.pale ? lit : this.space.nearest(x, y, reach);
  }

  // The row nearest to the middle of what is seen.
  middle() {
    const { view } = this;
    return this.space.nearest(view.x, view.y, (0.5 * view.width) / view.scale, (row) => this.states[row] >= 2);
  }

  draw() {
    this.waiting = 0;
    const begun = performance.now();
    const { pen, view } = this;
    const ratio = window.devicePixelRatio || 1;
    this.points.draw(view, this.pointSize());
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, view.width, view.height);
    this.tiles = this.pictures ? drawTiles(this, this.pictures) : [];
    for (const draught of this.draughts) draught(this);
    if (this.hovered >= 0) this.ring(this.hovered, 7, 2);
    this.frames.push(performance.now() - begun);
    if (this.frames.length > FRAMES) this.frames.shift();
  }

  rim() {
    return inkOf(this.dark());
  }

  ring(row, radius, width) {
    const { pen } = this;
    pen.beginPath();
    pen.arc(...this.onScreen(row), radius, 0, 2 * Math.PI);
    pen.lineWidth = width;
    pen.strokeStyle = this.rim();
    pen.stroke();
  }
}
