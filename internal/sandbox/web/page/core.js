"use strict";
const $ = (id) => document.getElementById(id);

function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

// Calls to the sandbox

async function control(method, path, body) {
  const response = await fetch(`/_sandbox/${path}`, { method, headers: body ? { "Content-Type": "application/json" } : {}, body: body && JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

async function lines(path) {
  const response = await fetch(`/_sandbox/${path}`);
  return (await response.text()).split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

let newsTimer;
function tell(text) {
  $("news").textContent = text;
  clearTimeout(newsTimer);
  newsTimer = setTimeout(() => { $("news").textContent = ""; }, 5000);
}

// attempt runs an action, shows its result and then the new state.
async function attempt(work, done) {
  try {
    const result = await work();
    tell(typeof done === "function" ? done(result) : done);
  } catch (error) {
    tell(`Failed: ${error.message}`);
  }
  await refresh();
}

// Drawing

const drawn = new Map();

// draw replaces the contents of an element if the data has changed. The focus stays on
// the control with the same data-at.
function draw(id, data, make) {
  const text = JSON.stringify(data);
  if (drawn.get(id) === text) return;
  drawn.set(id, text);
  const at = $(id).contains(document.activeElement) ? document.activeElement.dataset.at : undefined;
  $(id).replaceChildren(...[make(data)].flat());
  if (at) $(id).querySelector(`[data-at="${CSS.escape(at)}"]`)?.focus({ preventScroll: true });
}

const clock = (text) => new Date(text).toISOString().slice(11, 19);
const day = (text) => text.slice(0, 19).replace("T", " ").replace("Z", "");
const short = (id) => (id.length > 24 ? `${id.slice(0, 14)}…${id.slice(-6)}` : id);
const empty = (text, tag = "li") => el(tag, { class: "empty" }, text);
const options = (values) => values.map(([value, label]) => el("option", { value }, label ?? value));
const counted = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
const words = (name) => name.toLowerCase().replaceAll("_", " ");
const TONES = { CONNECTED: "good", ERROR: "bad", PENDING: "warm", AWAITING_MFA: "warm", DELIVERED: "good", FAILED: "bad", LOST: "bad" };

async function copy(text, news) {
  try {
    await navigator.clipboard.writeText(text);
    tell(news);
  } catch {
    tell("The browser does not permit copying: select the text instead.");
  }
}

function copyable(id) {
  return el("button", { class: "tiny code", title: `Copy ${id}`, "data-at": `copy ${id}`, onclick: () => copy(id, `Copied ${id}`) }, short(id));
}

// table has a row for each item, which is a list of cells.
function table(headings, rows) {
  return el("table", {}, el("thead", {}, el("tr", {}, headings.map((heading) => el("th", { scope: "col" }, heading)))),
    el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map((cell) => el("td", {}, cell))))));
}

function keepChoice(id, values) {
  const chosen = $(id).value;
  draw(id, values, options);
  if (values.some(([value]) => value === chosen)) $(id).value = chosen;
}
