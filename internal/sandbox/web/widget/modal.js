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
    }, this.#header, this.#notice, this.#scroll, this.#foot);
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

  // arrive shows the page for the state of an account. refuse handles a wrong
  // password on the page where it was entered.
  arrive(account, refuse) {
    const code = account.connection.errorCode;
    if (account.connectionStatus === "AWAITING_MFA") {
      this.show(mfaPage, account);
    } else if (account.connectionStatus === "CONNECTED") {
      this.show(successPage, account);
    } else if (code === "INVALID_CREDENTIALS" && refuse) {
      refuse();
    } else {
      this.show(errorPage, code, () => this.choose(this.session.provider(account.providerId)));
    }
  }

  // act runs work and then continues with its result, unless another page was shown
  // meanwhile. It calls busy at the begin and at the end.
  async act(busy, work, done) {
    const turn = this.#turn;
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
        this.#fail(error);
      }
    }
  }

  #fail(error) {
    if (!(error instanceof LinkError)) {
      reportError(error);
    }
    if (error.expired) {
      this.expire();
      return;
    }
    const refused = error.status === 401 || error.status === 403;
    const code = refused ? "TOKEN" : error.status === 0 ? "NETWORK" : error.code;
    this.show(errorPage, code, () => (this.session.userId ? this.list() : this.start()));
  }

  expire() {
    this.session.expire();
    this.show(errorPage, "EXPIRED");
  }

  show(make, ...subjects) {
    this.#turn += 1;
    const page = make(this, ...subjects);
    const heading = el("h2", { id: "smile-heading", tabindex: "-1" }, page.heading);
    const hint = page.hint ? el("p", { class: "hint", role: page.alert ? "alert" : null }, page.hint) : null;
    this.#header.replaceChildren(...this.#bar(page.back));
    this.#notice.textContent = "";
    this.#scroll.className = page.centred ? "scroll centred" : "scroll";
    this.#scroll.replaceChildren(furnish(el("div", { class: "page" }), {}, [page.lead, heading, hint, page.body].flat()));
    this.#foot.replaceChildren(...[page.foot, this.#seal()].filter(Boolean));
    this.#scroll.scrollTop = 0;
    heading.focus({ preventScroll: true });
    if (page.event) {
      this.session.opened(page.event, page.detail);
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
