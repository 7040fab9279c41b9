// An order by chance that stays the same as long as the tab is open.
const NAME = "imagekin-seed";

/** The same ids in another order. */
export function shuffled(ids) {
  const made = Int32Array.from(ids.keys());
  const next = numbers(seed());
  for (let at = made.length - 1; at > 0; at -= 1) {
    const other = Math.floor(next() * (at + 1));
    [made[at], made[other]] = [made[other], made[at]];
  }
  return Array.from(made, (at) => ids[at]);
}

function seed() {
  try {
    if (!sessionStorage.getItem(NAME)) sessionStorage.setItem(NAME, String(Math.floor(Math.random() * 2 ** 31)));
    return Number(sessionStorage.getItem(NAME));
  } catch {
    return 1;  // where the browser keeps nothing, everybody sees the same order
  }
}

/** Numbers from 0 to below 1 by a linear congruence (Lehmer; Park and Miller 1988), which is enough to mix pictures. */
function numbers(from) {
  let state = (from % 2147483646) + 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return (state - 1) / 2147483646;
  };
}
