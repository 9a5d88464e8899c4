// Session calls the Link API for the open widget, and notifies the host page. It
// does not depend on the pages.
class Session {
  #options;
  #api;
  #end = new AbortController();
  #expired = false;
  #clock = new Clock();
  #known = new Set(); // ids of the accounts that the host page was notified of

  constructor(options) {
    this.#options = options;
    this.#api = new LinkAPI(options.apiHost, options.userToken, this.#end.signal, this.#clock);
    this.userId = null;
    this.mode = null;
    this.testPeople = [];
    this.providers = [];
    this.accounts = [];
    this.archives = [];
    this.fileTypes = [];
  }

  get ended() { return this.#end.signal.aborted; }

  // start loads everything that the pages show. onexpire is called if the link token
  // expires while the widget is open.
  async start(onexpire) {
    const fileTypes = this.#options.enableUpload ? this.#api.fileTypes() : [];
    const [session, providers, types] = await Promise.all([this.#api.session(), this.#api.providers(), fileTypes]);
    Object.assign(this, { userId: session.userId, mode: session.mode, testPeople: session.testPeople, fileTypes: types });
    this.archives = this.#options.enableUpload ? session.archives : [];
    this.accounts = session.accounts.filter((account) => account.connectionStatus === "CONNECTED");
    session.accounts.forEach((account) => this.#known.add(account.id));
    this.providers = providers.filter((provider) => this.#offers(provider));
    this.#expireAt(this.#clock.now() + session.expiresIn * 1000, onexpire);
  }

  // expireAt calls onexpire at a time on the sandbox clock.
  #expireAt(time, onexpire) {
    let timer;
    const arm = () => {
      clearTimeout(timer);
      timer = setTimeout(onexpire, time - this.#clock.now());
    };
    this.#end.signal.addEventListener("abort", () => clearTimeout(timer));
    this.#clock.onmove(arm);
    arm();
  }

  #offers(provider) {
    const { providers, providerTypes, enableUpload } = this.#options;
    return (providers.length === 0 || providers.includes(provider.id))
      && (providerTypes.length === 0 || providerTypes.includes(provider.type))
      && (provider.accountConnection || enableUpload);
  }

  // only is the only provider, if the host page named exactly one.
  get only() {
    return this.#options.providers.length === 1 ? this.providers[0] : undefined;
  }

  provider(id) {
    return this.providers.find((provider) => provider.id === id)
      ?? { id, name: id, longName: id, typeLabel: "", supported: [], loginOptions: [] };
  }

  nameEmployer(employer) { return this.#api.nameEmployer(employer); }

  // logIn and sendCode resolve to the account when it waits for nothing except the
  // person.
  async logIn(provider, login, password) {
    return this.#follow(await this.#api.logIn(provider.id, login, password));
  }

  async sendCode(account, code) {
    return this.#follow(await this.#api.sendCode(account.id, account.attempt, code));
  }

  async #follow(account) {
    if (!this.#known.has(account.id)) {
      this.#known.add(account.id);
      this.tell("onAccountCreated", about(account));
    }
    let current = account;
    while (current.connectionStatus === "PENDING") {
      await wait(LOOK_EVERY, this.#end.signal);
      current = await this.#api.account(current.id);
    }
    this.#conclude(current);
    return current;
  }

  #conclude(account) {
    if (account.connectionStatus === "CONNECTED") {
      this.accounts = [...this.accounts.filter((other) => other.id !== account.id), account];
      this.tell("onAccountConnected", about(account));
    }
    if (account.connectionStatus === "ERROR") {
      this.tell("onAccountError", { ...about(account), errorCode: account.connection.errorCode });
    }
  }

  async revoke(account) {
    await gone(this.#api.revoke(account.id));
    this.accounts = this.accounts.filter((other) => other.id !== account.id);
    this.tell("onAccountRemoved", about(account));
  }

  fileType(type) {
    return this.fileTypes.find((known) => known.type === type) ?? { type, typeLabel: type ?? "Document" };
  }

  async upload(fileType, files) {
    const archive = await this.#api.upload(fileType.type, await Promise.all(files.map(packed)));
    this.archives = [...this.archives, archive];
    this.tell("onUploadsCreated", this.#uploads(archive));
    return archive;
  }

  async withdraw(archive) {
    await gone(this.#api.withdraw(archive.id));
    this.archives = this.archives.filter((other) => other.id !== archive.id);
    this.tell("onUploadsRemoved", this.#uploads(archive));
  }

  #uploads(archive) {
    return { uploads: [{ id: archive.id, fileType: archive.type }], userId: this.userId };
  }

  expire() {
    if (!this.#expired && !this.ended) {
      this.#expired = true;
      this.tell("onTokenExpired");
    }
  }

  end(reason) {
    this.#end.abort();
    if (reason === "exit") {
      this.#api.complete();
    }
    this.tell("onClose", { reason });
  }

  // abandon ends without a callback, because another widget replaces this one.
  abandon() { this.#end.abort(); }

  // opened reports that a page is shown.
  opened(eventName, { account = null, archive = null } = {}) {
    this.tell("onUIEvent", {
      eventName, eventTime: new Date(this.#clock.now()).toISOString(), mode: this.mode, userId: this.userId, account, archive,
    });
  }

  // tell calls the host page. An exception there must not stop the widget.
  tell(callback, ...values) {
    try {
      this.#options[callback](...values);
    } catch (error) {
      reportError(error);
    }
  }
}

// gone waits for a deletion. Something that does not exist counts as deleted.
async function gone(removal) {
  try {
    await removal;
  } catch (error) {
    if (error.status !== 404) {
      throw error;
    }
  }
}

// The types of files that can be uploaded, and the maximum size in bytes.
const FORMATS = ["PDF", "PNG", "JPG", "JPEG"];
const LARGEST_FILE = 15 * 1024 * 1024;

function formatOf(file) {
  return file.name.split(".").pop().toUpperCase();
}

// packed is a file as the Link API accepts it.
async function packed(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let from = 0; from < bytes.length; from += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(from, from + 0x8000));
  }
  return { fileContent: btoa(text), fileExtensionType: formatOf(file), fileName: file.name.slice(-200) };
}

function about(account) {
  return { accountId: account.id, userId: account.userId, providerId: account.providerId };
}
