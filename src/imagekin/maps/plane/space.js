// Which pictures lie where: rows by the cell of a grid over the map.
export class Space {
  constructor(places) {
    const count = places.length / 2;
    this.places = places;
    this.cells = Math.max(1, Math.ceil(Math.sqrt(count / 4)));
    const cellOf = (value) => Math.min(this.cells - 1, Math.max(0, Math.floor((value + 1) / 2 * this.cells)));
    this.cellOf = cellOf;
    this.starts = new Uint32Array(this.cells * this.cells + 1);
    const mine = new Uint32Array(count);
    for (let row = 0; row < count; row++) {
      mine[row] = cellOf(places[2 * row + 1]) * this.cells + cellOf(places[2 * row]);
      this.starts[mine[row] + 1]++;
    }
    for (let cell = 0; cell < this.cells * this.cells; cell++) this.starts[cell + 1] += this.starts[cell];
    const next = this.starts.slice();
    this.rows = new Uint32Array(count);
    for (let row = 0; row < count; row++) this.rows[next[mine[row]]++] = row;
  }

  // Calls *each* with runs of rows whose cells meet a rectangle; false from it ends the search.
  within([left, bottom, right, top], each) {
    const first = this.cellOf(left);
    const last = this.cellOf(right);
    for (let up = this.cellOf(bottom); up <= this.cellOf(top); up++) {
      const from = this.starts[up * this.cells + first];
      const to = this.starts[up * this.cells + last + 1];
      if (from < to && each(from, to) === false) return;
    }
  }

  nearest(x, y, reach, fits = () => true) {
    const { places } = this;
    let best = -1;
    let least = reach * reach;
    this.within([x - reach, y - reach, x + reach, y + reach], (from, to) => {
      for (let at = from; at < to; at++) {
        const row = this.rows[at];
        const gap = (places[2 * row] - x) ** 2 + (places[2 * row + 1] - y) ** 2;
        if (gap <= least && fits(row)) { least = gap; best = row; }
      }
    });
    return best;
  }

  // Rows inside a rectangle, or null where there are more than *most*.
  inside(box, most = Infinity) {
    const { places } = this;
    const [left, bottom, right, top] = box;
    const found = [];
    let some = 0;
    this.within(box, (from, to) => (some += to - from) <= 4 * most);
    if (some > 4 * most) return null;
    this.within(box, (from, to) => {
      for (let at = from; at < to; at++) {
        const row = this.rows[at];
        const x = places[2 * row];
        const y = places[2 * row + 1];
        if (x >= left && x <= right && y >= bottom && y <= top) found.push(row);
      }
      return found.length <= most;
    });
    return found.length > most ? null : found;
  }

  // Rows inside a closed line of points [x, y], by how often a ray crosses it.
  enclosed(line) {
    const { places } = this;
    const [across, up] = [line.map(([x]) => x), line.map(([, y]) => y)];
    const ends = (values) => values.reduce(([low, high], each) => [Math.min(low, each), Math.max(high, each)], [Infinity, -Infinity]);
    const [[left, right], [bottom, top]] = [ends(across), ends(up)];
    return this.inside([left, bottom, right, top]).filter((row) => {
      const [x, y] = [places[2 * row], places[2 * row + 1]];
      let odd = false;
      for (let at = 0, before = line.length - 1; at < line.length; before = at++) {
        if (up[at] > y === up[before] > y) continue;
        if (x < across[at] + ((y - up[at]) * (across[before] - across[at])) / (up[before] - up[at])) odd = !odd;
      }
      return odd;
    });
  }
}
