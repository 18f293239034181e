// Before and after, what it cost, and how far the answers agree.
const TOP = 50;

/**
 * The passages as they came, with how often each was shown; after it is done, beside the ranking. Of two strategies the
 * rankings stand side by side, or either beside the order before.
 */
function movedList(docs, wanted) {
  const given = [...docs.keys()],
    times = new Map(),
    marks = new Map(),
    changed = new Set(),
    rankings = []; // {name, found: results by id}
  const node = el("div", {});
  let sides = { before: null, after: null }, // the rankings shown; null is the order before
    ranks = {},
    all = false,
    waiting = "";
  function row(id, side, rank, light) {
    const doc = docs.get(id),
      other = sides.after && ranks[side === "before" ? "after" : "before"].get(id);
    const mark = el("span", { class: "seen number" }, sides[side] ? scoreOf(id, sides[side]) : seenOf(id));
    if (!sides[side]) marks.set(id, mark);
    const button = el(
      "button",
      {
        type: "button",
        class: "doc",
        "aria-expanded": "false",
        onclick: () => {
          const open = button.getAttribute("aria-expanded") === "true";
          button.setAttribute("aria-expanded", String(!open));
          if (open) item.lastElementChild.remove();
          else item.append(unfolded(id, sides[side]));
        },
        ...lighting(light),
      },
      el("span", { class: "rank number" }, rank),
      sides.after ? moveMark(rank, other, side) : el("span", { class: "move" }),
      el("span", { class: "text", dir: "auto" }, doc.text.slice(0, 240)),
      mark,
    );
    const item = el("li", {}, button);
    return item;
  }
  const seenOf = (id) => (times.has(id) ? `seen ${times.get(id)}\u00d7` : "");
  function scoreOf(id, { found }) {
    const { score, read } = found.get(id);
    return !read ? "not read" : score === null ? "" : Number(score.toPrecision(4)).toString().replace("-", MINUS);
  }
  function unfolded(id, ranking) {
    const doc = docs.get(id),
      result = ranking && ranking.found.get(id);
    return el(
      "div",
      { class: "passage" },
      el(
        "p",
        { class: "soft" },
        doc.name,
        doc.own === null ? null : [" ", el("bdi", {}, doc.own)],
        times.has(id) ? `, shown ${plural(times.get(id), "time")}` : ", not shown yet",
        result && result.probability !== null ? `, among the first with probability ${short(result.probability)}` : "",
        ".",
      ),
      result && result.rationale ? el("p", { dir: "auto" }, result.rationale) : null,
      el("div", { class: "body", dir: "auto" }, doc.text),
    );
  }
  function mark() {
    for (const id of changed) if (marks.has(id)) fill(marks.get(id), seenOf(id));
    changed.clear();
  }
  const orderOf = (ranking) => (ranking ? [...ranking.found.keys()] : given);
  const headOf = (ranking) => (ranking ? (wanted > 1 ? ranking.name : "After") : "Before");
  /** What can be seen side by side: of two rankings first the two. */
  const views = () => [
    ...(rankings.length > 1 ? [[rankings[0], rankings[1]]] : []),
    ...rankings.map((ranking) => [null, ranking]),
  ];
  function see([before, after]) {
    sides = { before, after };
    draw();
  }
  function draw() {
    const limit = all ? Infinity : TOP;
    const [before, after] = [orderOf(sides.before), sides.after && orderOf(sides.after)];
    ranks = { before: ranksOf(before), after: ranksOf(after) };
    const more = el(
      "button",
      { type: "button", class: "below", onclick: () => ((all = !all), draw(), node.querySelector("button.below").focus()) },
      all ? `Show the first ${TOP} only` : `Show all ${given.length}`,
    );
    const told = !after ? null : sides.before ? contrasted(before, after) : movement(before, after);
    fill(
      node,
      el("h2", {}, sides.before ? "Side by side" : "Before and after"),
      rankings.length > 1 ? el("div", { class: "controls" }, viewed()) : null,
      told ? el("p", { class: "number" }, told) : null,
      sideBySide(
        {
          before: { head: headOf(sides.before), order: before },
          after: { head: sides.after ? headOf(sides.after) : "After", order: after, instead: el("p", { class: "waiting" }, waiting) },
        },
        limit,
        row,
      ),
      given.length > TOP ? more : null,
    );
  }
  function viewed() {
    const all = views();
    const at = all.findIndex(([before, after]) => before === sides.before && after === sides.after);
    return choice(
      "Show",
      all.map(([before, after], i) => [i, `${headOf(before)} | ${headOf(after)}`]),
      at,
      (i) => (see(all[i]), node.querySelector("select").focus()),
    );
  }
  return {
    node,
    /** Another ranking begins. */
    begin() {
      waiting = "The ranking stands here when all is judged.";
      times.clear();
      see([null, rankings[0] || null]);
    },
    saw(ids) {
      if (!changed.size) queueMicrotask(mark); // once for all that came together
      for (const id of ids) {
        times.set(id, (times.get(id) || 0) + 1);
        changed.add(id);
      }
    },
    finish(name, ranking) {
      rankings.push({ name, found: new Map(ranking.map((each) => [each.id, each])) });
      see(views()[0]);
    },
    giveUp(why) {
      waiting = why;
      draw();
    },
  };
}

/** What moved, in a sentence. */
function movement(before, after) {
  const was = ranksOf(before);
  const moves = after.map((id, i) => was.get(id) - i - 1);
  const moved = moves.filter(Boolean).length;
  if (!moved) return `None of the ${plural(before.length, "passage")} moved.`;
  const furthest = Math.max(...moves);
  const first = was.get(after[0]);
  const top = first === 1 ? "stayed first" : `came from place ${first}`;
  const way = plural(furthest, "place");
  return `${moved} of ${plural(before.length, "passage")} moved. The first ${top}; the furthest way up was ${way}.`;
}

const span = ([low, high]) =>
  low === high ? low.toLocaleString("en") : `${low.toLocaleString("en")} to ${high.toLocaleString("en")}`;
const amounts = (rows) =>
  el(
    "dl",
    { class: "amounts number" },
    rows.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]),
  );

/** What is planned. */
const planned = (plan) =>
  amounts([
    ["calls", span(plan.calls)],
    ["rounds", span(plan.rounds)],
    ["passages sent", span(plan.slots)],
  ]);

/** Cost beside the plan, and consistency. last: the last event, whose ledger may be missing; name: whose, of two. */
function numbersOf(last, plan, name) {
  const spent = last.ledger;
  if (!spent) return el("div", {});
  const row = (name, value, beside) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, name),
      [value, beside].filter((each) => each !== undefined).map((each) => el("td", { class: "n" }, each)),
    );
  const of = () => (name ? [" of ", el("code", {}, name)] : null);
  const [usage, usd] = [spent.usage, spent.cost_usd];
  const money = usd === null ? "price not known" : usd ? `$${amount(usd)}` : "none";
  const cost = el(
    "table",
    {},
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        ["", "taken", "planned"].map((head, i) => el("th", { scope: "col", class: i ? "n" : null }, head)),
      ),
    ),
    el(
      "tbody",
      {},
      row("calls answered", inFull(spent.calls), span(plan.calls)),
      row("rounds, one after another", inFull(spent.rounds), span(plan.rounds)),
      row("passages sent", inFull(spent.slots), span(plan.slots)),
      row("tokens read", inFull(usage.prompt_tokens), ""),
      row("tokens written", inFull(usage.completion_tokens), ""),
      row("seconds", last.seconds.toFixed(last.seconds < 10 ? 2 : 1), ""),
      row("money", money, ""),
    ),
  );
  return el(
    "div",
    { class: "pair" },
    el("div", {}, el("h2", {}, "Cost", of()), cost),
    el("div", {}, el("h2", {}, "Consistency", of()), agreement(last, spent, row)),
  );
}

function agreement(last, spent, row) {
  const total = spent.parsed + spent.repaired + spent.failed;
  const of = (count) => `${count.toLocaleString("en")} of ${total.toLocaleString("en")}`;
  const [against, both] = last.contradicted || [0, 0];
  const rows = [
    ["answers as asked for", of(spent.parsed)],
    ["answers repaired", of(spent.repaired)],
    ["calls without a usable answer", of(spent.failed)],
    ...(spent.orders
      ? [["orders that are only the order shown", `${spent.as_shown.toLocaleString("en")} of ${spent.orders.toLocaleString("en")}`]]
      : []),
    ["pairs asked both ways", both ? both.toLocaleString("en") : "none"],
    ...(both ? [["of these contradicted: the winner changed with the order", against.toLocaleString("en")]] : []),
    ...Object.entries(spent.notes).map(([note, count]) => [note, count.toLocaleString("en")]),
    ...(last.left_out ? [["calls not told here, as they came too fast", last.left_out.toLocaleString("en")]] : []),
  ];
  return el("table", {}, el("tbody", {}, rows.map(([name, value]) => row(name, value))));
}
