// A query: the rankings before and after, and what moved.
const TOP = 20;
const browse = { place: null, before: null, after: null, beforeRun: 0, afterRun: 0, sort: "gain", all: false };

function openQuery(place, after, before) {
  Object.assign(browse, { place, after, before, beforeRun: 0, afterRun: 0, all: false });
  drawBrowser().then(() => {
    const head = document.querySelector("#browser .query-head h3");
    document.getElementById("browser").scrollIntoView();
    head.focus({ preventScroll: true });
  });
}

function settle() {
  const names = part().entrants.map((each) => each.name);
  if (!names.includes(browse.before)) browse.before = part().before;
  if (!names.includes(browse.after)) browse.after = ranked().find((name) => name !== browse.before && !system(name).reference) || names[0];
  browse.beforeRun = Math.min(browse.beforeRun, entrant(browse.before).runs.length - 1);
  browse.afterRun = Math.min(browse.afterRun, entrant(browse.after).runs.length - 1);
  if (browse.place === null || !part().queries[browse.place] || !part().queries[browse.place].shown) browse.place = queryOrder()[0];
}
const gained = (i) => part().values[browse.after][state.measure][i] - part().values[browse.before][state.measure][i];
function queryOrder() {
  const shown = part().queries.map((_, i) => i).filter((i) => part().queries[i].shown);
  const sorts = { gain: (a, b) => gained(b) - gained(a) || a - b, loss: (a, b) => gained(a) - gained(b) || a - b, id: (a, b) => a - b };
  return shown.sort(sorts[browse.sort]);
}

async function drawBrowser(focus) {
  const target = room("browser");
  if (!part().queries.some((query) => query.shown)) {
    fill(target, el("p", {}, "No query was put into this page (--queries-shown 0)."));
    return;
  }
  settle();
  const { place } = browse, query = part().queries[place], data = await unpack(place);
  if (browse.place !== place) return;
  const controls = browserControls();
  fill(target, controls, queryHead(query, place, data), sides(data), callsOf(data));
  if (focus) { const again = controls.querySelector(`[data-name="${focus}"]`); if (again) again.focus(); }
}

function browserControls() {
  const order = queryOrder(), at = order.indexOf(browse.place), names = part().entrants.map((each) => [each.name, each.name]);
  const set = (name, value, focus) => { browse[name] = value; browse.all = false; drawBrowser(focus || name); };
  const field = (name, node) => { (node.querySelector("select") || node).setAttribute("data-name", name); return node; };
  const runs = (name, of) => (entrant(browse[of]).runs.length > 1
    ? field(name, choice(`run of ${browse[of]}`, entrant(browse[of]).runs.map((run, i) => [i, run]), browse[name], (value) => set(name, Number(value)))) : null);
  return el("div", { class: "controls" },
    field("place", choice("Query", order.map((i) => [i, `${part().queries[i].id}  ${title(part().queries[i])}  (${fixed(gained(i), 3, true)})`]), browse.place, (value) => set("place", Number(value)), "wide")),
    field("previous", el("button", { type: "button", disabled: at <= 0, onclick: () => set("place", order[at - 1], at > 1 ? "previous" : "next") }, "Previous")),
    field("next", el("button", { type: "button", disabled: at >= order.length - 1, onclick: () => set("place", order[at + 1], at < order.length - 2 ? "next" : "previous") }, "Next")),
    field("sort", choice("Queries by", [["gain", "largest gain"], ["loss", "largest loss"], ["id", "place in the file"]], browse.sort, (value) => set("sort", value))),
    field("before", choice("Before", names, browse.before, (value) => set("before", value))), runs("beforeRun", "before"),
    field("after", choice("After", names, browse.after, (value) => set("after", value))), runs("afterRun", "after"));
}

function queryHead(query, place, data) {
  const value = (name) => part().values[name][state.measure][place];
  const where = query.collection ? `${query.collection}, query ${query.id}` : `query ${query.id}`;
  return el("div", { class: "query-head" }, el("h3", { tabindex: "-1" }, el("bdi", {}, title(query))),
    el("p", { class: "soft number" }, `${where}. ${state.measure}: ${score(value(browse.before))} ${browse.before}, ${score(value(browse.after))} ${browse.after} (${gap(gained(place))}).`,
      data.missed ? ` ${plural(data.missed, "relevant document")} of the judgements ${data.missed === 1 ? "is" : "are"} in none of the rankings.` : null));
}

const orderOf = (data, name, run) => data.systems[name][run].order;
function sides(data) {
  const before = orderOf(data, browse.before, browse.beforeRun), after = orderOf(data, browse.after, browse.afterRun);
  const ranks = (order) => new Map((order || []).map((doc, i) => [doc, i + 1]));
  const [was, is] = [ranks(before), ranks(after)], rows = new Map(), limit = browse.all ? Infinity : TOP;
  const top = Math.max(1, ...data.docs.map((doc) => doc.grade || 0));
  const list = (side, order, other) => el("ol", {}, order.slice(0, limit).map((doc, i) => {
    const item = docRow(data, doc, i + 1, other, side, top, calls => light(doc, calls));
    rows.set(`${side} ${doc}`, item);
    return item;
  }));
  const column = (side, name, order, other) => el("div", { class: side }, el("h4", {}, `${side === "before" ? "Before" : "After"}: ${name}`),
    order ? list(side, order, other) : el("p", { class: "soft" }, `${name} has no ranking of this query: it failed, or was left out. It counts as 0.`));
  const canvas = svg("svg", { "aria-hidden": "true" }), lines = el("div", { class: "lines" }, canvas), paths = new Map();
  function light(doc, on) {
    for (const side of ["before", "after"]) { const row = rows.get(`${side} ${doc}`); if (row) row.classList.toggle("lit", on); }
    if (paths.has(doc)) paths.get(doc).classList.toggle("lit", on);
  }
  function connect() {
    const box = lines.getBoundingClientRect();
    if (!box.width) return;
    const middle = (row) => { const at = row.firstElementChild.getBoundingClientRect(); return at.top + at.height / 2 - box.top; };
    paths.clear();
    for (const doc of (before || []).slice(0, limit)) {
      const [from, to] = [rows.get(`before ${doc}`), rows.get(`after ${doc}`)];
      if (!from || !to) continue;
      const [a, b] = [middle(from), middle(to)], move = was.get(doc) - is.get(doc);
      paths.set(doc, svg("path", { class: move > 0 ? "up" : move < 0 ? "down" : "same", d: `M2 ${a}C${box.width / 2} ${a} ${box.width / 2} ${b} ${box.width - 2} ${b}` }));
    }
    canvas.replaceChildren(...paths.values());
  }
  const node = el("div", { class: "sides" }, column("before", browse.before, before, is), lines, column("after", browse.after, after, was));
  new ResizeObserver(connect).observe(node);
  const longest = Math.max((before || []).length, (after || []).length);
  const more = longest > TOP ? el("button", { type: "button", "data-name": "all", class: "below", onclick: () => { browse.all = !browse.all; drawBrowser("all").then(() => document.querySelector("#browser [data-name=all]").focus({ preventScroll: true })); } },
    browse.all ? `Show the first ${TOP} only` : `Show all ${longest}`) : null;
  return el("div", {}, node, more);
}

function docRow(data, doc, rank, other, side, top, light) {
  const { id, grade, text } = data.docs[doc], there = other.get(doc);
  const move = there === undefined ? null : side === "after" ? there - rank : rank - there;
  const moved = there === undefined ? el("span", { class: "move soft" }, side === "after" ? "new" : "gone")
    : el("span", { class: `move number ${move > 0 ? "up" : move < 0 ? "down" : "soft"}`, "aria-label": `${move > 0 ? "up" : move < 0 ? "down" : "unmoved"} ${Math.abs(move) || ""}, ${side === "after" ? "from" : "to"} ${there}` },
      move === 0 ? "=" : `${move > 0 ? "\u25b2" : "\u25bc"} ${Math.abs(move)}`);
  const mark = el("span", { class: `grade number ${grade === null ? "none" : grade <= 0 ? "zero" : grade === top ? "most" : ""}`, "aria-label": grade === null ? "not judged" : `grade ${grade}`, title: grade === null ? "not judged" : `grade ${grade} of ${top}` }, grade === null ? UNKNOWN : grade);
  const button = el("button", { type: "button", class: "doc", "aria-expanded": "false", onclick: () => unfold(item, button, data, doc),
    onmouseenter: () => light(true), onmouseleave: () => light(false), onfocus: () => light(true), onblur: () => light(false) },
    el("span", { class: "rank number" }, rank), moved, mark, el("span", { class: "text", dir: "auto" }, text === null ? id : text.slice(0, 240)));
  const item = el("li", {}, button);
  return item;
}

function unfold(item, button, data, doc) {
  const open = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!open));
  if (open) { item.lastElementChild.remove(); return; }
  const { id, grade, text } = data.docs[doc];
  const seen = data.systems[browse.after][browse.afterRun].calls.filter((call) => (call.docs || []).includes(doc));
  item.append(el("div", { class: "passage" },
    el("p", { class: "soft" }, el("bdi", {}, id), grade === null ? ", not judged" : `, grade ${grade}`,
      seen.length ? [", shown in ", el("button", { type: "button", class: "plain", onclick: () => showCalls(data, doc) }, plural(seen.length, "call")), ` of ${browse.after}`] : null, "."),
    el("div", { class: "body", dir: "auto" }, text === null ? "Its text is not at hand." : text)));
}
