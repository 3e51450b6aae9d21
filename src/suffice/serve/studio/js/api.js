// The API, and jobs with their events.

export async function call(path, { method = "GET", body, headers = {} } = {}) {
  const isForm = body instanceof FormData;
  const response = await fetch(`/api/${path}`, {
    method,
    body: body === undefined || isForm ? body : JSON.stringify(body),
    headers: { ...(body && !isForm ? { "content-type": "application/json" } : {}), ...headers },
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    const wait = response.headers.get("retry-after");
    throw new Error((answer.detail ?? answer.error ?? `${response.status} ${response.statusText}`) + (wait ? ` (try again in ${wait} s)` : ""));
  }
  return answer;
}

// Runs a job and tells `on` of its events: {progress, answer, round, result}. Gives its end; cancelled when `signal` aborts.
export async function run(path, body, on = {}, signal) {
  const job = await call(path, { method: "POST", body: { ...body, wait_s: 0 }, headers: { "idempotency-key": crypto.randomUUID?.() ?? String(Math.random()) } });
  signal?.addEventListener("abort", () => call(`jobs/${job.id}`, { method: "DELETE" }).catch(() => {}));
  if (signal?.aborted) call(`jobs/${job.id}`, { method: "DELETE" }).catch(() => {});
  return new Promise((resolve, reject) => {
    const events = new EventSource(`/api/jobs/${job.id}/events`);
    const finish = (act) => { events.close(); act(); };
    for (const kind of ["progress", "answer", "round", "result"]) {
      events.addEventListener(kind, (event) => on[kind]?.(JSON.parse(event.data), job));
    }
    events.addEventListener("done", () => finish(() => resolve(job)));
    events.addEventListener("cancelled", () => finish(() => reject(new Error("Cancelled; what was computed is kept."))));
    events.addEventListener("failed", (event) => finish(() => reject(new Error(JSON.parse(event.data).error))));
    events.onerror = () => { if (events.readyState === EventSource.CLOSED) finish(() => reject(new Error("The server went away."))); };
  });
}

export const imageUrl = (ref, { max = 480, box = null, label = "" } = {}) =>
  `/api/image?${new URLSearchParams({ ref, max_px: max, ...(box ? { box: box.join(",") } : {}), ...(label ? { label } : {}) })}`;
