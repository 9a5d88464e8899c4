// The lists: users, webhooks, calls, deliveries and mails.

function person({ user, accounts }) {
  const metadata = Object.entries(user.externalMetadata ?? {}).map(([key, value]) => el("span", { class: "tag" }, `${key}: ${value}`));
  const act = (label, name, onclick) => el("button", { class: "tiny", "data-at": `${name} ${user.id}`, onclick }, label);
  return el("li", { class: "person" },
    el("div", { class: "row" }, copyable(user.id), el("span", { class: "soft small" }, day(user.createdAt)), metadata),
    el("div", { class: "row" },
      accounts.map((account) => el("button", { class: `tag ${TONES[account.connectionStatus] ?? ""}`, "data-at": account.id, onclick: () => showAccount(account) },
        `${account.providerId} ${words(account.connection.errorCode ?? account.connectionStatus)}`)),
      act("Link …", "link", () => showLink(user.id)),
      act("Widget", "widget", () => launch(user.id)),
      act("Details", "details", () => open(() => inspectUser(user.id)))));
}

function hook(webhook) {
  return el("li", { class: "person" },
    el("div", { class: "row" }, el("b", {}, webhook.name), webhook.active ? null : el("span", { class: "tag warm" }, "inactive"), el("span", { class: "soft small" }, webhook.eventTypes.join(", "))),
    el("div", { class: "code" }, webhook.url));
}

// open shows something in the inspector, or why that fails.
const open = (show) => show().catch((error) => tell(`Failed: ${error.message}`));

function journalLine(entry) {
  const fine = entry.status >= 200 && entry.status < 300;
  return el("button", { class: "line", onclick: () => open(() => inspectCall(entry.seq)) }, el("time", {}, clock(entry.time)), el("b", { class: fine ? "ok" : "no" }, entry.status || "cut"),
    el("span", {}, el("span", { class: "code" }, `${entry.method} ${entry.path}${entry.query ? `?${entry.query}` : ""}`), el("span", { class: "soft" }, ` ${entry.operation}`)));
}

function deliveryLine(delivery) {
  const attempts = delivery.attempts ?? [];
  return el("button", { class: "line", "data-at": `delivery ${delivery.seq}`, onclick: () => open(() => inspectDelivery(delivery.seq)) },
    el("time", {}, clock(delivery.createdAt)), el("b", { class: delivery.state === "DELIVERED" ? "ok" : "no" }, attempts.at(-1)?.status || "–"),
    el("span", {}, `${delivery.eventType} `, el("span", { class: `tag ${TONES[delivery.state] ?? ""}` }, delivery.state.toLowerCase()),
      el("span", { class: "soft" }, ` ${counted(attempts.length, "attempt")} `), el("span", { class: "code soft" }, delivery.url)));
}

// State

let state = { tenants: [], providers: [], people: [] };
const tenant = () => state.tenants.find(({ key }) => key === $("key").value) ?? state.tenants[0];
const from = ({ nth, count }, what) => `${count < 0 ? `all ${what}s` : counted(count, what)} from number ${nth}`;

async function refresh() {
  state = await control("GET", `overview?find=${encodeURIComponent($("find").value.trim())}`);
  const { stats } = state;
  $("now").textContent = `${day(state.now)} UTC`;
  draw("figures", [["user", stats.users], ["account", stats.accounts], ["webhook", stats.webhooks], ["delivery", stats.deliveries, "deliveries"], ["call", stats.peakRPS]], (figures) =>
    figures.map(([one, count, many = `${one}s`]) => el("span", {}, el("b", {}, count.toLocaleString("en")), ` ${count === 1 ? one : many}${one === "call" ? " in the busiest second" : ""}`)));
  draw("key", state.tenants.map(({ key, mode }) => [key, mode === "SANDBOX" ? key : `${key} (${mode.toLowerCase()})`]), options);
  const { users, webhooks } = tenant();
  draw("users", users, () => (users.length ? users.map(person) : empty("No users yet. Create one here, or with POST /v1/users.")));
  draw("webhooks", webhooks, () => (webhooks.length ? webhooks.map(hook) : empty("No webhooks yet. Register one with POST /v1/webhooks.")));
  keepChoice("w-user", users.map(({ user }) => [user.id, short(user.id)]));
  keepChoice("l-provider", state.providers.filter((provider) => provider.accountConnection).map(({ id, name }) => [id, name]));
  keepChoice("l-login", state.people.map(({ login, effect }) => [login, effect ? `${login}: ${effect}` : login]));
  keepChoice("f-operation", [["*", "every call"], ...state.operations.map((id) => [id])]);
  keepChoice("d-type", [["*", "every event"], ...state.eventTypes.filter((type) => type !== "ALL_EVENTS").map((type) => [type])]);
  draw("faults", state.faults, (faults) => (faults.length ? faults.map((fault) => el("li", { class: "code" },
    `${fault.operation} ${fault.phase} ${fault.action}, ${from(fault, "call")}`)) : empty("No faults.")));
  draw("hook-faults", state.deliveryFaults, (faults) => (faults.length ? faults.map((fault) => el("li", { class: "code" },
    `${fault.eventType} ${fault.action}, ${from(fault, "event")}`)) : empty("No faults.")));
  draw("quirks", state.quirks, (quirks) => table(["Quirk", "Value", "What it decides"], quirks.map((quirk) => [
    el("span", { class: "code" }, quirk.name), el("span", { class: `tag ${quirk.set ? "warm" : ""}` }, quirk.value), `${quirk.doc} (${quirk.values.replaceAll("|", ", ")})`])));
  draw("people", state.people, (people) => table(["Login", "Password", "Code", "What happens"], people.map((who) => [
    el("span", { class: "code" }, who.login), el("span", { class: "code" }, who.password), el("span", { class: "code" }, who.mfa),
    [who.effect ?? "is connected", who.errorCode && el("div", { class: "code soft" }, who.errorCode)]])));
  await start();
}

const KEPT = 2000; // calls that can be searched
const SHOWN = 200;
const seen = { journal: 0, calls: [] }; // the last sequence number, and the calls, newest first

function forget() {
  seen.journal = 0;
  seen.calls = [];
  $("journal").replaceChildren();
}

const KINDS = {
  "": () => true,
  failed: ({ status }) => status < 200 || status > 299,
  changes: ({ committed }) => committed,
  link: ({ operation }) => operation.startsWith("link-"),
};

function wantedCall(entry) {
  const text = `${entry.method} ${entry.path} ${entry.query ?? ""} ${entry.operation} ${entry.userId ?? ""} ${entry.status} ${entry.key ?? ""}`.toLowerCase();
  return KINDS[$("j-kind").value](entry) && $("j-find").value.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function redrawCalls() {
  const found = seen.calls.filter(wantedCall).slice(0, SHOWN);
  $("journal").replaceChildren(...(found.length ? found.map(journalLine) : [empty(seen.calls.length ? "No such calls." : "No calls yet.", "p")]));
}

// showCalls shows the calls about something.
function showCalls(text) {
  $("inspector").close();
  $("j-find").value = text;
  $("j-kind").value = "";
  redrawCalls();
  $("j-find").scrollIntoView({ block: "center" });
  $("j-find").focus();
}

async function follow() {
  const calls = Object.values(state.stats.requests).flatMap(Object.values).reduce((sum, count) => sum + count, 0);
  if (calls < seen.journal) forget(); // the sandbox was reset
  const fresh = (await lines(`journal?since=${Math.max(seen.journal, calls - KEPT, 0)}`)).reverse();
  if (fresh.length || !$("journal").hasChildNodes()) {
    const first = seen.journal === 0;
    seen.journal = fresh[0]?.seq ?? 0;
    seen.calls = [...fresh, ...seen.calls].slice(0, KEPT);
    if (first) {
      redrawCalls();
    } else {
      $("journal").querySelector(".empty")?.remove();
      $("journal").prepend(...fresh.filter(wantedCall).slice(0, SHOWN).map(journalLine));
      [...$("journal").children].slice(SHOWN).forEach((line) => line.remove());
      if (!$("journal").hasChildNodes()) redrawCalls();
    }
  }
  await followDeliveries();
  if ($("mails-card").open) {
    draw("mails", await control("GET", "mails"), (mails) => (mails.length ? mails.map(mailText) : empty("No mails yet. Invites send them.", "p")));
  }
}

async function followDeliveries() {
  const recent = (await lines(`deliveries?since=${Math.max(0, state.stats.deliveries - KEPT)}`)).reverse();
  const wanted = recent.filter((delivery) => {
    const text = `${delivery.eventType} ${delivery.eventId} ${delivery.url} ${delivery.webhookId} ${delivery.userId ?? ""} ${delivery.state}`.toLowerCase();
    return (!$("d-state").value || delivery.state === $("d-state").value) && $("d-find").value.toLowerCase().split(/\s+/).every((word) => text.includes(word));
  }).slice(0, SHOWN);
  draw("deliveries", [wanted, recent.length > 0], () => (wanted.length ? wanted.map(deliveryLine) : empty(recent.length ? "No such deliveries." : "No deliveries yet.", "p")));
}
