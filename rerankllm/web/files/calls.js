// A list of calls: a row each, which opens to what was shown and what came back.
/** Rows that are shown at once. */
const PAGE = 50;
const inFull = (number) => number.toLocaleString("en");

/** The table around the rows. heads: the names of the six columns. */
function callTable(heads, body) {
  return scroll(
    "Calls",
    el(
      "table",
      { class: "calls" },
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          heads.map((head, i) => el("th", { scope: "col", class: [0, 1, 5].includes(i) ? "n" : null }, head)),
        ),
      ),
      body,
    ),
  );
}

/**
 * A row. when: in which step or after how many seconds; count: how many documents to say were shown, if any;
 * brief: the answer in a line; detail() → what the row opens to.
 */
function callRow(call, { when, count, brief, detail }) {
  const repairs = Object.entries(call.repairs || {}).map(([name, times]) => ` ${name} ${times}`);
  return opening(
    call.n,
    `call ${call.n}`,
    [
      el("td", { class: "n" }, when),
      el("td", {}, `${KINDS_ASKED[call.kind] || call.kind}${count ? ` ${count}` : ""}`),
      el("td", { class: "answer" }, el("div", { class: "clamp" }, brief)),
      el(
        "td",
        {},
        el("span", { class: `status ${call.status}` }, call.status),
        repairs.length ? el("span", { class: "soft" }, repairs.join(",")) : null,
      ),
      el("td", { class: "n" }, (call.tokens || []).some(Boolean) ? call.tokens.map(inFull).join(" + ") : UNKNOWN),
    ],
    detail,
  );
}

/** A row whose first cell is a button that opens it to a row below. */
function opening(text, name, cells, detail) {
  const button = el(
    "button",
    {
      type: "button",
      class: "plain",
      "aria-expanded": "false",
      "aria-label": name,
      onclick: () => {
        const open = button.getAttribute("aria-expanded") === "true";
        button.setAttribute("aria-expanded", String(!open));
        if (open) row.nextElementSibling.remove();
        else row.after(el("tr", { class: "call-detail" }, el("td", { colspan: cells.length + 1 }, detail())));
      },
    },
    text,
  );
  const row = el("tr", {}, el("td", { class: "n" }, button), cells);
  return row;
}

/** A prompt: its own words, and the passages in it with a bar at their left. passage(place) → {id, text}, from 0. */
function promptOf(pieces, passage) {
  const from = ([place, length]) => {
    const { id, text } = passage(place);
    const shown = length === undefined ? text : Array.from(text).slice(0, length).join(""); // as Python counts
    return el("span", { class: "from", dir: "auto", title: id }, shown);
  };
  return el(
    "pre",
    { class: "prompt", tabindex: "0", "aria-label": "Prompt" },
    pieces.map((piece) => (typeof piece === "string" ? piece : from([piece].flat()))),
  );
}
