// Tables for elsewhere: copied for a spreadsheet, or as a CSV file. Numbers are whole, not as they are rounded here.

/** Two buttons. rows: the table as it stands, () → [[cell]], its head first; name: of the file. */
function exported(name, rows, ...more) {
  const told = el("span", { class: "soft", role: "status" });
  const button = (label, run) => el("button", { type: "button", class: "quiet", onclick: run }, label);
  const copier = (label, text) => button(label, async () => fill(told, (await copy(text())) ? "copied" : "this browser lets no page copy"));
  return el(
    "div",
    { class: "export", role: "group", "aria-label": `${name}, for elsewhere` },
    copier("Copy", () => rows().map((row) => row.map((cell) => plainCell(cell).replace(/[\t\r\n]+/g, " ")).join("\t")).join("\n")),
    button("CSV", () => download(`${name.toLowerCase().replace(/[^a-z0-9]+/g, "-")}.csv`, rows().map((row) => row.map(csvCell).join(",")).join("\r\n") + "\r\n")),
    more.map(([label, text]) => copier(label, () => text)),
    told,
  );
}

const plainCell = (cell) => (cell === null || cell === undefined ? "" : String(cell));
/** A cell that no spreadsheet takes for a formula. */
function csvCell(cell) {
  const text = plainCell(cell);
  const safe = typeof cell !== "number" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const box = el("textarea", { class: "offscreen", readonly: true });
    box.value = text;
    document.body.append(box);
    box.select();
    const done = document.execCommand("copy"); // a file that was opened from a disk has no clipboard of its own
    box.remove();
    return done;
  }
}

function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
