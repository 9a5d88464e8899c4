function plainRow(drawing, heading, text, onclick, mark = icon("next")) {
  return el("button", { type: "button", class: "row", onclick },
    el("span", { class: "tile plain-tile", "aria-hidden": "true" }, icon(drawing)),
    el("span", { class: "names" }, el("strong", {}, heading), text ? el("span", {}, text) : null), mark);
}

function uploadRow(flow) {
  return plainRow("file", "Upload documents", "Payslips, certificates and other documents", () => flow.show(fileTypeListPage));
}

function archiveRow(flow, archive) {
  return plainRow("file", flow.session.fileType(archive.type).typeLabel, archive.rawFiles.map((file) => file.name).join(", "),
    () => flow.show(revokeArchivePage, archive), el("span", { class: "badge" }, icon("check")));
}

function fileTypeListPage(flow) {
  return {
    event: "FileTypeListPageOpened",
    heading: "Which document do you have?",
    hint: "Choose a recent document that shows your name.",
    body: el("ul", { class: "rows" }, flow.session.fileTypes.map((type) => el("li", {},
      plainRow("file", type.typeLabel, null, () => flow.show(fileTypePage, type))))),
    back: () => flow.list(),
  };
}

// fileTypePage accepts files of one type, chosen or dropped.
function fileTypePage(flow, type) {
  const chosen = [];
  const list = el("ul", { class: "files" });
  const problem = el("p", { class: "problem", role: "alert" });
  const status = el("p", { class: "progress", role: "status" });
  const send = el("button", { type: "submit", class: "button primary", disabled: true }, "Upload");
  const picker = el("input", {
    type: "file", multiple: true, accept: FORMATS.map((format) => `.${format.toLowerCase()}`).join(","), class: "picker",
    "aria-label": `Choose files for ${type.typeLabel}`,
    onchange: () => {
      take([...picker.files]);
      picker.value = "";
    },
  });
  const drop = el("label", {
    class: "drop",
    ondragover: (event) => event.preventDefault(),
    ondrop: (event) => {
      event.preventDefault();
      take([...event.dataTransfer.files]);
    },
  }, picker, icon("file"), el("strong", {}, "Choose files"), el("span", { class: "small" }, "PDF, PNG or JPEG, up to 15 MB each"));
  const sheet = form(submit, drop, problem, list, send);
  const busy = (yes) => {
    sheet.busy(yes);
    status.textContent = yes ? "Uploading …" : "";
  };

  function take(files) {
    problem.textContent = files.map(refusal).filter(Boolean).join(" ");
    chosen.push(...files.filter((file) => !refusal(file)));
    drawFiles();
  }
  function drawFiles() {
    send.disabled = chosen.length === 0;
    list.replaceChildren(...chosen.map((file, at) => el("li", {}, el("span", {}, file.name),
      button("Remove", () => {
        chosen.splice(at, 1);
        problem.textContent = "";
        drawFiles();
        picker.focus();
      }, { class: "button small", "aria-label": `Remove ${file.name}` }))));
  }
  function submit() {
    if (chosen.length > 0) {
      flow.act(busy, () => flow.session.upload(type, chosen), () => flow.show(archiveSuccessPage, type));
    }
  }
  return {
    event: "FileTypePageOpened",
    detail: { archive: { fileType: type.type } },
    heading: type.typeLabel,
    hint: "Upload every page, complete and readable.",
    body: [sheet.node, status],
    back: () => flow.show(fileTypeListPage),
  };
}

// refusal says why a file cannot be uploaded, "" if it can.
function refusal(file) {
  if (!FORMATS.includes(formatOf(file))) {
    return `${file.name} is not a PDF, PNG or JPEG file.`;
  }
  if (file.size === 0) {
    return `${file.name} is empty.`;
  }
  return file.size > LARGEST_FILE ? `${file.name} is larger than 15 MB.` : "";
}

function archiveSuccessPage(flow, type) {
  return {
    event: "ArchiveSuccessPageOpened",
    detail: { archive: { fileType: type.type } },
    heading: "Thank you, your document was received",
    hint: `${companyOf(flow, "The service that you came from")} can see its data in a few minutes.`,
    centered: true,
    lead: emblem("check", "good"),
    body: el("div", { class: "actions" },
      button("Done", () => flow.close("exit"), { class: "button primary" }),
      button("Upload another document", () => flow.show(fileTypeListPage), { class: "button quiet" })),
  };
}

function revokeArchivePage(flow, archive) {
  const label = flow.session.fileType(archive.type).typeLabel;
  const confirm = () => flow.show(confirmPage, {
    heading: `Delete ${label}?`,
    yes: "Yes, delete",
    no: "Keep it",
    doing: "Deleting …",
    work: () => flow.session.withdraw(archive),
    done: () => flow.list(`${label} was deleted.`),
    back: () => flow.show(revokeArchivePage, archive),
  });
  return {
    event: "RevokeArchivePageOpened",
    detail: { archive: { fileType: archive.type } },
    heading: label,
    hint: `Uploaded on ${longDate(archive.createdAt)}.`,
    lead: emblem("file", "calm"),
    body: [
      el("ul", { class: "promises" },
        bullet("file", archive.rawFiles.length === 1 ? "The file" : "The files", archive.rawFiles.map((file) => file.name).join(", ")),
        bullet("unlink", "If you delete it", "The document and the data read from it are deleted. This cannot be undone.")),
      el("div", { class: "actions" },
        button("Delete", confirm, { class: "button danger" }), button("Keep it", () => flow.list(), { class: "button quiet" })),
    ],
    back: () => flow.list(),
  };
}
