// el makes an element. Properties that start with "on" are listeners, the others
// are attributes. null, undefined and false omit them. Text is never parsed as
// HTML.
function el(tag, properties = {}, ...children) {
  return furnish(document.createElement(tag), properties, children);
}

function furnish(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) {
      node.addEventListener(name.slice(2), value);
    } else if (value !== null && value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

// Drawings on a grid of 24, as paths.
const ICONS = {
  back: "M15 5l-7 7 7 7",
  next: "M9 5l7 7-7 7",
  close: "M6 6l12 12M18 6L6 18",
  check: "M5 12.5l4.5 4.5L19 7",
  alert: "M12 7v6M12 16.8v.2",
  lock: "M7 11V8a5 5 0 0 1 10 0v3M6 11h12v9H6z",
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.5L20 20",
  person: "M12 11.5a3.75 3.75 0 1 0 0-7.5 3.75 3.75 0 0 0 0 7.5zM5 20c.6-3.6 3.3-5.5 7-5.5s6.4 1.9 7 5.5",
  undo: "M8 5L4 9l4 4M4.5 9H14a5.5 5.5 0 0 1 0 11H9",
  file: "M7 3h7l4 4v14H7zM14 3v4h4",
  unlink: "M10 14a4 4 0 0 0 5.7 0l2.6-2.6a4 4 0 0 0-5.7-5.7M14 10a4 4 0 0 0-5.7 0l-2.6 2.6a4 4 0 0 0 5.7 5.7M4 4l16 16",
  link: "M10 14a4 4 0 0 0 5.7 0l2.6-2.6a4 4 0 0 0-5.7-5.7l-.9.9M14 10a4 4 0 0 0-5.7 0l-2.6 2.6a4 4 0 0 0 5.7 5.7l.9-.9",
};

const SVG = "http://www.w3.org/2000/svg";

function icon(name) {
  const path = furnish(document.createElementNS(SVG, "path"), { d: ICONS[name] }, []);
  return furnish(document.createElementNS(SVG, "svg"), { viewBox: "0 0 24 24", "aria-hidden": "true", class: "icon" }, [path]);
}

function button(label, onclick, properties = {}) {
  return el("button", { type: "button", class: "button", onclick, ...properties }, label);
}

// emblem is a drawing in a circle.
function emblem(name, tone) {
  return el("div", { class: `emblem ${tone}` }, icon(name));
}

const TINTS = 6;

// letters splits a text into what a reader takes for single letters.
function letters(text) {
  return [...new Intl.Segmenter("en", { granularity: "grapheme" }).segment(text)].map(({ segment }) => segment);
}

// tile is a company's initials or short name in a color that depends on the name.
// There are no logos, because the widget loads nothing from other hosts.
function tile(name, size = "") {
  const initials = name.split(/\s+/).filter(Boolean).slice(0, 2).map((word) => letters(word)[0].toUpperCase());
  const shown = /^\p{Lu}{2,3}$/u.test(name) ? letters(name) : initials;
  const tint = [...name].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % TINTS;
  return el("span", { class: `tile tint-${tint} of-${shown.length} ${size}`, "aria-hidden": "true" }, shown.join(""));
}

let fields = 0;

// field is a labeled input. complain(text) shows a problem, also to screen readers;
// complain() removes it.
function field(label, attributes, addition = null) {
  const id = `smile-field-${(fields += 1)}`;
  const problem = el("p", { class: "problem", id: `${id}-problem`, role: "alert" });
  const input = el("input", {
    id, class: "input", spellcheck: "false", autocapitalize: "none", "aria-describedby": problem.id, ...attributes,
    oninput: () => complain(""),
  });
  function complain(text) {
    problem.textContent = text;
    if (text) {
      input.setAttribute("aria-invalid", "true");
      input.focus();
    } else {
      input.removeAttribute("aria-invalid");
    }
  }
  const node = el("div", { class: "field" }, el("label", { for: id }, label), el("div", { class: "control" }, input, addition), problem);
  return { node, input, complain };
}

function passwordField() {
  const toggle = el("button", { type: "button", class: "reveal", "aria-pressed": "false", "aria-label": "Show password", onclick: reveal }, "Show");
  const made = field("Password", { type: "password", name: "password", autocomplete: "current-password", required: true, maxlength: 200 }, toggle);
  function reveal() {
    const shown = made.input.type === "text";
    made.input.type = shown ? "password" : "text";
    toggle.setAttribute("aria-pressed", String(!shown));
    toggle.textContent = shown ? "Show" : "Hide";
  }
  return made;
}

// form submits once at a time. While it is busy, its fields cannot be changed.
function form(onsubmit, ...children) {
  const group = el("fieldset", {}, children);
  const node = el("form", {
    novalidate: true,
    onsubmit: (event) => {
      event.preventDefault();
      if (!group.disabled) {
        onsubmit();
      }
    },
  }, group);
  return { node, busy: (yes) => { group.disabled = yes; } };
}

// sentence ends a text with a period, unless it ends with one, as in "Inc.".
function sentence(text) {
  return /[.!?。]$/u.test(text) ? text : `${text}.`;
}

function longDate(text) {
  return new Date(text).toLocaleDateString("en", { dateStyle: "long" });
}

// bullet is a line of a list with a drawing in front.
function bullet(drawing, heading, text) {
  return el("li", {}, icon(drawing), el("div", {}, el("strong", {}, heading), el("span", {}, text)));
}
