// The door of a server that needs a token, for a browser that has not come through it.
import { ask } from "./api.js";
import { fill, h } from "./dom.js";

let shown = false;

export function locked() {
  if (shown) return;
  shown = true;
  const trouble = h("p", { class: "trouble", role: "alert", hidden: true });
  const token = h("input", { type: "password", name: "token", autocomplete: "current-password", required: true, maxlength: 1000 });
  const form = h("form", {}, h("h2", {}, "This server asks for its token"),
    h("p", {}, "It was shown where the server was started."),
    h("label", {}, h("span", {}, "Token"), token), trouble, h("button", { class: "main" }, "Open"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await ask("/api/v1/session", { json: { token: token.value.trim() } });
      location.reload();
    } catch (error) {
      trouble.hidden = false;
      trouble.textContent = error.message;
      token.select();
    }
  });
  const dialog = h("dialog", { class: "lock", "aria-label": "Token" }, form);
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  fill(document.getElementById("main"), dialog);
  dialog.showModal();
}
