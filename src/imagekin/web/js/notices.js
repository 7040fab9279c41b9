// What the page has to say: to those who see it, and to those who hear it.
import { button, h } from "./dom.js";

const SHOWN = 6000;

/** Tell something that needs no answer; `action` is { label, run } for what can be done about it. */
export function notify(text, action = null, kind = "notice") {
  const box = document.getElementById("notices");
  const close = button("Close", { sign: "close", shown: false, class: "quiet" });
  const act = action && button(action.label, { onclick: () => { note.remove(); action.run(); } });
  const note = h("div", { class: kind, role: kind === "failure" ? "alert" : null }, h("span", {}, text), act, close);
  close.addEventListener("click", () => note.remove());
  while (box.children.length > 2) box.firstChild.remove();
  box.append(note);
  let timer = 0;
  const wait = () => { timer = setTimeout(() => note.remove(), kind === "failure" ? 2 * SHOWN : SHOWN); };
  for (const name of ["pointerenter", "focusin"]) note.addEventListener(name, () => clearTimeout(timer));
  for (const name of ["pointerleave", "focusout"]) note.addEventListener(name, wait);
  wait();
}

/** Tell a failure in the sentence that it comes with; what was merely given up is none. */
export function fail(error) {
  if (error?.name === "AbortError") return;
  notify(error?.message ?? String(error), null, "failure");
}

/** Tell those who hear the page and do not see it. */
export function say(text) {
  const box = document.getElementById("said");
  box.textContent = box.textContent === text ? `${text}\u00a0` : text;
}
