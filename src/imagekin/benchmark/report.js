"use strict";
const all = (where) => document.querySelectorAll(where);
const press = (buttons, chosen) => buttons.forEach((each) => each.setAttribute("aria-pressed", each === chosen));

// which speed is plotted, and at which recall engines are compared
for (const [kind, part] of [["show", "figure"], ["recall", "tbody[data-recall]"]]) {
  const buttons = all(`button[data-${kind}]`);
  buttons.forEach((button) => button.addEventListener("click", () => {
    press(buttons, button);
    all(part).forEach((each) => {
      each.hidden = (each.dataset.speed || each.dataset.recall) !== button.dataset[kind];
    });
  }));
}

// the legend takes engines out, and makes one stand out under the pointer
const series = (engine) => [...all(".series")].filter((each) => each.dataset.engine === engine);
all("#legend button").forEach((button) => {
  const mine = series(button.dataset.engine);
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", on);
    mine.forEach((each) => each.classList.toggle("off", !on));
  });
  const pick = (on) => {
    all("figure svg").forEach((each) => each.classList.toggle("picked", on));
    mine.forEach((each) => each.classList.toggle("pick", on));
  };
  button.addEventListener("pointerenter", () => pick(true));
  button.addEventListener("pointerleave", () => pick(false));
});

// what a mark stands for
const tip = document.getElementById("tip");
all("[data-tip]").forEach((mark) => {
  mark.addEventListener("pointermove", (event) => {
    tip.textContent = mark.dataset.tip.split(" | ").join("\n");
    tip.hidden = false;
    const room = document.documentElement.clientWidth - tip.offsetWidth - 12;
    tip.style.left = `${Math.max(8, Math.min(event.clientX + 16, room))}px`;
    tip.style.top = `${event.clientY + 16}px`;
  });
  mark.addEventListener("pointerleave", () => { tip.hidden = true; });
});

// a click on a heading sorts, a second one the other way round
all(".sortable thead th").forEach((heading, column) => {
  let up = false;
  heading.addEventListener("click", () => {
    const body = heading.closest("table").tBodies[0];
    const value = (row) => {
      const cell = row.cells[column];
      return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
    };
    up = !up;
    const order = (a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0);
    [...body.rows].sort((a, b) => (up ? order(a, b) : order(b, a))).forEach((row) => body.append(row));
  });
});
