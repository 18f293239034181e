// Each comparison or window the model saw, and what it answered: rows come as the calls do.
const HEADS = ["call", "after", "asked to", "answer, # being the place before", "read as", "tokens"];

/** A list of calls that grows: {node, add(call)}. docs: the passages by id; strategy: whose calls, where there are two. */
function callList(docs, strategy) {
  const calls = [],
    body = el("tbody", {}),
    note = el("p", { class: "soft" });
  const more = el("button", { type: "button", class: "below", hidden: true, onclick: () => page(PAGE) });
  const only = choice(
    "Answers",
    [
      ["all", "all"],
      ["bad", "repaired or failed"],
    ],
    "all",
    (value) => {
      wanted = value;
      body.replaceChildren();
      [shown, at, room] = [0, 0, PAGE];
      page(0);
    },
  );
  let wanted = "all",
    shown = 0,
    at = 0,
    room = PAGE,
    drawing = false;
  function page(count) {
    room += count;
    for (; at < calls.length && shown < room; at++) {
      if (wanted === "bad" && calls[at].status === "parsed") continue;
      body.append(answeredCall(calls[at], docs));
      shown++;
    }
    more.hidden = at >= calls.length;
    fill(more, `Show ${PAGE} more; ${plural(calls.length - at, "call")} not shown yet`);
    fill(note, `${plural(calls.length, "call")}. Each opens to its prompt and its passages, in the order shown.`);
  }
  const node = el(
    "div",
    {},
    el("h2", {}, "What the model saw and answered", strategy ? [" for ", el("code", {}, strategy)] : null),
    note,
    el("div", { class: "controls" }, only),
    callTable(HEADS, body),
    more,
  );
  return {
    node,
    add(call) {
      calls.push(call);
      if (!drawing) queueMicrotask(() => ((drawing = false), page(0))); // once for all that came together
      drawing = true;
    },
  };
}

const place = (call, id) => call.docs.indexOf(id) + 1;
const nameOf = (docs, id) => (docs.has(id) ? docs.get(id).name : id);
const answeredCall = (call, docs) =>
  callRow(call, {
    when: `${call.at.toFixed(1)} s`,
    count: call.docs.length > 1 ? call.docs.length : 0,
    brief: callBrief(call, docs),
    detail: () => detail(call, docs),
  });

function callBrief(call, docs) {
  if (!call.answer) return call.reason || UNKNOWN;
  const name = (id) => nameOf(docs, id);
  const said = answered(call.answer, call.kind === "Select" ? (id) => place(call, id) : name, name, call.docs);
  if (call.kind === "Score") return `${nameOf(docs, call.docs[0])}: ${said}`;
  return said;
}

function detail(call, docs) {
  const item = (id, whole) =>
    el("li", {}, el("bdi", {}, nameOf(docs, id)), whole && docs.has(id) ? passage(docs.get(id)) : null);
  const order = call.answer && call.answer.groups;
  const whole = el(
    "ol",
    { class: "shown" },
    call.docs.map((id) => item(id, true)),
  );
  const prompted = (call.prompt || []).length > 0;
  return el(
    "div",
    { class: "exchange" },
    el(
      "div",
      {},
      prompted ? [el("h4", {}, "Asked"), promptOf(call.prompt, (at) => contentOf(docs, call.docs[at]))] : null,
      prompted && call.docs.length
        ? el("details", { class: "below" }, el("summary", {}, "The passages whole, in this order"), whole)
        : [el("h4", {}, call.docs.length ? "Shown, in this order" : "No passage was shown"), whole],
    ),
    el(
      "div",
      {},
      el("h4", {}, call.answer ? "Read as" : "No usable answer"),
      order
        ? el(
            "ol",
            { class: "reading" },
            order.flat().map((id) => item(id, false)),
          )
        : el("p", {}, callBrief(call, docs)),
      order && call.answer.omitted.length
        ? el("p", {}, "Left out: ", call.answer.omitted.map((id) => nameOf(docs, id)).join(", "))
        : null,
    ),
  );
}
/** A passage as models are shown it: on one line, white space folded as Python does. */
const SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;
const contentOf = (docs, id) => ({ id: nameOf(docs, id), text: docs.get(id).text.split(SPACE).filter(Boolean).join(" ") });
const passage = (doc) => el("span", { class: "body", dir: "auto" }, doc.text);
