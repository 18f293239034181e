// One system less another, on every query.
const deltas = { system: null, against: null };

function drawDeltas() {
  const target = room("deltas"),
    names = ranked();
  if (names.length < 2) {
    fill(target, el("p", {}, "There is one system only: nothing to set it against."));
    return;
  }
  if (!names.includes(deltas.system)) deltas.system = leader();
  if (!names.includes(deltas.against) || deltas.against === deltas.system) {
    const base = part().document.baseline;
    deltas.against =
      base !== deltas.system && names.includes(base) ? base : names.find((name) => name !== deltas.system);
  }
  const mine = part().values[deltas.system][state.measure],
    theirs = part().values[deltas.against][state.measure];
  const rows = part()
    .queries.map((query, i) => ({ query, place: i, mine: mine[i], theirs: theirs[i], gap: mine[i] - theirs[i] }))
    .sort((a, b) => b.gap - a.gap || a.place - b.place);
  const choose = (which) => (name) => {
    if (name === deltas[which === "system" ? "against" : "system"])
      deltas[which === "system" ? "against" : "system"] = deltas[which];
    deltas[which] = name;
    drawDeltas();
    room("deltas").querySelectorAll("select")[which === "system" ? 0 : 1].focus();
  };
  const options = names.map((name) => [name, name]);
  const readout = el("p", { class: "readout number", "aria-live": "polite" });
  const up = rows.filter((row) => row.gap > 0).length,
    down = rows.filter((row) => row.gap < 0).length;
  const mean = rows.reduce((sum, row) => sum + row.gap, 0) / rows.length;
  const summary = `${deltas.system} is better on ${up}, the same on ${rows.length - up - down}, worse on ${down} of ${plural(rows.length, "query", "queries")}; mean ${gap(mean)}.`;
  fill(readout, summary);
  const box = el("div", { class: "scroll" });
  fill(
    target,
    el(
      "div",
      { class: "controls" },
      choice("System", options, deltas.system, choose("system")),
      choice("less", options, deltas.against, choose("against")),
    ),
    el(
      "figure",
      {},
      drawn(box, (width) => fill(box, bars(rows, width, readout, summary))),
      readout,
      el(
        "figcaption",
        {},
        "A bar a query, the largest gain first. Arrow keys walk along the bars; Enter or a click opens the query below.",
      ),
    ),
    el(
      "details",
      {},
      el("summary", {}, "The same as a table"),
      sortable(
        "Every query",
        [
          { name: "query", show: (row) => opener(row), key: (row) => title(row.query) },
          { name: "id", show: (row) => row.query.id, key: (row) => row.query.id },
          ...(part().queries.some((query) => query.collection)
            ? [{ name: "collection", show: (row) => row.query.collection, key: (row) => row.query.collection }]
            : []),
          { name: deltas.system, number: true, show: (row) => score(row.mine), key: (row) => row.mine },
          { name: deltas.against, number: true, show: (row) => score(row.theirs), key: (row) => row.theirs },
          { name: "difference", number: true, show: (row) => gap(row.gap), key: (row) => row.gap },
        ],
        [{ rows }],
        { sorted: part().queries.some((query) => query.collection) ? 5 : 4 },
      ),
    ),
  );
}

const opener = (row) =>
  row.query.shown
    ? el(
        "button",
        { type: "button", class: "plain", onclick: () => openQuery(row.place, deltas.system, deltas.against) },
        el("bdi", {}, title(row.query)),
      )
    : el("bdi", {}, title(row.query));

function bars(rows, width, readout, summary) {
  const left = 44,
    each = Math.max(4, Math.min(26, (width - left - 4) / rows.length)),
    full = Math.max(width, left + each * rows.length + 4);
  const height = 232,
    top = 24,
    bottom = height - 10;
  const high = Math.max(0, ...rows.map((row) => row.gap)),
    low = Math.min(0, ...rows.map((row) => row.gap)),
    span = high - low || 1;
  const y = (value) => top + ((high - value) / span) * (bottom - top);
  const groups = rows.map((row, i) => {
    const text = `${title(row.query)} (${row.query.id}): ${gap(row.gap)}, ${score(row.theirs)} \u2192 ${score(row.mine)}`;
    const show = () => fill(readout, el("bdi", {}, text));
    const open = () => row.query.shown && openQuery(row.place, deltas.system, deltas.against);
    const x = left + i * each,
      size = Math.abs(y(row.gap) - y(0));
    return svg(
      "g",
      {
        class: "bar",
        tabindex: i ? -1 : 0,
        role: "button",
        "aria-label": text,
        onfocus: show,
        onmouseenter: show,
        onclick: open,
        onmouseleave: () => fill(readout, summary),
        onblur: () => fill(readout, summary),
        onkeydown: (event) => walk(event, groups, i, open),
      },
      svg("rect", { class: "hit", x, y: top, width: each, height: bottom - top }),
      svg("rect", {
        class: row.gap > 0 ? "gain" : row.gap < 0 ? "loss" : "tie",
        x: x + each * 0.12,
        width: each * 0.76,
        y: row.gap > 0 ? y(row.gap) : row.gap < 0 ? y(0) : y(0) - 1,
        height: Math.max(size, row.gap === 0 ? 2 : 1),
      }),
      svg("rect", { class: "ring", x: x + 0.5, y: top, width: Math.max(3, each - 1), height: bottom - top }),
    );
  });
  return svg(
    "svg",
    { width: full, height, role: "group", "aria-label": `Differences in ${state.measure} by query`, style: null },
    ticks(low, high, 4).map((at) => [
      svg("line", { class: "grid", x1: left, x2: full, y1: y(at), y2: y(at) }),
      svg("text", { class: "tick", x: left - 8, y: y(at) + 4, "text-anchor": "end" }, fixed(at, 1, true)),
    ]),
    svg("text", { class: "axis", x: left, y: 10 }, `difference in ${state.measure}`),
    groups,
    svg("line", { class: "zero", x1: left, x2: full, y1: y(0), y2: y(0) }),
  );
}

function walk(event, groups, i, open) {
  const to = { ArrowRight: i + 1, ArrowDown: i + 1, ArrowLeft: i - 1, ArrowUp: i - 1, Home: 0, End: groups.length - 1 }[
    event.key
  ];
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    open();
    return;
  }
  if (to === undefined || !groups[to]) return;
  event.preventDefault();
  groups[i].setAttribute("tabindex", -1);
  groups[to].setAttribute("tabindex", 0);
  groups[to].focus();
}
