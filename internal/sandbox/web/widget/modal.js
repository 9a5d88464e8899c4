// How long a page ignores clicks after it appears, in milliseconds.
const SETTLE = 400;

// ignoreRepeats ignores Enter while it is held down.
function ignoreRepeats(event) {
  if (event.repeat && event.key === "Enter") {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
}

// ignoreHeldKey ignores a key that is held down, until it is released. The key that
// closes the widget must not press the button of the host page that opened it.
function ignoreHeldKey() {
  const done = new AbortController();
  const listen = { capture: true, signal: done.signal };
  addEventListener("keydown", (event) => {
    ignoreRepeats(event);
    if (!event.repeat) {
      done.abort();
    }
  }, listen);
  addEventListener("keyup", () => done.abort(), listen);
}

// Flow shows one page after the other in a dialog.
class Flow {
  #host = el("div", { "data-smile-link": "" });
  #dialog;
  #header = el("header");
  #scroll = el("div", { class: "scroll" });
  #foot = el("footer");
  #notice = el("div", { class: "notice", role: "status" });
  #turn = 0; // counts pages; a late response for an earlier page is ignored
  #scrolling = "";
  #view = null; // the page that is shown
  #settled = 0; // the timer that ends settling

  constructor(options, onclose) {
    this.options = options;
    this.session = new Session(options);
    this.onclose = onclose;
    this.#dialog = el("dialog", {
      class: options.enableSampleModel ? "embedded" : "", "aria-labelledby": "smile-heading", lang: "en",
      oncancel: (event) => {
        event.preventDefault();
        this.close("close");
      },
      onkeydown: ignoreRepeats,
    }, this.#header, this.#notice, this.#scroll, this.#foot);
    this.#dialog.addEventListener("click", (event) => this.#guard(event), { capture: true });
    const shadow = this.#host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLES);
    shadow.adoptedStyleSheets = [sheet];
    shadow.append(this.#dialog);
  }

  open() {
    document.documentElement.append(this.#host);
    this.#scrolling = document.documentElement.style.overflow;
    document.documentElement.style.overflow = "hidden";
    this.#dialog.showModal();
    this.start();
  }

  start() {
    if (!this.options.userToken) {
      console.error("SmileLinkModal: option userToken is required");
      this.show(errorPage, "TOKEN");
      return;
    }
    this.show(loadingPage);
    this.act(() => {}, () => this.session.start(() => this.expire()), () => this.welcome());
  }

  // welcome asks for consent. With one provider the host page may do that itself.
  welcome() {
    if (this.session.only && !this.options.enableConsentPage) {
      this.begin();
      return;
    }
    this.show(consentPage);
  }

  begin() {
    if (this.session.only && this.session.accounts.length === 0) {
      this.choose(this.session.only);
      return;
    }
    this.list();
  }

  // consentAgain returns from the login of the only provider.
  consentAgain() {
    return this.options.enableConsentPage ? () => this.show(consentPage) : null;
  }

  list(news = "") {
    this.show(listPage);
    this.#notice.textContent = news;
  }

  choose(provider) {
    if (!provider.accountConnection) {
      this.show(fileTypeListPage, provider);
      return;
    }
    this.show(provider.loginOptions.length > 1 ? loginOptionsPage : loginPage, provider);
  }

  // arrive shows the page for the state of an account. refuse handles a wrong login
  // or code on the page where it was entered. After other errors, again is tried.
  arrive(account, { refuse = {}, again }) {
    const { errorCode } = account.connection;
    const refused = refuse[errorCode ?? account.connectionStatus];
    if (refused) {
      refused(account);
    } else if (account.connectionStatus === "AWAITING_MFA") {
      this.show(mfaPage, account, again);
    } else if (account.connectionStatus === "CONNECTED") {
      this.show(successPage, account);
    } else {
      this.show(errorPage, errorCode, again);
    }
  }

  // act runs work and then continues with its result, unless another page was shown
  // meanwhile. It calls busy at the begin and at the end. If the work fails, the person
  // can try it again, on the same page.
  async act(busy, work, done) {
    const turn = this.#turn;
    const view = this.#view;
    const here = () => turn === this.#turn && !this.session.ended;
    busy(true);
    try {
      const result = await work();
      if (here()) {
        busy(false);
        done(result);
      }
    } catch (error) {
      if (here()) {
        busy(false);
        this.#fail(error, () => {
          this.#present(view);
          this.act(busy, work, done);
        });
      }
    }
  }

  #fail(error, again) {
    if (!(error instanceof LinkError)) {
      reportError(error);
    }
    if (error.expired) {
      this.expire();
      return;
    }
    const refused = error.status === 401 || error.status === 403;
    this.show(errorPage, refused ? "TOKEN" : error.status === 0 ? "NETWORK" : error.code, again);
  }

  expire() {
    this.session.expire();
    this.show(errorPage, "EXPIRED");
  }

  show(make, ...subjects) {
    const page = make(this, ...subjects);
    const heading = el("h2", { id: "smile-heading", tabindex: "-1" }, page.heading);
    const hint = page.hint ? el("p", { class: "hint", role: page.alert ? "alert" : null }, page.hint) : null;
    this.#present({
      page, heading,
      content: furnish(el("div", { class: "page" }), {}, [page.lead, heading, hint, page.body].flat()),
    });
  }

  // again returns to the page that is shown now, with what was entered there.
  again() {
    const view = this.#view;
    return () => this.#present(view);
  }

  #present(view) {
    const { page, heading, content } = view;
    this.#turn += 1;
    this.#view = view;
    this.#header.replaceChildren(...this.#bar(page.back));
    this.#notice.textContent = "";
    this.#scroll.className = page.centered ? "scroll centered" : "scroll";
    this.#scroll.replaceChildren(content);
    this.#foot.replaceChildren(...[page.foot, this.#seal()].filter(Boolean));
    this.#scroll.scrollTop = 0;
    this.#settle();
    heading.focus({ preventScroll: true });
    if (page.event) {
      this.session.opened(page.event, page.detail);
    }
  }

  // A page accepts clicks only when it has been there for a moment. The second click of
  // a double click was meant for the page before.
  #settle() {
    clearTimeout(this.#settled);
    this.#dialog.setAttribute("data-settling", "");
    this.#settled = setTimeout(() => this.#dialog.removeAttribute("data-settling"), SETTLE);
  }

  #guard(event) {
    if (event.detail > 1 || this.#dialog.hasAttribute("data-settling")) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  #bar(back) {
    return [
      back ? el("button", { type: "button", class: "plain", "aria-label": "Back", onclick: back }, icon("back")) : el("span", { class: "plain" }),
      el("span", { class: "brand" }, icon("link"), "Wink"),
      el("button", { type: "button", class: "plain", "aria-label": "Close", onclick: () => this.close("close") }, icon("close")),
    ];
  }

  #seal() {
    const sandbox = this.session.mode === "SANDBOX" ? el("span", { class: "mode" }, "Sandbox") : null;
    return el("p", { class: "seal" }, icon("lock"), "Secured by Smile", sandbox);
  }

  close(reason) {
    this.#remove();
    this.session.end(reason);
  }

  // abandon closes this widget because another one opens.
  abandon() {
    this.#remove();
    this.session.abandon();
  }

  #remove() {
    ignoreHeldKey();
    clearTimeout(this.#settled);
    this.#dialog.close();
    this.#host.remove();
    document.documentElement.style.overflow = this.#scrolling;
    this.onclose();
  }
}

// A page has one widget at a time.
let current = null;

// SmileLinkModal is what host pages use: new SmileLinkModal(options).open().
class SmileLinkModal {
  #options;

  constructor(options) {
    this.#options = readOptions(options);
  }

  open() {
    current?.abandon();
    const flow = new Flow(this.#options, () => {
      if (current === flow) {
        current = null;
      }
    });
    current = flow;
    flow.open();
  }
}

window.SmileLinkModal = SmileLinkModal;
