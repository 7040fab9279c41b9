// A photograph to search by: through the page where the browser lets it, else by the device's own camera.
import { button, h } from "./dom.js";

/** Whether this browser can show what its camera sees (it can on this machine, and behind TLS). */
export function seen() {
  return Boolean(navigator.mediaDevices?.getUserMedia) && !matchMedia("(pointer: coarse)").matches;
}

/** Promise a photograph, or null where the person would rather not. */
export async function photograph() {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } } });
  const video = h("video", { autoplay: true, playsinline: true, "aria-label": "What the camera sees" });
  video.muted = true;
  video.srcObject = stream;
  const take = button("Take the photograph", { sign: "camera", class: "main", disabled: true });
  const cancel = button("Cancel");
  const dialog = h("dialog", { class: "camera", "aria-label": "Camera" }, video, h("footer", {}, cancel, take));
  video.addEventListener("playing", () => { take.disabled = false; });
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((done) => {
    let photo = null;
    take.addEventListener("click", async () => { photo = await still(video); dialog.close(); });
    cancel.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => {
      for (const track of stream.getTracks()) track.stop();
      dialog.remove();
      done(photo);
    });
  });
}

function still(video) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
}
