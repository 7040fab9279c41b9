// Pictures that a person gave, kept in this browser, so that back and reload find them; the address has their name only.
const STORE = "pictures";
const KEPT = 40;
const MOST = 20 * 2 ** 20;
const SIDE = 4096;
const recent = new Map();

/** Keep a picture and name it.  One too large to be sent is made smaller. */
export async function keep(file) {
  const blob = file.size > MOST ? await smaller(file) : file;
  const name = Array.from(crypto.getRandomValues(new Uint8Array(9)), (each) => each.toString(36).padStart(2, "0")).join("");
  recent.set(name, blob);
  try {
    await write(name, blob);
  } catch {
    // a private window may keep nothing: the picture is there until the page is left
  }
  return name;
}

/** The picture of a name, or null where this browser does not have it. */
export async function kept(name) {
  if (recent.has(name)) return recent.get(name);
  try {
    const found = await request((store) => store.get(name), "readonly");
    if (found) recent.set(name, found.blob);
    return found?.blob ?? null;
  } catch {
    return null;
  }
}

async function write(name, blob) {
  await request((store) => store.put({ blob, time: Date.now() }, name));
  const names = await request((store) => store.getAllKeys(), "readonly");
  if (names.length <= KEPT) return;
  const times = await Promise.all(names.map(async (each) => [(await request((store) => store.get(each), "readonly"))?.time ?? 0, each]));
  for (const [, each] of times.sort(([one], [other]) => one - other).slice(0, names.length - KEPT)) {
    await request((store) => store.delete(each));
  }
}

let base = null;

function opened() {
  base ??= new Promise((done, failed) => {
    const asked = indexedDB.open("imagekin", 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE);
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => failed(asked.error);
  });
  return base;
}

async function request(act, mode = "readwrite") {
  const store = (await opened()).transaction(STORE, mode).objectStore(STORE);
  return new Promise((done, failed) => {
    const asked = act(store);
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => failed(asked.error);
  });
}

async function smaller(file) {
  const picture = await createImageBitmap(file).catch(() => null);
  if (!picture) throw new Error(`The picture has ${Math.round(file.size / 2 ** 20)} MiB; 20 MiB is the most that is taken.`);
  const scale = Math.min(1, SIDE / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [Math.round(picture.width * scale), Math.round(picture.height * scale)];
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
}
