// Every system against every other one.
const SURE = 0.05;
const MOST_NAMED = 6,
  LONGEST_HEAD = 14; // beyond these a column is headed by its row's letter

function drawPairs() {
  const target = room("pairs"),
    names = ranked(),
    found = part().pairs[state.measure];
  if (!found.length) {
    fill(target, el("p", {}, "There is one system only."));
    return;
  }
  const lettered = names.length > MOST_NAMED || names.some((name) => name.length > LONGEST_HEAD);
  const letters = lettersOf(names);
  const cell = (row, column) => {
    if (row === column) return el("td", { class: "self" }, "\u00b7");
    const pair = pairOf(row, column),
      sure = pair.adjusted < SURE,
      sign = pair.mean > 0 ? "up" : "down";
    return el(
      "td",
      { class: "n" },
      el(
        "span",
        { class: sure ? `sure ${sign}` : null, title: `95 % interval ${gap(pair.low)} to ${gap(pair.high)}` },
        sure ? (sign === "up" ? "\u25b2 " : "\u25bc ") : null,
        fixed(pair.mean, 3, true),
      ),
      el("span", { class: "p" }, saying(pair.adjusted)),
    );
  };
  fill(
    target,
    el(
      "p",
      { class: "explain" },
      `Difference in ${state.measure}, row less column. Below it p of the randomization test, adjusted (${part().document.correction === "holm" ? "Holm" : "Bonferroni"}) over the ${plural(found.length, "pair")} shown. \u25b2 \u25bc: p below 0.05. A large p does not show that two systems are equal.`,
    ),
    scroll(
      "Matrix of differences",
      el(
        "table",
        { class: "matrix number" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            el("th", { scope: "col" }, "row less column"),
            names.map((name) => el("th", { scope: "col", title: name }, lettered ? letters.get(name) : name)),
          ),
        ),
        el(
          "tbody",
          {},
          names.map((row) =>
            el(
              "tr",
              {},
              el("th", { scope: "row" }, lettered ? el("span", { class: "soft" }, `${letters.get(row)} `) : null, parted(row)),
              names.map((column) => cell(row, column)),
            ),
          ),
        ),
      ),
    ),
    el(
      "details",
      {},
      el("summary", {}, "The same as a list, with intervals, wins and losses"),
      sortable(
        "Every pair",
        [
          { name: "system", show: (pair) => parted(pair.one), key: (pair) => pair.one },
          { name: "less", show: (pair) => parted(pair.other), key: (pair) => pair.other },
          { name: "difference", number: true, show: (pair) => gap(pair.mean), key: (pair) => pair.mean },
          {
            name: "95 % interval",
            number: true,
            show: (pair) => `[${fixed(pair.low, 3, true)}, ${fixed(pair.high, 3, true)}]`,
            out: ["low", "high"].map((end) => [end, (pair) => pair[end]]),
          },
          { name: "p", number: true, show: (pair) => chance(pair.p), key: (pair) => pair.p },
          { name: adjusting(), number: true, show: (pair) => chance(pair.adjusted), key: (pair) => pair.adjusted },
          {
            name: "win/tie/loss",
            number: true,
            show: (pair) => pair.record.join("/"),
            key: (pair) => pair.record[0] - pair.record[2],
            out: ["wins", "ties", "losses"].map((name, i) => [name, (pair) => pair.record[i]]),
          },
        ],
        [
          {
            rows: found
              .map((pair) => (pair.mean >= 0 ? pair : pairOf(pair.other, pair.one)))
              .sort((a, b) => b.mean - a.mean),
          },
        ],
        { sorted: 2 },
      ),
    ),
  );
}
