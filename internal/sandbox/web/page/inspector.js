// The inspector: a dialog about one call, delivery or user.

function inspect(title, actions, body) {
  $("inspector-title").textContent = title;
  $("inspector-actions").replaceChildren(...actions.filter(Boolean));
  $("inspector-body").replaceChildren(...body.flat().filter(Boolean));
  if (!$("inspector").open) $("inspector").showModal();
  $("inspector").scrollTop = 0;
  $("inspector-title").focus({ preventScroll: true });
}
$("inspector-close").onclick = () => $("inspector").close();

const facts = (pairs) => el("dl", { class: "facts" }, pairs.filter(([, value]) => value).flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));

function part(heading, ...content) {
  return el("section", { class: "part" }, el("h3", {}, heading), ...content);
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

const headerLines = (message) => Object.entries(message.headers).flatMap(([name, values]) => values.map((value) => `${name}: ${value}`));

function messagePart(heading, message) {
  if (!message) return null;
  const headers = headerLines(message);
  const body = message.base64 ? `${message.size} bytes that are not text` : pretty(message.body);
  return part(heading,
    headers.length ? el("pre", { class: "code text soft" }, headers.join("\n")) : null,
    body ? el("pre", { class: "code text" }, body) : null,
    message.truncated ? el("p", { class: "soft small" }, `Only the start of ${counted(message.size, "byte")}.`) : null);
}

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const UNCOPIED = ["Host", "Content-Length", "Accept-Encoding", "User-Agent", "Connection"];

// curl is the command that repeats a request. Masked credentials become variables of the
// shell.
function curl(method, url, message, key) {
  const words = ["curl", ...(method === "GET" ? [] : ["-X", method]), quote(url)];
  for (const [name, values] of Object.entries(message.headers)) {
    if (UNCOPIED.includes(name) || name.startsWith("Sec-")) continue;
    for (const value of values) {
      if (value === "Basic •••") words.push("-u", `${quote(`${key}:`)}"$SMILE_SECRET"`);
      else words.push("-H", value === "Bearer •••" ? '"Authorization: Bearer $LINK_TOKEN"' : quote(`${name}: ${value}`));
    }
  }
  if (message.body) words.push("--data-raw", quote(message.body));
  return words.join(" ");
}

const copyCurl = (command) => el("button", { class: "tiny", onclick: () => copy(command, "Copied the curl command.") }, "Copy as curl");

function secretsButton(shown, again) {
  return el("button", { class: "tiny", "aria-pressed": String(shown), onclick: () => again(!shown) }, shown ? "Hide secrets" : "Show secrets");
}

const forgotten = () => part("Headers and bodies", el("p", { class: "soft" },
  state.bodies ? "They are no longer available: only the newest 64 MiB are kept." : "They are not kept, because the sandbox runs with --journal-bodies=false."));

async function inspectCall(seq, secrets = false) {
  const { entry, kept, request, response } = await control("GET", `journal/${seq}?secrets=${secrets}`);
  const path = `${entry.path}${entry.query ? `?${entry.query}` : ""}`;
  const command = request && curl(entry.method, location.origin + path, request, entry.key);
  inspect(`${entry.method} ${path}`, [
    command && copyCurl(command),
    request?.masked || response?.masked || secrets ? secretsButton(secrets, (shown) => open(() => inspectCall(seq, shown))) : null,
  ], [
    facts([
      ["Status", entry.status ? String(entry.status) : "cut off: no response was sent"], ["Operation", entry.operation], ["Time", day(entry.time)],
      ["From", entry.source], ["Key", entry.key], ["State", entry.committed ? "changed" : "unchanged"],
      ["User", entry.userId && el("button", { class: "tiny code", onclick: () => open(() => inspectUser(entry.userId)) }, entry.userId)],
    ]),
    kept ? null : forgotten(),
    messagePart("Request", request),
    messagePart("Response", response),
    command && part("As curl", el("pre", { class: "code text" }, command)),
  ]);
}

async function inspectDelivery(seq) {
  const { delivery, kept, event, attempts } = await control("GET", `deliveries/${seq}`);
  const sent = attempts.find(({ request }) => request);
  const command = sent && curl("POST", delivery.url, sent.request);
  const resend = () => attempt(async () => {
    const made = await control("POST", `deliveries/${seq}/resend`);
    await inspectDelivery(made.seq);
    return made;
  }, (made) => `Sent again, as delivery ${made.seq}.`);
  inspect(delivery.eventType, [
    kept ? el("button", { class: "tiny primary", onclick: resend }, "Resend") : null,
    command && copyCurl(command),
    el("button", { class: "tiny", onclick: () => open(() => inspectDelivery(seq)) }, "Refresh"),
  ], [
    facts([
      ["State", delivery.state.toLowerCase()], ["Delivery", `${seq}${delivery.resendOf ? `, ${delivery.resendOf} sent again` : ""}`],
      ["Event", delivery.eventId], ["Created", day(delivery.createdAt)], ["Webhook", delivery.webhookId], ["URL", delivery.url], ["Key", delivery.key],
    ]),
    kept ? messagePart("Event", event) : forgotten(),
    delivery.attempts.flatMap((made, at) => [
      part(`Attempt ${at + 1}`, facts([
        ["Response", made.status ? `${made.status} after ${made.milliseconds} ms` : made.error], ["Sent", day(made.at)],
      ])),
      messagePart("Request", attempts[at].request && { ...attempts[at].request, body: "" }),
      messagePart("Response", attempts[at].response),
    ]),
    command && part("As curl", el("pre", { class: "code text" }, command)),
  ]);
}

async function inspectUser(id) {
  const found = await control("GET", `users/${encodeURIComponent(id)}`);
  const { user, accounts, data, tasks, archives, invite, mail } = found;
  inspect(`User ${id}`, [
    el("button", { class: "tiny", onclick: () => showCalls(id) }, "Calls"),
    el("button", { class: "tiny", onclick: () => { $("inspector").close(); showLink(id); } }, "Link …"),
    el("button", { class: "tiny", onclick: () => { $("inspector").close(); launch(id); } }, "Widget"),
  ], [
    facts([["Created", day(user.createdAt)], ["Session", words(user.session.status)],
      ...Object.entries(user.externalMetadata ?? {}).map(([key, value]) => [key, value])]),
    part("Accounts", accounts.length ? table(["Account", "State", "Monitoring", "Since"], accounts.map((account) => [
      el("button", { class: "tiny code", onclick: () => { $("inspector").close(); showAccount(account); } }, `${account.providerId} ${short(account.id)}`),
      words(account.connection.errorCode ?? account.connectionStatus), words(account.monitorStatus), day(account.createdAt),
    ])) : empty("None yet.", "p")),
    data.map(({ id: accountId, providerId, payload }) => part(`Data of ${providerId} ${short(accountId)}`, dataPoints(payload))),
    archives.length ? part("Archives", table(["Archive", "Type", "State", "Files"], archives.map((archive) => [
      archive.id, archive.type ?? "unknown", words(archive.state.errorCode ?? archive.state.status),
      archive.rawFiles.map((file) => el("div", {}, archive.state.status === "REVOKED" ? file.name : el("a", { href: file.url, target: "_blank", rel: "noopener" }, file.name))),
    ]))) : null,
    invite ? part("Invite", facts([["Invite", invite.id], ["State", words(invite.status ?? "")], ["Name", invite.fullName]]), mailText(mail)) : null,
    tasks.length ? part("Tasks", table(["Task", "State", "Data points", "Started"], tasks.map((task) => [
      words(task.type), task.status, task.datapoints.map(words).join(", "), day(task.startedAt),
    ]))) : null,
  ]);
}

// dataPoints shows the items of each data point that has any.
function dataPoints(payload) {
  const filled = Object.entries(payload).filter(([, value]) => value);
  if (!filled.length) return empty("Nothing yet.", "p");
  return filled.map(([name, value]) => el("details", {},
    el("summary", {}, `${name} `, el("span", { class: "tag" }, String(value.items?.length ?? 1))),
    el("pre", { class: "code text" }, JSON.stringify(value.items ?? value, null, 2))));
}

function mailText(mail) {
  return el("div", {}, facts([["To", mail.to], ["From", mail.from], ["Subject", mail.subject], ["Sent", day(mail.at)], ["Link", el("span", { class: "code" }, mail.link)]]),
    el("pre", { class: "text" }, mail.body));
}
