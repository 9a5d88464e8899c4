// A page has a heading, a body, the name and details of its onUIEvent, and the action
// of its back button.

function loadingPage() {
  return {
    heading: "One moment",
    body: el("div", { class: "waiting", role: "status" }, el("span", { class: "spinner", "aria-hidden": "true" }), el("p", {}, "Opening a secure connection …")),
  };
}

// The names of data points on the pages.
const DATA = {
  IDENTITIES: "name and contact details",
  EMPLOYMENTS: "employment history",
  INCOMES: "income",
  EINCOMES: "estimated income",
  CONTRIBUTIONS: "social security contributions",
  LIABILITIES: "loans",
  DOCUMENTS: "documents",
  TRANSACTIONS: "earnings and fees",
  RATINGS: "ratings",
  LINK: "other applications",
  INSIGHTS: "a summary of all data",
};

function sharedBy(provider) {
  const names = (provider?.supported ?? []).map((datapoint) => DATA[datapoint]).filter(Boolean);
  if (names.length === 0) {
    return "Your name and contact details, your work and what you earn from it.";
  }
  const list = names.length === 1 ? names[0] : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
  return `Your ${list}.`;
}

// companyOf is the name of the company, or another text in its place.
function companyOf(flow, otherwise) {
  return flow.options.companyName.trim() || otherwise;
}

function consentPage(flow) {
  const company = companyOf(flow, "this service");
  const only = flow.session.only;
  const source = only ? only.name : "your employer or platform";
  return {
    event: "ConsentPageOpened",
    heading: `${companyOf(flow, "This service")} asks to see your work and income data`,
    body: [
      el("ul", { class: "promises" },
        bullet("person", "What is shared", sharedBy(only)),
        bullet("lock", "Your login stays private", `You log in to ${source} yourself. ${companyOf(flow, "This service")} never sees your password.`),
        bullet("undo", "You can change your mind", "You can disconnect here at any time. The data is then deleted."),
      ),
      el("div", { class: "actions" },
        button("Agree and continue", () => flow.begin(), { class: "button primary" }),
        button("Not now", () => flow.close("close"), { class: "button quiet" }),
        el("p", { class: "small" }, sentence(`By continuing, you allow Smile to fetch this data from ${source} and to share it with ${company}`)),
      ),
    ],
    lead: el("div", { class: "pair" }, tile(companyOf(flow, "This service"), "large"), el("span", { class: "dots", "aria-hidden": "true" }), only ? tile(only.name, "large") : emblem("person", "calm")),
  };
}

function listPage(flow) {
  const { options, session } = flow;
  const results = el("div", { class: "results" });
  const count = el("p", { class: "unseen", role: "status" });
  const wanted = { text: "", type: "" };
  const draw = () => {
    const found = session.providers.filter((provider) => fits(provider, wanted));
    const searching = wanted.text !== "" || wanted.type !== "";
    results.replaceChildren(...(found.length ? sections(flow, found, searching) : [nothing(flow, wanted)]));
    count.textContent = searching ? `${found.length} found` : "";
  };
  draw();
  return {
    event: "ProviderListPageOpened",
    heading: "Where do you work?",
    hint: "Choose your employer, platform or public service.",
    body: [
      el("div", { class: "filters" },
        options.enableSearchBar ? searchBar((text) => { wanted.text = text; draw(); }) : null,
        options.enableTypeBar ? typeBar(session.providers, (type) => { wanted.type = type; draw(); }) : null),
      count,
      results,
    ],
    foot: session.accounts.length + session.archives.length ? button("Done", () => flow.close("exit"), { class: "button primary" }) : null,
  };
}

function fits(provider, { text, type }) {
  const names = `${provider.name} ${provider.longName} ${provider.subTypeLabel}`.toLowerCase();
  return (type === "" || provider.type === type) && text.toLowerCase().split(/\s+/).every((word) => names.includes(word));
}

function searchBar(onchange) {
  const input = el("input", {
    type: "search", class: "input", placeholder: "Search", "aria-label": "Search employers and platforms", autocomplete: "off",
    oninput: () => onchange(input.value.trim()),
  });
  return el("div", { class: "search" }, icon("search"), input);
}

// typeBar is a row of radio buttons, so that the arrow keys work as usual.
function typeBar(providers, onchange) {
  const labels = new Map([["", "All"], ...providers.map((provider) => [provider.type, provider.typeLabel])]);
  if (labels.size < 3) {
    return null;
  }
  return el("div", { class: "types", role: "radiogroup", "aria-label": "Kind" }, [...labels].map(([type, label]) => el("label", { class: "type" },
    el("input", { type: "radio", name: "smile-type", value: type, checked: type === "", onchange: () => onchange(type) }),
    el("span", {}, label))));
}

// sections are the user's accounts, the top providers, and the rest. The results of
// a search are one section.
function sections(flow, found, searching) {
  const { options, session } = flow;
  const top = options.topProviders.map((id) => found.find((provider) => provider.id === id)).filter(Boolean);
  if (searching) {
    return [section("Results", found.map((provider) => providerRow(flow, provider)))];
  }
  const rest = found.filter((provider) => !top.includes(provider));
  return [
    section("Your accounts", session.accounts.map((account) => accountRow(flow, account))),
    section("Popular", top.map((provider) => providerRow(flow, provider))),
    section("Your documents", session.archives.map((archive) => archiveRow(flow, archive))),
    section(top.length ? "More" : "All", rest.map((provider) => providerRow(flow, provider))),
    options.enableUpload ? section("No login?", [uploadRow(flow)]) : null,
  ].filter(Boolean);
}

function section(heading, rows) {
  return rows.length ? el("section", {}, el("h3", {}, heading), el("ul", { class: "rows" }, rows.map((row) => el("li", {}, row)))) : null;
}

function row(provider, text, onclick, mark) {
  return el("button", { type: "button", class: "row", onclick, "data-provider": provider.id },
    tile(provider.name),
    el("span", { class: "names" }, el("strong", {}, provider.name), el("span", {}, text)),
    mark);
}

function providerRow(flow, provider) {
  const again = flow.session.accounts.some((account) => account.providerId === provider.id);
  const names = provider.longName === provider.name ? provider.subTypeLabel : provider.longName;
  const text = provider.accountConnection ? names : "Upload documents";
  return row(provider, again ? "Add another account" : text, () => flow.choose(provider), icon("next"));
}

function accountRow(flow, account) {
  const provider = flow.session.provider(account.providerId);
  return row(provider, "Connected", () => flow.show(revokePage, account), el("span", { class: "badge" }, icon("check")));
}

function nothing(flow, { text }) {
  return el("div", { class: "nothing" },
    el("p", {}, text ? `Nothing found for “${text}”.` : "There are no providers to choose from."),
    text ? el("p", { class: "small" }, "Try a shorter name or another type.") : null,
    text ? button("My employer is not listed", () => flow.show(surveyPage, text), { class: "button quiet" }) : null);
}

function surveyPage(flow, name) {
  const employer = field("Employer", { type: "text", name: "employer", value: name, autocomplete: "organization", required: true, maxlength: 200 });
  const sheet = form(submit, employer.node, el("button", { type: "submit", class: "button primary" }, "Send"));
  function submit() {
    if (filled(employer, "Enter the name of your employer.")) {
      flow.act(sheet.busy, () => flow.session.nameEmployer(employer.input.value.trim()), () => flow.list("Thank you for telling us."));
    }
  }
  return {
    event: "EmployerSurveyPageOpened",
    heading: "Who do you work for?",
    hint: "Tell us so that it can be added.",
    body: sheet.node,
    back: () => flow.list(),
  };
}
