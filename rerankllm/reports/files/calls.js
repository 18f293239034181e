// What the model was asked and answered for a query.
const HEADS = ["call", "step", "asked to", "answer, by place in the prompt", "read as", "tokens"];
function callsOf(data) {
  return el("div", { id: "calls" }, callsList(data, "all", null));
}
function showCalls(data, doc) {
  fill(document.getElementById("calls"), callsList(data, "all", doc));
  document.querySelector("#calls h3").focus();
}

function callsList(data, filter, doc) {
  const run = data.systems[browse.after][browse.afterRun],
    name = browse.after;
  const head = (text) => [
    el("h3", { tabindex: "-1", class: "below" }, `What ${name} asked and was answered`),
    el("p", { class: "soft" }, text),
  ];
  if (run.made === null)
    return el("div", {}, head(system(name).reference ? "It asks no model." : "No journal lies beside this run."));
  if (!run.made) return el("div", {}, head("The journal holds no call for this query."));
  if (!run.calls.length)
    return el(
      "div",
      {},
      head(
        `${plural(run.made, "call")}; ${DATA.calls === "none" ? "none was put into this page (--calls none)" : "none had to be repaired or failed, and only such were put into this page (--calls failed)"}.`,
      ),
    );
  const wanted = run.calls.filter(
    (call) => (filter === "all" || call.status !== "parsed") && (doc === null || (call.docs || []).includes(doc)),
  );
  const again = (nextFilter, nextDoc) => {
    const box = document.getElementById("calls");
    fill(box, callsList(data, nextFilter, nextDoc));
    box.querySelector("select").focus();
  };
  const body = el("tbody", {}),
    more = el("button", { type: "button", class: "below", onclick: () => add() });
  let shown = 0;
  function add() {
    for (const call of wanted.slice(shown, shown + PAGE)) body.append(keptCall(data, call));
    shown = Math.min(wanted.length, shown + PAGE);
    more.hidden = shown >= wanted.length;
    fill(more, `Show ${Math.min(PAGE, wanted.length - shown)} more of ${wanted.length}`);
  }
  add();
  const left = run.made > run.calls.length ? ` ${run.calls.length} of them are in this page.` : "";
  return el(
    "div",
    {},
    head(`${plural(run.made, "call")} for this query.${left} Each opens to what was sent and what came back.`),
    el(
      "div",
      { class: "controls" },
      choice(
        "Answers",
        [
          ["all", "all"],
          ["bad", "repaired, failed or lost"],
        ],
        filter,
        (value) => again(value, doc),
      ),
      doc === null
        ? null
        : el(
            "button",
            { type: "button", onclick: () => again(filter, null) },
            `Only those that show ${data.docs[doc].id}: clear`,
          ),
    ),
    wanted.length
      ? callTable(HEADS, body)
      : el("p", {}, "No such call."),
    more,
  );
}

const keptCall = (data, call) =>
  callRow(call, {
    when: call.step + 1,
    count: (call.docs || []).length,
    brief: brief(data, call),
    detail: () => exchange(data, call),
  });

/** A document's place in the prompt, from 1; templates label them as they like. */
const label = (call, doc) => call.docs.indexOf(doc) + 1;
function brief(data, call) {
  const answer = call.answer;
  if (!answer) return call.reason || (call.said ? call.said.slice(0, 120) : UNKNOWN);
  return answered(answer, (doc) => label(call, doc), (doc) => data.docs[doc].id, call.docs || []);
}

function exchange(data, call) {
  const named = (doc) => [
    el("span", { class: "label" }, `at ${label(call, doc)}`),
    el("bdi", {}, data.docs[doc].id),
    data.docs[doc].grade === null ? null : el("span", { class: "soft" }, ` grade ${data.docs[doc].grade}`),
  ];
  const list = (name, docs, tag) =>
    docs.length
      ? [
          el("h4", {}, name),
          el(
            tag,
            { class: "reading number" },
            docs.map((doc) => el("li", {}, named(doc))),
          ),
        ]
      : null;
  const order = call.answer && call.answer.groups;
  return el(
    "div",
    { class: "exchange" },
    el(
      "div",
      {},
      el("h4", {}, "Asked"),
      call.prompt
        ? el(
            "pre",
            { class: "prompt", tabindex: "0", "aria-label": "Prompt" },
            call.prompt.map((piece) => (typeof piece === "string" ? piece : fromDocument(data, piece))),
          )
        : el(
            "p",
            { class: "soft" },
            call.status === "lost"
              ? "The call failed, so its prompt was not kept."
              : "An identical call elsewhere was answered already, and is kept there.",
          ),
    ),
    el(
      "div",
      {},
      el("h4", {}, "Answered"),
      call.reasoning
        ? el("details", {}, el("summary", {}, "Its reasoning"), el("pre", { tabindex: "0" }, call.reasoning))
        : null,
      call.said ? el("pre", { class: "said", tabindex: "0", "aria-label": "Answer" }, call.said) : null,
      call.logprobs
        ? el(
            "details",
            {},
            el("summary", {}, "Log-probabilities"),
            el("pre", { tabindex: "0" }, JSON.stringify(call.logprobs)),
          )
        : null,
      order
        ? [list("Read as, best first; shown at", order.flat(), "ol"), list("Omitted", call.answer.omitted, "ul")]
        : [
            el("h4", {}, "Read as"),
            el("p", {}, brief(data, call)),
            list("Shown, in this order", call.docs || [], "ul"),
          ],
      el("p", { class: "soft" }, `${call.model}, step ${call.step + 1}${call.usd ? `, $${amount(call.usd)}` : ""}`),
    ),
  );
}
/** The beginning of a document as the prompt has it: so many characters, which JavaScript counts otherwise. */
function fromDocument(data, [doc, length]) {
  const { id, text } = data.docs[doc];
  return el("span", { class: "from", dir: "auto", title: id }, Array.from(text).slice(0, length).join(""));
}
