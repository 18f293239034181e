// What the model was asked and answered for a query.
const HEADS = ["call", "step", "asked to", "answer, by place in the prompt", "read as", "tokens"];
const WHOSE = { after: "after", before: "before", both: "both, where they asked the same" };

/** The calls below the rankings; asked: {filter, doc}, all when not said. */
function callsOf(data, asked = { filter: "all", doc: null }) {
  const box = el("div", { id: "calls" });
  if (browse.before === browse.after && browse.beforeRun === browse.afterRun) browse.calls = "after";
  const draw = (now) => {
    fill(box, callsHead(data, now, draw), browse.calls === "both" ? callsTogether(data, now.filter !== "all") : callsList(data, now));
  };
  draw(asked);
  return box;
}
function showCalls(data, doc, side) {
  browse.calls = side;
  document.getElementById("calls").replaceWith(callsOf(data, { filter: "all", doc }));
  document.querySelector("#calls h3").focus();
  remember();
}

/** Heading and controls; draw(asked) draws anew. */
function callsHead(data, asked, draw) {
  const both = browse.calls === "both";
  const again = (change, name) => (value) => {
    change(value);
    draw(asked);
    document.querySelector(`#calls [data-name=${name}]`).focus();
    remember();
  };
  const named = (name, node) => {
    node.querySelector("select").setAttribute("data-name", name);
    return node;
  };
  const who = both ? `${browse.before} and ${browse.after}` : browse[browse.calls];
  return el(
    "div",
    {},
    el("h3", { tabindex: "-1", class: "below" }, `What ${who} asked and was answered`),
    el(
      "div",
      { class: "controls" },
      browse.before === browse.after && browse.beforeRun === browse.afterRun
        ? null
        : named(
            "calls",
            choice(
              "Calls of",
              Object.entries(WHOSE).map(([which, name]) => [which, which === "both" ? name : `${name}: ${browse[which]}`]),
              browse.calls,
              again((value) => {
                browse.calls = value;
                asked = { ...asked, doc: null };
              }, "calls"),
            ),
          ),
      named(
        "answers",
        choice(
          "Answers",
          [
            ["all", "all"],
            ["bad", both ? "that differ" : "repaired, failed or lost"],
          ],
          asked.filter,
          again((filter) => {
            asked = { ...asked, filter };
          }, "answers"),
        ),
      ),
      asked.doc === null
        ? null
        : el(
            "button",
            { type: "button", onclick: () => again(() => (asked = { ...asked, doc: null }), "answers")() },
            `Only those that show ${data.docs[asked.doc].id}: clear`,
          ),
    ),
  );
}

function callsList(data, { filter, doc }) {
  const side = browse.calls,
    name = browse[side],
    run = data.systems[name][browse[`${side}Run`]];
  const say = (text) => el("p", { class: "soft" }, text);
  if (run.made === null) return say(system(name).reference ? "It asks no model." : "No journal lies beside this run.");
  if (!run.made) return say("The journal holds no call for this query.");
  if (!run.calls.length) {
    const why = {
      none: "none was put into this page (--calls none)",
      failed: "none had to be repaired or failed, and only such were put into this page (--calls failed)",
      all: "there was no room for them in this page (--max-size)",
    };
    return say(`${plural(run.made, "call")}; ${why[DATA.calls]}.`);
  }
  const wanted = run.calls.filter(
    (call) => (filter === "all" || call.status !== "parsed") && (doc === null || (call.docs || []).includes(doc)),
  );
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
    say(`${plural(run.made, "call")} for this query.${left} Each opens to what was sent and what came back.`),
    wanted.length ? callTable(HEADS, body) : el("p", {}, "No such call."),
    more,
    wanted.length ? exported("Calls", () => [CALL_COLUMNS, ...wanted.map((call) => callCells(data, call))]) : null,
  );
}

const CALL_COLUMNS = ["call", "step", "asked to", "documents shown", "answer", "read as", "tokens sent", "tokens generated"];
const callCells = (data, call) => [
  call.n,
  call.step + 1,
  KINDS_ASKED[call.kind] || call.kind,
  (call.docs || []).map((doc) => data.docs[doc].id).join(" "),
  byName(data, call),
  call.status,
  ...(call.tokens || [null, null]),
];

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
        ? promptOf(call.prompt, (place) => data.docs[call.docs[place]])
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
