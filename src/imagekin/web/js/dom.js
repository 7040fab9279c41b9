// Elements made without markup: what comes from files only ever becomes a text node, so that nothing in it can act.
const PROPERTIES = new Set(["value", "checked", "disabled", "hidden", "indeterminate", "open", "selected", "tabIndex"]);
const REFUSED = new Set(["style", "innerHTML", "outerHTML", "srcdoc"]);

/** An element: h("button", { class: "quiet", "aria-label": "Close", onclick: close }, icon("close"), "Close"). */
export function h(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) set(made, name, value);
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

function set(element, name, value) {
  if (REFUSED.has(name)) throw new TypeError(`${name} is not set from scripts here`);
  if (value === null || value === undefined) return;
  if (name === "class") element.className = value;
  else if (name === "data") Object.assign(element.dataset, value);
  else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (PROPERTIES.has(name)) element[name] = value;
  else if (value === true) element.setAttribute(name, "");
  else if (value !== false) element.setAttribute(name, value);
}

/** Put children in the place of those that an element has. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A button with a sign and a name: shown beside the sign, or only told to those who do not see it. */
export function button(label, { sign = null, shown = true, ...props } = {}) {
  const named = shown ? {} : { "aria-label": label, title: label };
  return h("button", { type: "button", ...named, ...props }, sign && icon(sign), shown && h("span", {}, label));
}

const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5L20 20",
  browse: "M4 5h6v6H4zM14 5h6v6h-6zM4 15h6v4H4zM14 15h6v4h-6z",
  map: "M5 17.5a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zM10 8a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zM18.500 11a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zM14 19.500a1.5 1.5 0 1 0 0-3 1.5 1.5 0 0 0 0 3zM12.500 12.800a1.2 1.2 0 1 0 0-2.400 1.2 1.2 0 0 0 0 2.400z",
  duplicates: "M8 8h12v12H8zM16 8V4H4v12h4",
  tags: "M4 4h8l8 8-8 8-8-8zM8 8h.01",
  indexing: "M20 12a8 8 0 1 1-2.300-5.700M20 4v4h-4",
  close: "M6 6l12 12M18 6L6 18",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  look: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  "right-sign": "M7 11v9H4v-9zM7 11l4-7c1.500 0 2.500 1 2.200 2.600L12.600 10H18a2 2 0 0 1 2 2.400l-1.200 6A2 2 0 0 1 16.800 20H7",
  "wrong-sign": "M17 13V4h3v9zM17 13l-4 7c-1.500 0-2.500-1-2.200-2.600l.6-3.400H6a2 2 0 0 1-2-2.400l1.200-6A2 2 0 0 1 7.200 4H17",
  check: "M5 12.500l4.500 4.500L19 7.500",
  lasso: "M4 9.500C4 6.700 7.600 4.500 12 4.500s8 2.200 8 5-3.600 5-8 5-8-2.200-8-5zM6.500 13.200c-1.700 1.300-1 3.300.8 3.500s2.400 1.800.9 3.300",
  region: "M7 3v14h14M3 7h14v14",
  camera: "M4 8h3.500l1.500-2.500h6L16.500 8H20v11H4zM12 16.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7z",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.500 9.500h.01",
  filter: "M4 6h16M7 12h10M10 18h4",
  folder: "M3 6h6l2 2h10v11H3z",
  save: "M12 4v11M7.500 10.500L12 15l4.500-4.500M5 20h14",
  left: "M15 5l-7 7 7 7",
  right: "M9 5l7 7-7 7",
  down: "M6 9l6 6 6-6",
  remove: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  theme: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  keys: "M9 9.200a3 3 0 1 1 4.200 2.800c-.8.400-1.200 1-1.200 2M12 17.500h.01",
  heat: "M12 3c1 4 5 5.500 5 10.500a5 5 0 0 1-10 0c0-2 1-3.500 2.200-4.500.3 1.500 1 2.300 1.800 2.500C11 8.500 10.500 5.500 12 3z",
  warning: "M12 4l9 16H3zM12 10v5M12 17.500h.01",
};

/** A sign, which is decoration: whoever uses it says its meaning in words. */
export function icon(name) {
  const made = document.createElementNS(SVG, "svg");
  made.setAttribute("viewBox", "0 0 24 24");
  made.setAttribute("aria-hidden", "true");
  made.setAttribute("class", "icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name] ?? "");
  made.append(path);
  return made;
}

/** Whether keys that are pressed go into a field. */
export function typing(event) {
  const at = event.target;
  return at instanceof HTMLElement && (at.isContentEditable || /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName)) && at.type !== "checkbox";
}
