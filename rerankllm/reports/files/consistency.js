// How far answers agree with each other and with the form asked for; and how far an order of candidates matters.
const NOT_TWICE = "not asked twice";

function drawConsistency() {
  const target = room("consistency");
  const names = part()
    .entrants.map((each) => each.name)
    .filter((name) => !system(name).reference || part().consistency[name]);
  const told = names.filter((name) => part().consistency[name]);
  if (!told.length) {
    fill(
      target,
      el(
        "p",
        {},
        "No journal lies beside these runs, so nothing is known of single answers. Rerank with --journal to keep them.",
      ),
    );
    return;
  }
  const traits = [];
  const row = (name, explain, show) => {
    traits.push([name, ...told.map((each) => show(part().consistency[each])[0])]);
    return el(
      "tr",
      {},
      el("th", { scope: "row" }, name, el("span", { class: "of" }, explain)),
      told.map((each) => {
        const [value, of] = show(part().consistency[each]);
        return el("td", { class: "n" }, value, of ? el("span", { class: "of" }, of) : null);
      }),
    );
  };
  const calls = (c) => Object.values(c.statuses).reduce((a, b) => a + b, 0);
  const counted = (c, status) => [
    c.statuses[status].toLocaleString("en"),
    c.statuses[status] ? share({ count: c.statuses[status], of: calls(c) }) : null,
  ];
  const repairs = (c) =>
    Object.entries(c.repairs)
      .map(([name, count]) => `${name} ${count}`)
      .join(", ");
  const silent = part()
    .entrants.map((each) => each.name)
    .filter((name) => !system(name).reference && !told.includes(name));
  fill(
    target,
    el(
      "p",
      { class: "explain" },
      "From the journals: all calls that these runs made, whether or not the page holds them.",
    ),
    scroll(
      "Consistency",
      el(
        "table",
        { class: "traits number" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            el("td", {}),
            told.map((name) => el("th", { scope: "col", class: headClass(name, true) }, headText(name))),
          ),
        ),
        el(
          "tbody",
          {},
          row("Answers", "calls that the journal holds", (c) => [
            calls(c).toLocaleString("en"),
            c.of > c.runs ? `of ${c.runs} of ${c.of} runs` : null,
          ]),
          row("Repaired", "something had to be dropped or added", (c) => {
            const [n, s] = counted(c, "repaired");
            return [n, [s, repairs(c)].filter(Boolean).join(": ")];
          }),
          row("Failed", "no answer in what the model said", (c) => counted(c, "failed")),
          row("Lost", "calls that never came back", (c) => counted(c, "lost")),
          row("Contradicted pairs", "another winner in the other order", (c) =>
            c.contradicted.of
              ? [
                  share(c.contradicted),
                  `${c.contradicted.count.toLocaleString("en")} of ${plural(c.contradicted.of, "pair")}`,
                ]
              : [NOT_TWICE],
          ),
          row("First shown wins", "mean probability over those pairs; 0.5 is fair", (c) =>
            c.contradicted.of ? [short(c.first_wins)] : [NOT_TWICE],
          ),
          row("First shown selected", "beside what chance would give it", (c) =>
            c.first_chosen.of
              ? [share(c.first_chosen), `fair: ${(100 * c.first_fair).toFixed(1)} %`]
              : [UNKNOWN, "no selections"],
          ),
          row("Same list, other order", "Kendall\u2019s \u03c4 of two answers; 1 is the same", (c) =>
            c.relisted ? [short(c.agreement), plural(c.relisted, "pair of answers", "pairs of answers")] : [NOT_TWICE],
          ),
          row("Omitted documents", "shown in a list and not in its answer", (c) =>
            c.omitted.of
              ? [c.omitted.count.toLocaleString("en"), `of ${c.omitted.of.toLocaleString("en")} shown`]
              : [UNKNOWN, "no lists"],
          ),
          row("Only the order shown", "orders of four documents or more; chance: 4.2 % or less", (c) =>
            c.as_shown.of
              ? [share(c.as_shown), `${c.as_shown.count.toLocaleString("en")} of ${plural(c.as_shown.of, "order")}`]
              : [UNKNOWN, "no such orders"],
          ),
          row("Order kept", "\u03c4 of a list\u2019s answer with the order shown", (c) =>
            c.omitted.of ? [short(c.kept)] : [UNKNOWN, "no lists"],
          ),
        ),
      ),
    ),
    exported("Consistency", () => [["", ...told], ...traits]),
    silent.length ? el("p", { class: "soft" }, `No journal: ${silent.join(", ")}.`) : null,
    curves(told),
  );
}

/** Mean rank by place in the prompt, for systems that ask for lists. */
function curves(names) {
  const shown = names.filter((name) => part().consistency[name].places.length > 2);
  if (!shown.length) return el("p", { hidden: true });
  return el(
    "div",
    {},
    el("h3", { class: "below" }, "Rank by place in the prompt"),
    el(
      "p",
      { class: "explain" },
      "The mean rank of the document at each place of a list. Where lists are shuffled it is flat (the line across) unless places count. Otherwise it shows the order that the lists came in as well: the first stage\u2019s, or, in sliding windows, with what won before in the later half.",
    ),
    el(
      "div",
      { class: "small-charts" },
      shown.map((name) => {
        const places = part().consistency[name].places,
          n = places.length,
          width = 208,
          height = 132,
          left = 24,
          bottom = height - 22;
        const x = (i) => left + 6 + (i / (n - 1)) * (width - left - 14),
          y = (rank) => 8 + ((rank - 1) / (n - 1)) * (bottom - 14);
        const text = places.map((each) => `place ${each.place}: ${each.rank.toFixed(1)}`).join(", ");
        return el(
          "figure",
          {},
          svg(
            "svg",
            { width, height, role: "img", "aria-label": `${name}, mean rank by place. ${text}` },
            svg("title", {}, text),
            [1, n].map((at) => [
              svg("text", { class: "tick", x: left - 4, y: y(at) + 4, "text-anchor": "end" }, String(at)),
              svg("text", { class: "tick", x: x(at - 1), y: height - 6, "text-anchor": "middle" }, String(at)),
            ]),
            svg("text", { class: "tick", x: (left + width) / 2, y: height - 6, "text-anchor": "middle" }, "place"),
            svg("line", { class: "grid", x1: x(0), x2: x(n - 1), y1: y((n + 1) / 2), y2: y((n + 1) / 2) }),
            svg("path", {
              class: "range",
              d: places.map((each, i) => `${i ? "L" : "M"}${x(i)} ${y(each.rank)}`).join(""),
            }),
            places.map((each, i) => svg("circle", { class: "point on", cx: x(i), cy: y(each.rank), r: 2 })),
          ),
          el("figcaption", {}, name),
        );
      }),
    ),
  );
}

function drawRobust() {
  const found = part().robust;
  document.getElementById("robust").hidden = !found.length;
  document.getElementById("robust-link").hidden = !found.length;
  if (!found.length) return;
  const orders = [...new Set(found.flatMap((each) => each.quality.map((of) => of.order)))];
  const quality = (each, name) => each.quality.find((of) => of.order === name);
  fill(
    room("robust"),
    el(
      "p",
      { class: "explain" },
      `The same candidates in other orders, or from other first stages: ${found[0].measure} by order with its 95 % interval, and how much it varies on one query in the mean.`,
    ),
    sortable(
      "Quality by order",
      [
        { name: "system", show: (each) => each.system, key: (each) => each.system },
        ...orders.map((name) => ({
          name,
          number: true,
          key: (each) => (quality(each, name) ? quality(each, name).mean : null),
          show: (each) => {
            const of = quality(each, name);
            return of
              ? [score(of.mean), el("span", { class: "soft" }, ` [${short(of.low)}, ${short(of.high)}]`)]
              : UNKNOWN;
          },
        })),
        { name: "range on a query", number: true, show: (each) => short(each.spread), key: (each) => each.spread },
      ],
      [{ rows: found }],
    ),
    sortable(
      "Agreement between orders",
      [
        { name: "system", show: (each) => each.system, key: (each) => each.system },
        { name: "from", show: (each) => each.first, key: (each) => each.first },
        { name: "and from", show: (each) => each.second, key: (each) => each.second },
        { name: "Kendall\u2019s \u03c4", number: true, show: (each) => short(each.tau), key: (each) => each.tau },
        {
          name: "top 10 shared",
          number: true,
          show: (each) => (each.overlap === null ? UNKNOWN : `${Math.round(100 * each.overlap)} %`),
          key: (each) => each.overlap,
        },
      ],
      [{ rows: found.flatMap((each) => each.pairs.map((pair) => ({ system: each.system, ...pair }))) }],
    ),
  );
}
