// Keys that work everywhere, and the list of all of them.
import { button, h, typing } from "./dom.js";

const ALL = [
  ["/", "Choose a picture to search by"],
  ["t", "Describe what to look for, where the model takes words"],
  ["?", "This list"],
  ["1 … 6", "Search, Browse, Map, Duplicates, Tags, Indexing"],
  ["← → ↑ ↓", "From picture to picture; Page up, Page down, Home, End go further"],
  ["Enter", "Search by the picture"],
  ["Space", "Select the picture; with Shift and arrows several, Ctrl A all that are loaded"],
  ["o", "Look at the picture; beside the query where there is one"],
  ["+ and −", "Search for more like it, or less"],
  ["y and n", "This picture that was found is right, or wrong"],
  ["h", "Where query and picture agree, while looking"],
  ["l and s", "On the map: the lasso; select all that is seen"],
  ["a and r", "Accept or refuse a picture that is proposed for a tag"],
  ["Esc", "Close, or select nothing"],
];

/** Listen for the keys of the page. */
export function listen(context) {
  const close = button("Close", { sign: "close", shown: false, class: "quiet", onclick: () => dialog.close() });
  const rows = ALL.map(([key, what]) => h("tr", {}, h("th", { scope: "row" }, h("kbd", {}, key)), h("td", {}, what)));
  const dialog = h("dialog", { class: "help", "aria-label": "Keys" }, h("header", {}, h("h2", {}, "Keys"), close),
    h("table", {}, h("tbody", {}, rows)),
    h("p", { class: "soft" }, "Ctrl-click or a long touch selects; a middle click opens in a tab of its own. ",
      h("a", { href: "/docs" }, "The API"), " is for programs."));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  context.help = () => dialog.showModal();
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || typing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    if (act(event.key, context)) event.preventDefault();
  });
}

function act(key, context) {
  const link = /^[1-6]$/.test(key) ? document.querySelectorAll("#views a")[Number(key) - 1] : null;
  if (link) link.click();
  else if (key === "?") context.help();
  else if (key === "Escape" && context.selection.size) context.selection.clear();
  else if (key === "/") context.choose?.();
  else if (key === "t") return context.describe?.() ?? false;
  else return false;
  return true;
}
