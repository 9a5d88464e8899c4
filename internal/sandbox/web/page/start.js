// Get started: what to paste where. It is open as long as there are no users.

let pairs = [];
let started = false;

async function start() {
  if (!pairs.length) {
    pairs = await control("GET", "keys");
    $("start").open = state.stats.users === 0;
  }
  if (!started) drawStart();
}

const OWN_CA = "smile-sandbox-ca.pem";

function drawStart() {
  started = true;
  const { key, secret } = pairs.find((pair) => pair.key === tenant().key) ?? pairs[0];
  const base = `${location.origin}/v1`;
  const secure = location.protocol === "https:";
  const trust = secure ? ` --cacert ${OWN_CA}` : "";
  const auth = `-u ${key}:${secret || "$SMILE_SECRET"}`;
  const script = `${location.origin}/v2/smile.v2.js`;
  $("ways").replaceChildren(
    way("Base URL and key pair",
      facts([["Base URL", el("span", { class: "code" }, base)], ["Key", el("span", { class: "code" }, key)],
        ["Secret", el("span", { class: "row" }, el("span", { class: "code" }, secret || "•••"), secret ? null : el("button", { class: "tiny", onclick: reveal }, "Show secret"))]]),
      pairs.length > 1 ? el("p", { class: "soft small" }, "Each key pair has its own users: choose one above the users.") : null),
    way("Three lines for a shell",
      secure ? snippet(`curl -sk ${location.origin}/_sandbox/ca.pem -o ${OWN_CA}   # if the sandbox has made its certificate`) : null,
      snippet(`ID=$(curl -s${trust} ${auth} ${base}/users -H 'Content-Type: application/json' -d '{}' | grep -o 'tenant-[^"]*' | head -1); echo "$ID"`),
      snippet(`curl -s${trust} ${location.origin}/_sandbox/link -d '{"userId":"'$ID'","providerId":"sss_ph","login":"George","password":"123456","mfa":"1234"}'`),
      snippet(`curl -s${trust} ${auth} "${base}/contributions?userId=$ID"`)),
    way("The widget in your page",
      snippet(`<script src="${script}"></scr` + "ipt>"),
      snippet("new SmileLinkModal({ userToken: accessToken, onAccountConnected: console.log }).open();"),
      el("p", { class: "soft small" }, "accessToken is in the response to POST /v1/users and POST /v1/tokens.")),
    way("Your backend",
      el("p", { class: "small" }, "Replace the base URL https://sandbox.smileapi.io/v1, and the key pair, in its configuration. For example:"),
      snippet(`SMILE_BASE_URL=${base} SMILE_API_KEY=${key} SMILE_API_SECRET=${secret || "…"}`)),
    way("smile-operator",
      snippet(`smile-operator --sandbox-endpoint=${base}`),
      snippet(`kubectl create secret generic smile-keys --from-literal=apiKey=${key} --from-literal=apiSecret=${secret || "…"}`),
      el("p", { class: "soft small" }, "Connections with spec.mode Sandbox then use this sandbox. A cluster must be able to reach the address.")),
    way("The vendor's quickstart",
      snippet(`cd node && APP_PORT=8000 API_KEY=${key} API_SECRET=${secret || "…"} OPEN_API_HOST=${base} node index.js`),
      snippet(`sed -i 's#https://web.smileapi.io/v2/smile.v2.js#${script}#' ../frontend/index.html`),
      el("p", { class: "soft small" }, "Then open http://127.0.0.1:8000/.")));
}

function way(heading, ...content) {
  return el("section", {}, el("h3", {}, heading), ...content);
}

function snippet(text) {
  return el("div", { class: "snippet" }, el("pre", { class: "code text" }, text),
    el("button", { class: "tiny", "aria-label": `Copy ${text}`, onclick: () => copy(text, "Copied.") }, "Copy"));
}

async function reveal() {
  pairs = await control("GET", "keys?secrets=true");
  drawStart();
}
