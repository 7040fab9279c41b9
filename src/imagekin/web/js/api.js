// The API: requests that say what failed, and jobs that are followed while they run.
const TRIES = 4;

/** A failure: `message` is one sentence for a person, `status` and `code` are for programs. */
export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail || `The server answers with status ${status}.`);
    this.status = status;
    this.code = body?.code ?? "";
  }
}

/** Tells `locked` when a token is needed. */
export const door = new EventTarget();

/**
 * Ask the server and have what it answers.
 *
 * `json` is sent as a body, `form` (FormData) as well; where too many are waiting the request is repeated when the
 * server says.  An `AbortError` is thrown when `signal` says so, else a `Problem`.
 */
export async function ask(path, { method = null, json = undefined, form = null, signal = null } = {}) {
  const request = { method: method ?? (json !== undefined || form ? "POST" : "GET"), signal };
  if (json !== undefined) Object.assign(request, { body: JSON.stringify(json), headers: { "Content-Type": "application/json" } });
  if (form) request.body = form;
  for (let turn = 1; ; turn += 1) {
    const answer = await sent(path, request);
    if (answer.ok) return answer.status === 204 ? null : answer.json();
    const body = await answer.json().catch(() => null);
    if (answer.status === 401) door.dispatchEvent(new Event("locked"));
    if (![429, 423].includes(answer.status) || turn === TRIES) throw new Problem(answer.status, body);
    await pause(1000 * Math.min(Number(answer.headers.get("Retry-After")) || 1, 5), signal);
  }
}

async function sent(path, request) {
  try {
    return await fetch(path, request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "The server does not answer. Is it still running?", code: "Unreachable" });
  }
}

function pause(milliseconds, signal) {
  return new Promise((done, failed) => {
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", () => { clearTimeout(timer); failed(signal.reason); }, { once: true });
  });
}

/** An address with parameters: lists are repeated, what is null or empty is left out. */
export function address(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== null && each !== undefined && each !== "") query.append(name, each);
    }
  }
  return query.size ? `${path}?${query}` : path;
}

/**
 * Follow a job: `tell(job)` at each step and at its end; returns what stops it.
 *
 * Server-sent events; where they cannot be had the job is asked for now and then.  Only while the page is seen: browsers
 * keep few connections to a server open for all tabs together, and streams in tabs behind would take them all.
 */
export function follow(base, id, tell) {
  let source = null;
  let timer = 0;
  const rest = () => { source?.close(); source = null; clearTimeout(timer); };
  const turn = () => (document.hidden ? rest() : listen());
  const stop = () => { rest(); document.removeEventListener("visibilitychange", turn); };
  const heard = (event) => tell(JSON.parse(event.data));
  function listen() {
    if (source) return;
    const mine = source = new EventSource(`${base}/jobs/${id}/events`);
    mine.addEventListener("progress", heard);
    mine.addEventListener("end", (event) => { stop(); heard(event); });
    mine.addEventListener("error", () => { if (mine === source && mine.readyState === EventSource.CLOSED) look(); });
  }
  async function look() {
    const job = await ask(`${base}/jobs/${id}`).catch((error) => (error.status === 404 ? lost(id) : null));
    if (!source) return;
    if (job) tell(job);
    if (!job || job.state === "running") timer = setTimeout(look, 2000);
    else stop();
  }
  document.addEventListener("visibilitychange", turn);
  turn();
  return stop;
}

/** A job that the server knows nothing of. */
function lost(id) {
  return { id, state: "failed", progress: null, report: null, error: "The server was started anew, and the job ended with it." };
}

/** The address of a thumbnail at least *size* device pixels long, of the sizes that are kept. */
export function thumbnail(item, size) {
  const sizes = [128, 256, 384, 512, 768, 1024, 1600];
  return `${item.thumbnail}&size=${sizes.find((each) => each >= size) ?? 1600}`;
}
