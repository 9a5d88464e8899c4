// Actions of the buttons

function showLink(userId) {
  const dialog = $("link-dialog");
  const sheet = dialog.querySelector("form");
  dialog.onclose = () => {
    if (dialog.returnValue !== "link") return;
    const who = state.people.find(({ login }) => login === sheet.login.value);
    attempt(() => control("POST", "link", {
      userId, providerId: sheet.providerId.value, login: who.login,
      password: sheet.wrong.checked ? `not ${who.password}` : who.password, mfa: sheet.code.checked ? who.mfa : "",
    }), (account) => `${account.providerId} is ${account.connectionStatus}`);
  };
  dialog.returnValue = "";
  dialog.showModal();
}

function showAccount(account) {
  const dialog = $("account-dialog");
  const codes = dialog.querySelector("select");
  codes.replaceChildren(...options(state.errorCodes.map((code) => [code])));
  $("account-title").textContent = `Account at ${account.providerId}`;
  $("account-text").textContent = JSON.stringify(account, null, 2);
  dialog.onclose = () => {
    const what = dialog.returnValue;
    if (what) {
      attempt(() => control("POST", `accounts/${account.id}/${what}`, what === "fail" ? { errorCode: codes.value } : undefined),
        (changed) => `${changed.providerId} is ${changed.connectionStatus}`);
    }
  };
  dialog.returnValue = "";
  dialog.showModal();
}

const CALLBACKS = ["onAccountCreated", "onAccountConnected", "onAccountRemoved", "onAccountError", "onTokenExpired", "onClose", "onUploadsCreated", "onUploadsRemoved", "onUIEvent"];

function widgetLoaded() {
  return window.SmileLinkModal ? Promise.resolve() : new Promise((resolve, reject) => {
    document.head.append(el("script", { src: "/v2/smile.v2.js", onload: resolve, onerror: () => reject(new Error("the widget cannot be loaded")) }));
  });
}

function launch(userId) {
  const sheet = $("launcher");
  const list = (name) => sheet[name].value.split(/[\s,]+/).filter(Boolean);
  const callbacks = Object.fromEntries(CALLBACKS.map((name) => [name, (values) => called(name, values)]));
  attempt(async () => {
    await widgetLoaded();
    const { accessToken } = await control("POST", `users/${userId}/token`);
    new window.SmileLinkModal({
      userToken: accessToken, companyName: sheet.companyName.value, providers: list("providers"), topProviders: list("topProviders"),
      enableConsentPage: sheet.enableConsentPage.checked, enableSearchBar: sheet.enableSearchBar.checked,
      enableTypeBar: sheet.enableTypeBar.checked, enableUpload: sheet.enableUpload.checked, ...callbacks,
    }).open();
  }, "");
}

function called(name, values) {
  $("callbacks").prepend(el("div", { class: "stack person" }, el("b", {}, name === "onUIEvent" ? `${name} ${values.eventName}` : name),
    values ? el("pre", { class: "code soft" }, JSON.stringify(values)) : null));
  refresh();
}

$("new-user").onclick = () => attempt(() => control("POST", "users", { key: tenant().key }), ({ user }) => `Created ${user.id}`);
$("find").oninput = () => refresh();
$("key").onchange = () => { started = false; refresh(); };
$("seed").onsubmit = (event) => {
  event.preventDefault();
  const users = Number(event.target.users.value);
  attempt(() => control("POST", "seed", { users, accountsPerUser: 1, key: tenant().key }), `Created ${counted(users, "user")} with an account each`);
};
$("launcher").onsubmit = (event) => {
  event.preventDefault();
  if ($("w-user").value) launch($("w-user").value);
  else tell("Create a user first.");
};
$("fault").onsubmit = (event) => {
  event.preventDefault();
  const { operation, action, phase, nth, count } = event.target;
  attempt(() => control("PUT", "faults", [...state.faults, {
    operation: operation.value, action: action.value, phase: phase.value, nth: Number(nth.value), count: Number(count.value),
  }]), "The fault is set. All counts start again.");
};
$("no-faults").onclick = () => attempt(() => control("PUT", "faults", []), "All faults are cleared.");
$("hook-fault").onsubmit = (event) => {
  event.preventDefault();
  const { eventType, action, nth, count } = event.target;
  attempt(() => control("PUT", "deliveries/faults", [...state.deliveryFaults, {
    eventType: eventType.value, action: action.value, nth: Number(nth.value), count: Number(count.value),
  }]), "The fault is set. All counts start again.");
};
$("no-hook-faults").onclick = () => attempt(() => control("PUT", "deliveries/faults", []), "All faults are cleared.");
$("j-find").oninput = redrawCalls;
$("j-kind").onchange = redrawCalls;
$("d-find").oninput = followDeliveries;
$("d-state").onchange = followDeliveries;
$("reset").onclick = () => {
  if (confirm("Delete all users, accounts, webhooks and the journal?")) {
    attempt(async () => {
      await control("POST", "reset");
      forget();
      $("callbacks").replaceChildren();
    }, "Everything is deleted.");
  }
};
document.querySelectorAll("[data-advance]").forEach((button) => {
  button.onclick = () => attempt(() => control("POST", "clock", { advance: button.dataset.advance }), `The clock is ${button.textContent.replace("+", "")} ahead.`);
});

// The page refreshes every second while it is visible.
async function loop() {
  if (!document.hidden) {
    await refresh().then(() => $("live").checked ? follow() : undefined).catch((error) => tell(`The sandbox does not respond: ${error.message}`));
  }
  setTimeout(loop, 1000);
}
loop();
