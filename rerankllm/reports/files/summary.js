// Which system, how sure, at what cost.
const KINDS = { calls: "calls", rounds: "rounds", slots: "slots", tokens: "tokens", seconds: "seconds", usd: "US$" };
/** Whether anything is known of this cost: what asks no model costs nothing, which tells nothing. */
const known = (kind) => systems().some((each) => !each.reference && each.cost && each.cost[kind] !== null);

function drawSummary() {
  const target = room("summary"),
    first = state.measure === measures()[0];
  const rows = [...systems()].sort((a, b) => b.means[state.measure].mean - a.means[state.measure].mean);
  const best = leader(),
    n = part().document.queries;
  const scale = whiskers(rows);
  const columns = [
    {
      name: "system",
      show: (row) => [parted(row.name), row.runs > 1 ? el("span", { class: "soft" }, ` ${row.runs} runs`) : null],
      key: (row) => row.name,
    },
    {
      name: state.measure,
      number: true,
      class: "mean",
      show: (row) => score(row.means[state.measure].mean),
      key: (row) => row.means[state.measure].mean,
    },
    {
      name: "95 % interval",
      class: "whiskers",
      under: scale.axis(),
      show: (row) => scale.draw(row),
      out: ["low", "high"].map((end) => [end, (row) => row.means[state.measure][end]]),
    },
    {
      name: `\u0394 ${part().document.baseline}`,
      number: true,
      show: (row) => gapTo(row),
      key: (row) => (difference(row.name) ? difference(row.name).difference : null),
    },
    {
      name: adjusting(),
      number: true,
      show: (row) => (difference(row.name) ? chance(difference(row.name).p_adjusted) : UNKNOWN),
      key: (row) => (difference(row.name) ? difference(row.name).p_adjusted : null),
    },
    ...DATA.kinds.filter(known).map((kind) => ({
      name: KINDS[kind],
      number: true,
      show: (row) => amount(row.cost ? row.cost[kind] : null),
      key: (row) => (row.cost ? row.cost[kind] : null),
    })),
  ];
  if (rows.some((row) => row.answered < n)) {
    columns.push({
      name: "queries",
      number: true,
      show: (row) => `${Number(row.answered.toFixed(1))}/${n}`,
      key: (row) => row.answered,
    });
  }
  fill(
    target,
    ...(first ? part().headline.map((line) => el("p", { class: "lead" }, line)) : []),
    sortable(
      "Systems with quality and cost",
      columns,
      [
        { rows: rows.filter((row) => !row.reference) },
        { class: "reference", rows: rows.filter((row) => row.reference) },
      ],
      {
        sorted: 1,
        mark: (row) => (row.name === best ? "best" : null),
        more: [
          ["Copy LaTeX", part().latex],
          ["Copy Markdown", part().markdown],
        ],
      },
    ),
    el("p", { class: "explain" }, explain()),
    further(rows),
  );
}

/** How much of the top was judged, and what that may hide. */
function further(rows) {
  return el(
    "details",
    {},
    el("summary", {}, "How much was judged"),
    sortable(
      "Judged documents",
      [
        { name: "system", show: (row) => parted(row.name), key: (row) => row.name },
        { name: "Judged@10", number: true, show: (row) => short(row.judged_at_10), key: (row) => row.judged_at_10 },
        { name: "RBP", number: true, show: (row) => short(row.rbp), key: (row) => row.rbp },
        { name: "RBP residual", number: true, show: (row) => short(row.rbp_residual), key: (row) => row.rbp_residual },
        {
          name: "queries ranked",
          number: true,
          show: (row) => `${Number(row.answered.toFixed(1))} of ${part().document.queries}`,
          key: (row) => row.answered,
        },
      ],
      [{ rows }],
      {
        caption:
          "RBP: rank-biased precision; the residual is what it could gain if all that nobody judged were relevant.",
      },
    ),
  );
}

function explain() {
  const doc = part().document;
  const lines = [`${plural(doc.queries, "query", "queries")}. \u0394: mean difference to ${doc.baseline}.`];
  if (doc.differences.length)
    lines.push(
      `${adjusting()}: randomization test, adjusted over the ${plural(doc.tests.length, "test")} of the family; ${UNKNOWN} is not tested.`,
    );
  lines.push(
    `Cost is of one query in the mean; rounds are its longest chain of calls; ${UNKNOWN} is unknown, not 0. Below the line, for orientation: what was reranked, and its ideal order.`,
  );
  return lines.join(" ");
}
const adjusting = () => `p (${part().document.correction === "holm" ? "Holm" : "Bonferroni"})`;
const gapTo = (row) =>
  row.name === part().document.baseline
    ? UNKNOWN
    : difference(row.name)
      ? gap(difference(row.name).difference)
      : UNKNOWN;

/** The intervals on one scale. */
function whiskers(rows) {
  const ends = rows.flatMap((row) => {
    const m = row.means[state.measure];
    return [m.low, m.high];
  });
  const span = Math.max(...ends) - Math.min(...ends) || 0.1;
  const low = Math.min(...ends) - span * 0.04,
    high = Math.max(...ends) + span * 0.04,
    width = 176;
  const x = (value) => ((value - low) / (high - low)) * width;
  const marks = ticks(low, high, 4);
  const grid = (height) => marks.map((at) => svg("line", { class: "grid", x1: x(at), x2: x(at), y1: 0, y2: height }));
  return {
    axis: () =>
      svg(
        "svg",
        { class: "whisker", width, height: 14, "aria-hidden": "true" },
        marks.map((at) =>
          svg(
            "text",
            {
              class: "tick",
              x: x(at),
              y: 11,
              "text-anchor": x(at) < 14 ? "start" : x(at) > width - 14 ? "end" : "middle",
            },
            String(at),
          ),
        ),
      ),
    draw: (row) => {
      const m = row.means[state.measure];
      return svg(
        "svg",
        { class: "whisker", width, height: 18, role: "img", "aria-label": `${short(m.low)} to ${short(m.high)}` },
        svg("title", {}, `${row.name}: ${score(m.mean)} [${score(m.low)}, ${score(m.high)}]`),
        grid(18),
        svg("line", { class: "range", x1: x(m.low), x2: x(m.high), y1: 9, y2: 9 }),
        [m.low, m.high].map((at) => svg("line", { class: "range", x1: x(at), x2: x(at), y1: 5, y2: 13 })),
        svg("circle", { class: row.reference ? "point" : "point on", cx: x(m.mean), cy: 9, r: 3.5 }),
      );
    },
  };
}
