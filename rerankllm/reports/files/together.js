// Two systems on one query: where their orders part, and what each answered about the same documents.
/** What differs, in sentences. */
function contrast(data) {
  const [before, after] = ["before", "after"].map((side) => orderOf(data, browse[side], browse[`${side}Run`]));
  if (!before || !after) return null;
  const lone = lonely(before, after);
  const named = (docs) =>
    [...docs].map((doc, i) => [
      i ? ", " : "",
      el("bdi", {}, data.docs[doc].id),
      el("span", { class: "soft" }, data.docs[doc].grade === null ? " (not judged)" : ` (grade ${data.docs[doc].grade})`),
    ]);
  const only = (side) =>
    lone[side].size
      ? el("li", {}, `Only in the first ${FIRST_PLACES} of ${browse[side]}: `, named(lone[side]), ".")
      : null;
  return el(
    "div",
    { class: "contrast" },
    el("p", {}, contrasted(before, after)),
    lone.before.size || lone.after.size ? el("ul", { class: "notes" }, only("before"), only("after")) : null,
  );
}

/** Whether two answers about the same documents say the same: one order, one choice, one winner, one value. */
function alike(one, other) {
  const [a, b] = [one.answer, other.answer];
  if (!a || !b) return !a && !b;
  if (a.groups && b.groups)
    return JSON.stringify([a.groups.map(sorted), sorted(a.omitted)]) === JSON.stringify([b.groups.map(sorted), sorted(b.omitted)]);
  if (a.chosen && b.chosen) return JSON.stringify(sorted(a.chosen)) === JSON.stringify(sorted(b.chosen));
  if (a.p !== undefined && b.p !== undefined) return winnerOf(one) === winnerOf(other);
  return JSON.stringify(a) === JSON.stringify(b);
}
const sorted = (docs) => [...docs].sort((a, b) => a - b);
const winnerOf = ({ answer, docs }) => (answer.p === 0.5 ? null : docs[answer.p > 0.5 ? 0 : 1]);

/** Calls of the two systems about the same documents, pair by pair, in the order of the one before. */
function pairsOfCalls(data) {
  const callsBy = (side) => data.systems[browse[side]][browse[`${side}Run`]].calls;
  const keyOf = (call) => `${call.kind} ${sorted(call.docs || []).join(" ")}`;
  const waiting = new Map();
  for (const call of callsBy("after")) waiting.set(keyOf(call), [...(waiting.get(keyOf(call)) || []), call]);
  return callsBy("before").flatMap((call) => {
    const [other, ...rest] = waiting.get(keyOf(call)) || [];
    waiting.set(keyOf(call), rest);
    return other ? [[call, other]] : [];
  });
}

/** The answers of both where they asked the same; `only`: those that differ. */
function callsTogether(data, only) {
  const pairs = pairsOfCalls(data),
    differ = pairs.filter(([one, other]) => !alike(one, other)),
    wanted = only ? differ : pairs;
  const body = el("tbody", {}),
    more = el("button", { type: "button", class: "below", onclick: () => add() });
  let shown = 0;
  function add() {
    for (const pair of wanted.slice(shown, shown + PAGE)) body.append(togetherRow(data, ...pair));
    shown = Math.min(wanted.length, shown + PAGE);
    more.hidden = shown >= wanted.length;
    fill(more, `Show ${Math.min(PAGE, wanted.length - shown)} more of ${wanted.length}`);
  }
  add();
  const heads = ["calls", "about", browse.before, browse.after, "answers"];
  return el(
    "div",
    {},
    el("p", { class: "soft" }, `Both asked about the same documents in ${plural(pairs.length, "call")}; ${differ.length} of the answers differ.`),
    wanted.length
      ? scroll(
          "Calls of both",
          el(
            "table",
            { class: "calls together" },
            el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col", class: headClass(head) }, headText(head))))),
            body,
          ),
        )
      : null,
    more,
    wanted.length
      ? exported("Calls of both", () => [
          ["call", "call", "about", browse.before, browse.after, "answers"],
          ...wanted.map(([one, other]) => [
            one.n,
            other.n,
            (one.docs || []).map((doc) => data.docs[doc].id).join(" "),
            byName(data, one),
            byName(data, other),
            alike(one, other) ? "same" : "differ",
          ]),
        ])
      : null,
  );
}

function togetherRow(data, one, other) {
  const same = alike(one, other),
    docs = one.docs || [];
  const about = docs.length <= 2 ? docs.map((doc) => data.docs[doc].id).join(", ") : plural(docs.length, "document");
  return opening(
    `${one.n}, ${other.n}`,
    `calls ${one.n} and ${other.n}`,
    [
      el("td", {}, `${KINDS_ASKED[one.kind] || one.kind} ${about}`),
      ...[one, other].map((call) => el("td", { class: "answer" }, el("div", { class: "clamp" }, byName(data, call)))),
      el("td", {}, el("span", { class: same ? "soft" : "status differs" }, same ? "same" : "differ")),
    ],
    () => [exchange(data, one), exchange(data, other)],
  );
}
/** An answer in a line, by the documents' names: the two may have been shown them in other orders. */
function byName(data, call) {
  if (!call.answer) return call.reason || UNKNOWN;
  const name = (doc) => data.docs[doc].id;
  return answered(call.answer, call.answer.groups ? name : (doc) => label(call, doc), name, call.docs || []);
}
