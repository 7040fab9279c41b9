// What a hand does to a grid: keys move and select, clicks search or select, a long touch selects.
import { button, fill, h } from "./dom.js";
import { shown, told } from "./text.js";

const LONG = 450;

export class Hand {
  #anchor = 0;
  #press = null;
  #over = null;

  constructor(grid) {
    this.grid = grid;
    this.tools = h("div", { class: "tools" });
    const at = grid.element;
    at.addEventListener("click", (event) => this.#click(event), true);
    at.addEventListener("keydown", (event) => this.#key(event));
    at.addEventListener("focusin", (event) => this.#focused(event));
    at.addEventListener("pointerover", (event) => event.pointerType === "mouse" && this.#equip(tileOf(event)));
    at.addEventListener("pointerleave", () => this.#unequip());
    at.addEventListener("pointerdown", (event) => this.#down(event));
    for (const name of ["pointerup", "pointercancel", "pointermove"]) at.addEventListener(name, (event) => this.#up(event));
    at.addEventListener("contextmenu", (event) => this.#press && event.preventDefault());
    at.addEventListener("dragstart", (event) => this.#drag(event));
  }

  // -- the buttons of the picture that is pointed at ------------------------------------------------------------------

  #equip(tile) {
    if (!tile?.item || tile === this.#over) return;
    this.#over = tile;
    const { grid } = this;
    const name = shown(tile.item.name);
    const pick = button(`Select ${name}`, { sign: "check", shown: false, class: "pick", "aria-pressed": String(grid.selection.has(tile.id)) });
    pick.addEventListener("click", () => this.toggle(tile.index));
    const acts = [...grid.actions, { sign: "look", label: "Look at", run: (item) => grid.context.open(item.id) }];
    const others = acts.map(({ sign, label, key, run }) =>
      button(`${label} ${name}${key ? ` (${key})` : ""}`, { sign, shown: false, onclick: () => run(tile.item) }));
    fill(this.tools, pick, h("span", {}, others));
    tile.element.append(this.tools);
  }

  /** Take the buttons from a tile that shows another picture from now on. */
  release(tile) {
    if (tile !== this.#over) return;
    this.tools.remove();
    this.#over = null;
  }

  #unequip() {
    if (this.tools.contains(document.activeElement)) return;
    this.tools.remove();
    this.#over = null;
  }

  #focused(event) {
    const tile = tileOf(event);
    if (!tile) return;
    if (this.#over?.element !== tile.element) this.#over = null;
    if (event.target.matches(":focus-visible") || this.tools.contains(event.target)) this.#equip(tile);
    if (tile.index === this.grid.active) return;
    this.grid.active = tile.index;
    this.grid.mark();
  }

  // -- clicks and touches -----------------------------------------------------------------------------------------------

  #click(event) {
    const tile = tileOf(event);
    const link = event.target.closest?.("a.picture");
    if (!tile || !link) return;
    if (this.#press === "done") {
      this.#press = null;
      event.preventDefault();
    } else if (event.shiftKey) {
      event.preventDefault();
      this.#range(tile.index);
    } else if (event.ctrlKey || event.metaKey || this.grid.selection.size) {
      event.preventDefault();
      this.toggle(tile.index);
    }
  }

  #down(event) {
    if (event.pointerType === "mouse" || !event.target.closest?.("a.picture")) return;
    const tile = tileOf(event);
    this.#press = { x: event.clientX, y: event.clientY };
    this.#press.timer = setTimeout(() => {
      this.#press = "done";
      navigator.vibrate?.(10);
      this.toggle(tile.index);
    }, LONG);
  }

  #up(event) {
    if (!this.#press?.timer) return;
    const far = Math.hypot(event.clientX - this.#press.x, event.clientY - this.#press.y);
    if (event.type === "pointermove" && far < 10) return;
    clearTimeout(this.#press.timer);
    this.#press = null;
  }

  #drag(event) {
    const tile = tileOf(event);
    if (!tile?.item) return;
    event.dataTransfer.setData("application/x-imagekin-id", String(tile.id));
    event.dataTransfer.setDragImage(tile.picture, 20, 20);
    event.dataTransfer.effectAllowed = "copyLink";
  }

  // -- selecting --------------------------------------------------------------------------------------------------------

  toggle(index) {
    const { selection, source } = this.grid;
    this.#anchor = index;
    selection.toggle(source.id(index));
    const item = source.item(index);
    if (item) this.grid.context.say(`${selection.has(item.id) ? "Selected" : "No longer selected"}: ${told(item)}. ${selection.size} in all.`);
    this.tools.querySelector(".pick")?.setAttribute("aria-pressed", String(selection.has(this.#over?.id)));
  }

  #range(index) {
    const { selection, source } = this.grid;
    const [from, to] = [Math.min(this.#anchor, index), Math.max(this.#anchor, index)];
    selection.add(Array.from({ length: to - from + 1 }, (_, at) => source.id(from + at)));
    this.grid.context.say(`${selection.size} selected.`);
  }

  // -- keys -------------------------------------------------------------------------------------------------------------

  #key(event) {
    const { grid } = this;
    if (!grid.source.length || event.altKey || !event.target.closest?.("a.picture")) return;
    const to = this.#goal(event);
    if (to !== null) {
      event.preventDefault();
      if (event.shiftKey && !grid.selection.size) this.#anchor = grid.active;
      grid.focus(to);
      if (event.shiftKey) this.#range(grid.active);
      return;
    }
    if (this.#act(event)) event.preventDefault();
  }

  #act(event) {
    const { grid } = this;
    const item = grid.source.item(grid.active);
    if ((event.ctrlKey || event.metaKey) && event.key === "a") {
      grid.selection.add(Array.from({ length: grid.source.length }, (_, at) => grid.source.id(at)));
      grid.context.say(`${grid.selection.size} selected.`);
      return true;
    }
    if (event.ctrlKey || event.metaKey) return false;
    if (event.key === " ") this.toggle(grid.active);
    else if (event.key === "o" && item) grid.context.open(item.id);
    else {
      const run = grid.keys?.[event.key] ?? grid.actions.find(({ key }) => key === event.key)?.run;
      if (!run || !item) return false;
      run(item);
    }
    return true;
  }

  #goal(event) {
    const { grid } = this;
    const at = grid.active;
    const row = grid.rowOf(at);
    const page = Math.max(1, Math.floor(innerHeight / (grid.row(row).height + 1)) - 1);
    const far = event.ctrlKey || event.metaKey;
    const goals = {
      ArrowRight: () => at + 1, ArrowLeft: () => at - 1,
      ArrowDown: () => this.#across(row + 1), ArrowUp: () => this.#across(row - 1),
      PageDown: () => this.#across(Math.min(row + page, grid.rowCount - 1)), PageUp: () => this.#across(Math.max(row - page, 0)),
      Home: () => (far ? 0 : grid.row(row).from), End: () => (far ? grid.source.length - 1 : grid.row(row).to - 1),
    };
    const goal = goals[event.key]?.();
    return goal === undefined || goal === null ? null : Math.min(Math.max(goal, 0), grid.source.length - 1);
  }

  /** The picture of another row that lies nearest below or above the present one. */
  #across(row) {
    const { grid } = this;
    if (row < 0 || row >= grid.rowCount) return null;
    const middle = this.#middle(grid.active);
    const { from, to } = grid.row(row);
    const all = Array.from({ length: to - from }, (_, at) => from + at);
    return all.reduce((best, at) => (Math.abs(this.#middle(at) - middle) < Math.abs(this.#middle(best) - middle) ? at : best), from);
  }

  #middle(index) {
    const { grid } = this;
    const { from } = grid.row(grid.rowOf(index));
    let left = 0;
    for (let at = from; at < index; at += 1) left += grid.width(at);
    return left + grid.width(index) / 2;
  }
}

function tileOf(event) {
  return event.target.closest?.(".tile")?.tile ?? null;
}
