// The hosted page of the Wink widget. The link's code is in the fragment of the address. It is removed from the address before
// any other script runs. What remains, in the state of this entry of the tab's history, is a name that the tab gave itself: it
// is no token, and lets only this tab open the link again.
"use strict";
(() => {
  const front = JSON.parse(document.documentElement.dataset.front);
  const code = location.hash.slice(1);
  const address = location.pathname + location.search;
  let tab = typeof history.state?.tab === "string" ? history.state.tab : "";
  if (code) {
    tab = base64(crypto.getRandomValues(new Uint8Array(32)));
    history.replaceState({ tab }, "", address);
  }

  function base64(bytes) {
    return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  }

  const $ = (selector) => document.querySelector(selector);
  const names = Object.keys(front.texts);
  let language = choose();
  let shown = { lines: ["opening"], actions: [] };

  // choose is the first language of the person that the page has.
  function choose() {
    for (const wanted of [new URLSearchParams(location.search).get("lang"), ...navigator.languages]) {
      const tag = (wanted ?? "").replace(/^tl\b/i, "fil");
      const found = names.find((name) => name.toLowerCase() === tag.toLowerCase())
        ?? names.find((name) => name === tag.split("-")[0].toLowerCase());
      if (found) {
        return found;
      }
    }
    return "en";
  }

  // translated is a text, and the language that it is in.
  function translated(key) {
    const own = front.texts[language][key];
    return own ? { text: own, lang: language } : { text: front.texts.en[key], lang: "en" };
  }

  function put(node, key) {
    const { text, lang } = translated(key);
    node.textContent = text;
    node.lang = lang;
    return node;
  }

  // show shows lines of text and actions, each by the key of its text.
  function show(lines, ...actions) {
    shown = { lines, actions };
    draw();
  }

  function draw() {
    document.documentElement.lang = language;
    document.title = translated("title").text;
    put($("#title"), "title");
    put($("#languages label"), "language");
    $("#news").replaceChildren(...shown.lines.map((key) => put(document.createElement("p"), key)));
    $("#actions").replaceChildren(...shown.actions.map(control));
  }

  function control({ key, act, href }) {
    const node = put(document.createElement(href ? "a" : "button"), key);
    node.className = "button";
    if (href) {
      node.href = href;
    } else {
      node.type = "button";
      node.addEventListener("click", act);
    }
    return node;
  }

  // light is how bright a color is, from 0 to 1 (WCAG 2, relative luminance).
  function light(color) {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16) / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }

  // paint sets a color, and black or white for the text on it, whichever has more contrast.
  function paint(name, color) {
    if (color) {
      document.documentElement.style.setProperty(`--${name}`, color);
      document.documentElement.style.setProperty(`--on-${name}`, light(color) > 0.179 ? "#000000" : "#ffffff");
    }
  }

  function dress() {
    paint("primary", front.primary);
    paint("background", front.background);
    if (front.companyName) {
      $("#company").textContent = front.companyName;
      $("#company").hidden = false;
    }
    if (front.logoURL) {
      $("#logo").addEventListener("load", () => { $("#logo").hidden = false; });
      $("#logo").referrerPolicy = "no-referrer";
      $("#logo").src = front.logoURL;
    }
    for (const name of names) {
      const option = document.createElement("option");
      option.value = name;
      option.lang = name;
      option.textContent = new Intl.DisplayNames([name], { type: "language", fallback: "code" }).of(name);
      $("#language").append(option);
    }
    $("#language").value = language;
    $("#language").addEventListener("change", () => {
      language = $("#language").value;
      draw();
    });
    $("#languages").hidden = front.missing === true;
  }

  // tell sends an event to the page that opened or frames this one, if its origin is allowed, and to the app around it.
  function tell(name, detail = null) {
    const message = { source: "smile-wink", name, detail };
    const text = JSON.stringify(message);
    for (const target of [window.opener, window.parent === window ? null : window.parent]) {
      for (const origin of target ? front.allowedOrigins : []) {
        target.postMessage(message, origin);
      }
    }
    for (const send of [
      () => window.webkit?.messageHandlers?.smileWink?.postMessage(message),
      () => window.smileWink?.postMessage?.(text),
      () => window.ReactNativeWebView?.postMessage(text),
    ]) {
      try {
        send();
      } catch (error) {
        console.error("an app did not take an event", error);
      }
    }
  }

  // exchange gets what the widget is started with, for the code or for the name of this tab.
  async function exchange() {
    const response = await fetch(`${location.pathname}/open`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ code: code || undefined, tab }),
      credentials: "omit", cache: "no-store", referrerPolicy: "no-referrer", redirect: "error",
    });
    return { ok: response.ok, body: await response.json() };
  }

  const againLater = ["notReady", "later"];

  async function open() {
    show(["opening"]);
    let answer = null;
    try {
      answer = await exchange();
    } catch {
      refuse("openFailed", true);
      return;
    }
    if (!answer.ok) {
      const reason = Object.hasOwn(front.texts.en, answer.body.reason) ? answer.body.reason : "openFailed";
      refuse(reason, againLater.includes(reason) || reason === "openFailed");
      return;
    }
    if (await present()) {
      start(answer.body);
    } else {
      refuse("openFailed", true);
    }
  }

  // present reports whether the vendor's script is here, and loads it again if it was not loaded with the page.
  function present() {
    if (window.SmileLinkModal) {
      return true;
    }
    return new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = front.scriptURL;
      script.addEventListener("load", () => resolve(Boolean(window.SmileLinkModal)));
      script.addEventListener("error", () => resolve(false));
      document.head.append(script);
    });
  }

  // refuse says why the widget is not opened. onRefused is the page's own event: the widget has none for it.
  function refuse(reason, again) {
    tell("onRefused", { reason });
    if (again) {
      show([reason], { key: "retry", act: open });
    } else if (reason === "missing") {
      show([reason]);
    } else {
      show([reason, "askAgain"]);
    }
    $("#title").focus();
  }

  // start opens the widget, and passes its events on.
  function start({ accessToken, apiHost, templateId, options }) {
    const connected = new Set();
    let expired = false;
    const seen = {
      onAccountCreated() {},
      onAccountConnected({ accountId }) { connected.add(accountId); },
      onAccountRemoved({ accountId }) { connected.delete(accountId); },
      onAccountError() {},
      onUploadsCreated() {},
      onUploadsRemoved() {},
      onTokenExpired() { expired = true; },
      onUIEvent() {},
      onClose(detail) {
        const reason = detail?.reason ?? detail;
        finish(connected.size > 0 ? "connected" : expired ? "expired" : reason === "error" ? "error" : "closed");
      },
    };
    const callbacks = {};
    for (const [name, see] of Object.entries(seen)) {
      callbacks[name] = (detail) => {
        tell(name, detail ?? null);
        see(detail ?? {});
      };
    }
    const given = templateId ? { ...options, templateId } : { ...options };
    new window.SmileLinkModal({ ...given, userToken: accessToken, apiHost, ...callbacks }).open();
  }

  const ends = {
    connected: ["connected"], closed: ["closed"], error: ["failed"], expired: ["tokenExpired", "askAgain"],
  };

  // finish ends the visit: with returnURL the browser goes there, unless the page is in a frame, whose owner has the events.
  function finish(status) {
    const back = front.returnURL ? returnTo(status) : "";
    const actions = [];
    if (status === "closed" || status === "error") {
      actions.push({ key: "retry", act: open });
    } else {
      history.replaceState(null, "", address);
      tab = "";
    }
    if (back) {
      actions.push({ key: "return", href: back });
    }
    show(back || status === "expired" ? ends[status] : [...ends[status], "mayClose"], ...actions);
    $("#title").focus();
    if (back && window.parent === window) {
      location.assign(back);
    }
  }

  function returnTo(status) {
    const url = new URL(front.returnURL);
    url.searchParams.set("status", status);
    return url.href;
  }

  // A link that is opened in this tab while the page is open only changes the fragment.
  addEventListener("hashchange", () => {
    if (location.hash.length > 1) {
      location.reload();
    }
  });

  // Scripts with defer run in their order, and then this event comes.
  addEventListener("DOMContentLoaded", () => {
    dress();
    if (front.missing) {
      refuse("missing", false);
    } else if (!tab) {
      refuse("invalid", false);
    } else {
      open();
    }
  });
})();
