// An example for your own site: opens the widget that wink.json describes, with a link token from your backend.
const button = document.querySelector("#connect");
const outcome = document.querySelector("#outcome");

function load(url) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = resolve;
    script.onerror = () => reject(new Error("the widget's script was not loaded"));
    document.head.append(script);
  });
}

async function read(url, options) {
  const response = await fetch(url, options);
  if (!response.ok) {
    throw new Error(`${url}: ${response.status}`);
  }
  return response.json();
}

async function open() {
  const wink = await read("wink.json");
  const { accessToken } = await read(button.dataset.tokenUrl, { method: "POST" });
  if (!window.SmileLinkModal) {
    await load(wink.scriptUrl);
  }
  const options = { ...wink.options, userToken: accessToken, apiHost: wink.apiHost };
  if (wink.templateId) {
    options.templateId = wink.templateId;
  }
  new window.SmileLinkModal({
    ...options,
    onAccountConnected: () => { outcome.textContent = "Connected."; },
    onTokenExpired: () => { outcome.textContent = "The session has expired."; },
  }).open();
}

button.addEventListener("click", () => {
  open().catch(() => { outcome.textContent = "That did not work. Try again later."; });
});
