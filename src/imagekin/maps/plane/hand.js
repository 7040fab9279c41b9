// The hand on the plane: how pointers, wheel and keys move it, hover, choose, and draw a line around pictures.
const SLACK = 4;       // pixels that a hand may tremble within a click
const STRIDE = 3;      // pixels between the corners of a line that is drawn

const gap = (one, other) => Math.hypot(one[0] - other[0], one[1] - other[1]);
const halfway = (one, other) => [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2];

export class Hand {
  // *acts*: hover(row, left, top), choose(row, event), perhaps moved() after keys have moved the map and, where pictures
  // can be selected, enclose(rows, event); *keys*: more keys by their names.  With *lasso* on, or the shift key, a drag
  // draws a line.
  constructor(plane, acts, keys = {}) {
    Object.assign(this, { plane, acts, lasso: false, line: null, pointers: new Map(), way: 0 });
    this.keys = { ...this.moves(), ...keys };
    const { over } = plane;
    for (const kind of ["pointerdown", "pointermove", "pointerup", "pointercancel", "pointerleave", "dblclick", "keydown"]) {
      over.addEventListener(kind, (event) => this[kind](event, this.at(event)));
    }
    over.addEventListener("wheel", (event) => this.wheel(event, this.at(event)), { passive: false });
    plane.draughts.push(() => this.drawLine());
  }

  at(event) {
    const box = this.plane.stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  hover(place) {
    const { plane } = this;
    const row = place ? plane.under(...place) : -1;
    if (row !== plane.hovered) {
      plane.hovered = row;
      plane.redraw();
    }
    this.acts.hover(row, ...(place ?? [0, 0]));
  }

  pointerdown(event, place) {
    if (event.button > 0) return;
    const { plane, pointers } = this;
    plane.over.setPointerCapture(event.pointerId);
    cancelAnimationFrame(plane.flight);
    pointers.set(event.pointerId, place);
    if (pointers.size === 1) this.way = 0;
    const draws = pointers.size === 1 && this.acts.enclose && (this.lasso || event.shiftKey);
    this.line = draws ? [place] : null;   // a second finger moves the map instead
  }

  pointermove(event, now) {
    const { plane, pointers } = this;
    if (!pointers.has(event.pointerId)) return this.hover(now);
    const before = pointers.get(event.pointerId);
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    pointers.set(event.pointerId, now);
    this.way += gap(now, before);
    if (other) {
      plane.zoom(gap(now, other) / Math.max(1, gap(before, other)), ...halfway(now, other));
      this.drag(halfway(before, other), halfway(now, other));
    } else if (this.line) {
      if (gap(now, this.line.at(-1)) >= STRIDE) this.line.push(now);
      plane.redraw();
    } else if (this.way > SLACK) {
      this.drag(before, now);
    }
  }

  drag(before, now) {
    const { view } = this.plane;
    this.plane.look(view.x - (now[0] - before[0]) / view.scale, view.y + (now[1] - before[1]) / view.scale, view.scale);
  }

  pointerup(event, place) {
    const { plane, pointers, line } = this;
    const still = pointers.size === 1 && this.way <= SLACK;
    pointers.delete(event.pointerId);
    this.line = null;
    if (still) this.acts.choose(plane.under(...place), event);
    else if (line) this.acts.enclose(plane.space.enclosed(line.map((each) => plane.onMap(...each))), event);
    plane.redraw();
  }

  pointercancel(event) {
    this.pointers.delete(event.pointerId);
    this.line = null;
    this.plane.redraw();
  }

  pointerleave() {
    this.hover(null);
  }

  dblclick(event, place) {
    this.plane.zoom(2, ...place);
  }

  wheel(event, place) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 30 : 1;
    this.plane.zoom(Math.exp(-Math.max(-240, Math.min(240, event.deltaY * lines)) / 300), ...place);
    this.hover(place);
  }

  moves() {
    const { plane } = this;
    const step = (dx, dy) => {
      const { view } = plane;
      plane.look(view.x + (dx * 80) / view.scale, view.y + (dy * 80) / view.scale, view.scale);
    };
    const then = (act) => () => {
      act();
      this.acts.moved?.();
    };
    const [closer, farther, whole] = [() => plane.zoom(1.4), () => plane.zoom(1 / 1.4), () => plane.home()].map(then);
    const [left, right, up, down] = [[-1, 0], [1, 0], [0, 1], [0, -1]].map((way) => then(() => step(...way)));
    return {
      ArrowLeft: left, ArrowRight: right, ArrowUp: up, ArrowDown: down,
      "+": closer, "=": closer, "-": farther, 0: whole, Home: whole,
      Enter: (event) => this.acts.choose(plane.middle(), event),
    };
  }

  keydown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.keys[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    this.keys[event.key](event);
  }

  drawLine() {
    if (!this.line) return;
    const { pen } = this.plane;
    pen.beginPath();
    for (const [x, y] of this.line) pen.lineTo(x, y);
    pen.closePath();
    pen.fillStyle = "#4a8dff2e";
    pen.fill();
    pen.lineWidth = 1.5;
    pen.setLineDash([6, 4]);
    pen.strokeStyle = this.plane.rim();
    pen.stroke();
    pen.setLineDash([]);
  }
}
