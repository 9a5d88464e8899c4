// How long a response may take, and the interval between two reads of an account
// that is still being connected, in milliseconds.
const PATIENCE = 30_000;
const LOOK_EVERY = 700;

// LinkError is a failed call. status is 0 if there was no response.
class LinkError extends Error {
  constructor(status, code, reason, message) {
    super(message);
    Object.assign(this, { status, code, reason });
  }

  get expired() {
    return this.reason === "EXPIRED";
  }
}

// LinkAPI is the Link API for one link token. The token is private. It sends
// neither cookies nor the address of the host page.
class LinkAPI {
  #base;
  #token;
  #signal;
  #clock;

  constructor(base, token, signal, clock) {
    this.#base = base;
    this.#token = token;
    this.#signal = signal;
    this.#clock = clock;
  }

  session() { return this.#call("GET", "/session"); }
  async providers() { return (await this.#call("GET", "/providers")).items; }
  logIn(providerId, login, password) { return this.#call("POST", "/accounts", { providerId, login, password }); }
  account(id) { return this.#call("GET", `/accounts/${encodeURIComponent(id)}`); }
  sendCode(id, attempt, code) { return this.#call("POST", `/accounts/${encodeURIComponent(id)}/mfa`, { attempt, code }); }
  revoke(id) { return this.#call("DELETE", `/accounts/${encodeURIComponent(id)}`); }
  nameEmployer(employer) { return this.#call("POST", "/employerSurveys", { employer }); }
  async fileTypes() { return (await this.#call("GET", "/fileTypes")).items; }
  upload(fileType, rawFiles) { return this.#call("POST", "/archives", { fileType, rawFiles }); }
  withdraw(id) { return this.#call("DELETE", `/archives/${encodeURIComponent(id)}`); }

  // complete completes the session. The widget does not wait for it, because the
  // page may be closing.
  complete() {
    const headers = { Authorization: `Bearer ${this.#token}` };
    fetch(`${this.#base}/link/session/complete`, { method: "POST", headers, credentials: "omit", keepalive: true }).catch(() => {});
  }

  async #call(method, path, body) {
    const response = await this.#send(method, path, body);
    this.#clock.heard(response.headers.get("Date"));
    const answer = await response.json().catch(() => null);
    if (response.ok && answer) {
      return answer.data;
    }
    throw new LinkError(response.status, answer?.code ?? "SERVER_ERROR", answer?.data?.reason ?? "", answer?.message ?? "");
  }

  async #send(method, path, body) {
    const headers = { Authorization: `Bearer ${this.#token}`, Accept: "application/json" };
    if (body) {
      headers["Content-Type"] = "application/json";
    }
    try {
      return await fetch(`${this.#base}/link${path}`, {
        method, headers, body: body && JSON.stringify(body), mode: "cors", credentials: "omit", cache: "no-store",
        referrerPolicy: "no-referrer", signal: AbortSignal.any([this.#signal, AbortSignal.timeout(PATIENCE)]),
      });
    } catch (error) {
      this.#signal.throwIfAborted();
      throw new LinkError(0, "SERVER_UNAVAILABLE", "", String(error));
    }
  }
}

// Clock is the clock of the sandbox, which can be ahead of the browser's. The Date of
// each response says where it is, to the second.
class Clock {
  #ahead = 0; // milliseconds
  #onmove = () => {};

  now() { return Date.now() + this.#ahead; }

  // onmove has a function called whenever the clock was moved.
  onmove(moved) { this.#onmove = moved; }

  heard(date) {
    const told = Date.parse(date);
    if (Number.isNaN(told) || Math.abs(told - this.now()) < 2000) {
      return;
    }
    this.#ahead = told - Date.now();
    this.#onmove();
  }
}

function wait(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });
}
