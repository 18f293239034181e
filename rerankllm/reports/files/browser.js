// A query to browse: which one, and whose rankings.
const browse = { place: null, before: null, after: null, beforeRun: 0, afterRun: 0, sort: "gain", all: false, calls: "after" };

function openQuery(place, after, before) {
  Object.assign(browse, { place, after, before, beforeRun: 0, afterRun: 0, all: false });
  drawBrowser().then(() => {
    remember();
    const head = document.querySelector("#browser .query-head h3");
    document.getElementById("browser").scrollIntoView();
    head.focus({ preventScroll: true });
  });
}

function settle() {
  const names = part().entrants.map((each) => each.name);
  if (!names.includes(browse.before)) browse.before = part().before;
  if (!names.includes(browse.after))
    browse.after = ranked().find((name) => name !== browse.before && !system(name).reference) || names[0];
  browse.beforeRun = Math.min(browse.beforeRun, entrant(browse.before).runs.length - 1);
  browse.afterRun = Math.min(browse.afterRun, entrant(browse.after).runs.length - 1);
  const order = queryOrder();
  if (!order.includes(browse.place)) browse.place = order[0];
}
const gained = (i) => part().values[browse.after][state.measure][i] - part().values[browse.before][state.measure][i];
const valueAfter = (i) => part().values[browse.after][state.measure][i];
const spread = (i) => {
  const values = part().entrants.map((each) => part().values[each.name][state.measure][i]);
  return Math.max(...values) - Math.min(...values);
};
const SORTS = {
  gain: (a, b) => gained(b) - gained(a) || a - b,
  loss: (a, b) => gained(a) - gained(b) || a - b,
  best: (a, b) => valueAfter(b) - valueAfter(a) || a - b,
  worst: (a, b) => valueAfter(a) - valueAfter(b) || a - b,
  spread: (a, b) => spread(b) - spread(a) || a - b,
  id: (a, b) => a - b,
};
/** The queries that are shown and, after a search, found. */
function queryOrder() {
  const shown = part()
    .queries.map((_, i) => i)
    .filter((i) => part().queries[i].shown && (!finder.hits || finder.hits.has(i)));
  return shown.sort(SORTS[browse.sort]);
}

async function drawBrowser(focus) {
  const target = room("browser");
  if (!part().queries.some((query) => query.shown)) {
    fill(target, el("p", {}, "No query was put into this page (--queries-shown 0)."));
    return;
  }
  if (typeof DecompressionStream === "undefined") {
    fill(target, el("p", {}, "This browser is too old to unpack the queries; one of 2023 or later can."));
    return;
  }
  settle();
  if (browse.place === undefined) {
    fill(target, el("p", {}, "No query of this page is so."));
    return;
  }
  const { place } = browse,
    query = part().queries[place],
    data = await unpack(place);
  if (browse.place !== place) return;
  const controls = browserControls();
  fill(target, controls, queryHead(query, place, data), sides(data), callsOf(data));
  if (focus) {
    const again = controls.querySelector(`[data-name="${focus}"]`);
    if (again) again.focus();
  }
}

function browserControls() {
  const order = queryOrder(),
    at = order.indexOf(browse.place),
    names = part().entrants.map((each) => [each.name, each.name]);
  const set = (name, value, focus) => {
    browse[name] = value;
    browse.all = false;
    drawBrowser(focus || name).then(remember);
    if (finder.hits && name !== "place" && name !== "sort") search();
  };
  const field = (name, node) => {
    (node.querySelector("select") || node).setAttribute("data-name", name);
    return node;
  };
  const runs = (name, of) =>
    entrant(browse[of]).runs.length > 1
      ? field(
          name,
          choice(
            `run of ${browse[of]}`,
            entrant(browse[of]).runs.map((run, i) => [i, run]),
            browse[name],
            (value) => set(name, Number(value)),
          ),
        )
      : null;
  return el(
    "div",
    { class: "controls" },
    field(
      "place",
      choice(
        "Query",
        order.map((i) => [i, `${part().queries[i].id}  ${title(part().queries[i])}  (${fixed(gained(i), 3, true)})`]),
        browse.place,
        (value) => set("place", Number(value)),
        "wide",
      ),
    ),
    field(
      "previous",
      el(
        "button",
        { type: "button", disabled: at <= 0, onclick: () => set("place", order[at - 1], at > 1 ? "previous" : "next") },
        "Previous",
      ),
    ),
    field(
      "next",
      el(
        "button",
        {
          type: "button",
          disabled: at >= order.length - 1,
          onclick: () => set("place", order[at + 1], at < order.length - 2 ? "next" : "previous"),
        },
        "Next",
      ),
    ),
    field(
      "sort",
      choice(
        "Queries by",
        [
          ["gain", "largest gain"],
          ["loss", "largest loss"],
          ["best", "best after"],
          ["worst", "worst after"],
          ["spread", "largest difference between systems"],
          ["id", "place in the file"],
        ],
        browse.sort,
        (value) => set("sort", value),
      ),
    ),
    field(
      "before",
      choice("Before", names, browse.before, (value) => set("before", value)),
    ),
    runs("beforeRun", "before"),
    field(
      "after",
      choice("After", names, browse.after, (value) => set("after", value)),
    ),
    runs("afterRun", "after"),
  );
}

function queryHead(query, place, data) {
  const value = (name) => part().values[name][state.measure][place];
  const several = [browse.before, browse.after].filter((name) => entrant(name).runs.length > 1);
  const where = query.collection ? `${query.collection}, query ${query.id}` : `query ${query.id}`;
  return el(
    "div",
    { class: "query-head" },
    el("h3", { tabindex: "-1" }, el("bdi", {}, title(query))),
    el(
      "p",
      { class: "soft number" },
      `${where}. ${state.measure}: ${score(value(browse.before))} ${browse.before}, ${score(value(browse.after))} ${browse.after} (${gap(gained(place))}).`,
      several.length ? ` Of ${several.join(" and ")} it is the mean over runs, and one of them is shown.` : null,
      data.missed
        ? ` ${plural(data.missed, "relevant document")} of the judgements ${data.missed === 1 ? "is" : "are"} in none of the rankings.`
        : null,
    ),
  );
}
