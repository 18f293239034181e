// Finding queries: by a text anywhere in them, and by what became of them.
const FILTERS = [
  ["all", "all"],
  ["worse", "worse than before"],
  ["better", "better than before"],
  ["first", "with another first document"],
  ["split", "on whose first document systems disagree"],
  ["trouble", "with an answer repaired, failed or lost"],
  ["failed", "without a ranking after"],
  ["unjudged", "with an unjudged document in the first 10"],
];
const LISTED = 20;
const finder = { text: "", filter: "all", hits: null, search: 0 };

/** Whether a text has it: a regular expression between slashes, else the text itself in any case. */
function patternOf(text) {
  const found = text.match(/^\/(.+)\/([imsu]*)$/);
  if (found) {
    const expression = new RegExp(found[1], found[2]);
    return (has) => expression.test(has);
  }
  const wanted = text.toLowerCase();
  return (has) => has.toLowerCase().includes(wanted);
}

const meets = {
  all: () => true,
  worse: (place) => gained(place) < 0,
  better: (place) => gained(place) > 0,
  first: (_, data) => {
    const [a, b] = [orderOf(data, browse.before, browse.beforeRun), orderOf(data, browse.after, browse.afterRun)];
    return Boolean(a && b && a[0] !== b[0]);
  },
  split: (_, data) => {
    const orders = part().entrants.flatMap((each) => data.systems[each.name].map((run) => run.order));
    return new Set(orders.filter(Boolean).map((order) => order[0])).size > 1;
  },
  trouble: (_, data) => data.systems[browse.after][browse.afterRun].calls.some((call) => call.status !== "parsed"),
  failed: (_, data) => !orderOf(data, browse.after, browse.afterRun),
  unjudged: (_, data) =>
    (orderOf(data, browse.after, browse.afterRun) || []).slice(0, 10).some((doc) => data.docs[doc].grade === null),
};

/** Where a query has it, in words; empty where it has not. */
function whereIn(query, data, has) {
  const count = (texts) => texts.filter((text) => text && has(text)).length;
  const calls = Object.values(data.systems).flat().flatMap((run) => run.calls);
  const prompt = (call) => (call.prompt || []).filter((piece) => typeof piece === "string").join("");
  const said = [
    has(`${query.id} ${query.text || ""}`) ? "the query" : "",
    some(count(data.docs.map((doc) => `${doc.id} ${doc.text || ""}`)), "document"),
    some(count(calls.map(prompt)), "prompt"),
    some(count(calls.map((call) => `${call.said || ""}\n${call.reasoning || ""}\n${call.reason || ""}`)), "answer"),
  ];
  return said.filter(Boolean).join(", ");
}
const some = (count, name) => (count ? plural(count, name) : "");

/** Looks through all queries of the page; a later search puts an end to this one. */
async function search() {
  const mine = ++finder.search;
  busy(true);
  const { text, filter } = finder;
  const status = document.getElementById("find-status");
  if (!text && filter === "all") {
    finder.hits = null;
    fill(status);
    return drawHits();
  }
  let has = null;
  try {
    has = text ? patternOf(text) : null;
  } catch (error) {
    fill(status, `This is no regular expression: ${error.message}`);
    return busy(false);
  }
  const hits = new Map();
  const places = part().queries.map((_, i) => i).filter((i) => part().queries[i].shown);
  for (const [done, place] of places.entries()) {
    const data = await look(place);
    if (mine !== finder.search) return;
    if (done % 20 === 19) fill(status, `${done + 1} of ${places.length} searched`);
    if (!meets[filter](place, data)) continue;
    const where = has ? whereIn(part().queries[place], data, has) : "";
    if (!has || where) hits.set(place, where);
  }
  finder.hits = hits;
  fill(status, `${hits.size} of ${plural(places.length, "query", "queries")}`);
  drawHits();
}

const busy = (on) => document.getElementById("find").setAttribute("aria-busy", String(on));

function drawHits() {
  busy(false);
  const hits = finder.text && finder.hits ? [...finder.hits].filter(([, where]) => where).slice(0, LISTED) : [];
  const left = finder.text && finder.hits ? finder.hits.size - hits.length : 0;
  fill(
    document.getElementById("find-hits"),
    hits.map(([place, where]) =>
      el(
        "li",
        {},
        el(
          "button",
          { type: "button", class: "plain", onclick: () => openQuery(place, browse.after, browse.before) },
          el("bdi", {}, title(part().queries[place])),
        ),
        el("span", { class: "soft" }, ` in ${where}`),
      ),
    ),
    left > 0 ? el("li", { class: "soft" }, `and ${plural(left, "query", "queries")} more, in the list below`) : null,
  );
  remember();
  drawBrowser();
}

let typing = 0;
function drawFinder() {
  const field = el("input", {
    type: "search",
    id: "find-text",
    placeholder: "a text, or /a regular expression/i",
    oninput: () => {
      finder.text = field.value.trim();
      finder.search++; // puts an end to the search under way
      busy(true);
      clearTimeout(typing);
      typing = setTimeout(search, 250);
    },
  });
  field.value = finder.text;
  fill(
    document.getElementById("find"),
    el("label", { class: "field wide" }, "Find in queries, documents, prompts and answers", field),
    choice("Queries", FILTERS, finder.filter, (value) => {
      finder.filter = value;
      search();
    }),
    el("p", { id: "find-status", class: "soft", role: "status" }),
    el("ul", { id: "find-hits", class: "hits" }),
  );
}
