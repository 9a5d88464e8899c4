function loginOptionsPage(flow, provider) {
  return {
    event: "LoginOptionsPageOpened",
    detail: { account: { providerId: provider.id } },
    heading: `How do you log in to ${provider.name}?`,
    lead: tile(provider.name, "large"),
    body: el("ul", { class: "rows" }, provider.loginOptions.map((option) => el("li", {},
      el("button", { type: "button", class: "row", onclick: () => flow.show(loginPage, provider, option) },
        el("span", { class: "names" }, el("strong", {}, option.label)), icon("next"))))),
    back: () => flow.list(),
  };
}

function loginPage(flow, provider, option = provider.loginOptions[0]) {
  const login = field(option.label, { type: "text", name: "login", inputmode: option.inputMode, autocomplete: option.autocomplete, required: true, maxlength: 200 });
  const password = passwordField();
  const status = el("p", { class: "progress", role: "status" });
  const sheet = form(submit, login.node, password.node, el("button", { type: "submit", class: "button primary" }, "Log in"));
  const busy = (yes) => {
    sheet.busy(yes);
    status.textContent = yes ? `Connecting to ${provider.name} …` : "";
  };
  function submit() {
    if (filled(login, "Enter your login.") && filled(password, "Enter your password.")) {
      flow.act(busy, () => flow.session.logIn(provider, login.input.value.trim(), password.input.value), answered);
    }
  }
  function answered(account) {
    if (account.connectionStatus !== "ERROR") {
      password.input.value = "";
    }
    flow.arrive(account, { refuse: { INVALID_CREDENTIALS: refuse }, again: flow.again() });
  }
  function refuse() {
    password.input.value = "";
    password.complain(`${provider.name} did not accept this login. Check it and try again.`);
  }
  return {
    event: "LoginPageOpened",
    detail: { account: { providerId: provider.id } },
    heading: `Log in to ${provider.name}`,
    hint: sentence(`Use your login at ${provider.longName}`),
    lead: tile(provider.name, "large"),
    body: [sheet.node, status, ...testPeople(flow, (person) => {
      login.input.value = person.login;
      password.input.value = person.password;
      password.complain("");
      password.input.focus();
    })],
    back: flow.session.only ? flow.consentAgain() : () => flow.list(),
  };
}

function filled({ input, complain }, text) {
  const given = input.value.trim() !== "";
  complain(given ? "" : text);
  return given;
}

// testPeople shows the logins of test people. In production mode there are none.
function testPeople(flow, onchoose) {
  const group = (title, people, note) => people.length === 0 ? null : el("details", { class: "test-people" },
    el("summary", {}, title),
    el("ul", {}, people.map((person) => el("li", {},
      el("button", { type: "button", class: "button small", onclick: () => onchoose(person), "aria-label": `Fill in ${person.login}` }, person.login),
      el("span", {}, note(person))))));
  const all = flow.session.testPeople;
  return [
    group("Test accounts", all.filter((person) => !person.effect), (person) => `password ${person.password}, code ${person.mfa}`),
    group("Test accounts with trouble", all.filter((person) => person.effect), (person) => person.effect),
  ];
}

// mfaPage asks for the code. logIn returns to the page of the login.
function mfaPage(flow, account, logIn) {
  const provider = flow.session.provider(account.providerId);
  const code = field("One-time code", { type: "text", name: "code", inputmode: "numeric", autocomplete: "one-time-code", required: true, maxlength: 20, class: "input code" });
  const status = el("p", { class: "progress", role: "status" });
  const sheet = form(submit, code.node, el("button", { type: "submit", class: "button primary" }, "Continue"));
  const busy = (yes) => {
    sheet.busy(yes);
    status.textContent = yes ? `Checking the code with ${provider.name} …` : "";
  };
  function submit() {
    if (filled(code, "Enter the code.")) {
      flow.act(busy, () => flow.session.sendCode(account, code.input.value.trim()), (next) =>
        flow.arrive(next, { refuse: { AWAITING_MFA: refuse }, again: logIn }));
    }
  }
  function refuse(next) {
    account = next;
    code.input.value = "";
    code.complain(`${provider.name} did not accept this code. ${next.triesLeft === 1 ? "You have one more try." : "You have two more tries."}`);
  }
  return {
    event: "MfaPageOpened",
    detail: { account: { providerId: provider.id } },
    heading: "Enter the code",
    hint: `${provider.name} has sent you a one-time code to make sure that it is you.`,
    lead: tile(provider.name, "large"),
    body: [sheet.node, status, flow.session.mode === "SANDBOX" ? el("p", { class: "small aside" }, "This is a sandbox: nothing is sent, and the code of every test account is 1234.") : null],
    back: logIn,
  };
}

function successPage(flow, account) {
  const provider = flow.session.provider(account.providerId);
  return {
    event: "ConnectSuccessPageOpened",
    detail: { account: { providerId: account.providerId, accountId: account.id } },
    heading: `${provider.name} is connected`,
    hint: `${companyOf(flow, "The service that you came from")} can see your data in a few minutes. You do not have to wait here.`,
    centered: true,
    lead: emblem("check", "good"),
    body: el("div", { class: "actions" },
      button("Done", () => flow.close("exit"), { class: "button primary" }),
      flow.session.only ? null : button("Connect another account", () => flow.list(), { class: "button quiet" })),
  };
}

function revokePage(flow, account) {
  const provider = flow.session.provider(account.providerId);
  const page = () => flow.show(revokePage, account);
  const confirm = () => flow.show(confirmPage, {
    heading: `Disconnect ${provider.name}?`,
    yes: "Yes, disconnect",
    no: "Keep connected",
    doing: "Disconnecting …",
    work: () => flow.session.revoke(account),
    done: () => flow.list(`${provider.name} was disconnected.`),
    back: page,
  });
  return {
    event: "AccountRevokePageOpened",
    detail: { account: { providerId: account.providerId, accountId: account.id } },
    heading: `Your ${provider.name} account`,
    hint: `Connected on ${longDate(account.createdAt)}.`,
    lead: tile(provider.name, "large"),
    body: [
      el("ul", { class: "promises" },
        bullet("person", "What is shared", sharedBy(provider)),
        bullet("unlink", "If you disconnect", "Sharing stops immediately and the data is deleted. This cannot be undone.")),
      el("div", { class: "actions" },
        button("Disconnect", confirm, { class: "button danger" }), button("Keep connected", () => flow.list(), { class: "button quiet" })),
    ],
    back: () => flow.list(),
  };
}

// confirmPage asks before something that cannot be undone. What leaves everything as it
// is comes first.
function confirmPage(flow, { heading, yes, no, doing, work, done, back }) {
  const status = el("p", { class: "progress", role: "status" });
  const agree = button(yes, () => flow.act(busy, work, done), { class: "button danger" });
  const busy = (now) => {
    agree.disabled = now;
    status.textContent = now ? doing : "";
  };
  return {
    heading,
    hint: "The data is deleted. This cannot be undone.",
    centered: true,
    lead: emblem("alert", "bad"),
    body: [status, el("div", { class: "actions" }, button(no, back, { class: "button primary" }), agree)],
    back,
  };
}

// Texts by error: [heading, text, offer to try again].
const PROBLEMS = {
  INVALID_CREDENTIALS: ["That login did not work", "Check your login and your password.", true],
  INVALID_AUTH: ["The provider refused the login", "Check whether you can log in at the provider itself.", true],
  INVALID_MFA: ["That code did not work", "Log in again to get a new code.", true],
  MFA_TIMEOUT: ["The code was entered too late", "Log in again to get a new code.", true],
  ACCOUNT_DISABLED: ["Your account is disabled", "Ask the provider to enable it, then try again.", false],
  ACCOUNT_INACCESSIBLE: ["Your account cannot be reached", "Check whether you can log in at the provider itself.", true],
  ACCOUNT_INCOMPLETE: ["Your account is not complete", "Finish setting it up at the provider, then try again.", true],
  ACCOUNT_LOCKED: ["Your account is locked", "Unlock it at the provider, then try again.", true],
  AUTH_REQUIRED: ["The provider needs your attention", "Log in at the provider itself, then try again.", true],
  EXPIRED_CREDENTIALS: ["Your password has expired", "Change it at the provider, then try again.", true],
  INVALID_ACCOUNT_TYPE: ["This kind of account has no data to share", "Choose another account.", true],
  SERVICE_UNAVAILABLE: ["The provider is not responding", "Try again in a few minutes.", true],
  TOS_REQUIRED: ["The provider has new terms", "Accept them at the provider, then try again.", true],
  UNSUPPORTED_AUTH_TYPE: ["This kind of login is not supported", "Use another login or another provider.", true],
  UNSUPPORTED_MFA_METHOD: ["This kind of verification is not supported", "Change it at the provider, then try again.", true],
  EXPIRED: ["This session has ended", "For your security, a session lasts only a few hours. Close this window and start again.", false],
  TOKEN: ["This session cannot be opened", "Close this window and start again.", false],
  NETWORK: ["There is no connection", "Check whether you are online, then try again.", true],
};

const UNKNOWN_PROBLEM = ["Something went wrong", "Try again in a few minutes.", true];

// errorPage shows an error. retry is the action of the button.
function errorPage(flow, code, retry) {
  const [heading, text, again] = PROBLEMS[code] ?? UNKNOWN_PROBLEM;
  return {
    heading,
    hint: text,
    alert: true,
    centered: true,
    lead: emblem("alert", "bad"),
    body: el("div", { class: "actions" },
      again && retry ? button("Try again", retry, { class: "button primary" }) : null,
      button("Exit", () => flow.close("error"), { class: again && retry ? "button quiet" : "button primary" })),
  };
}
