// What documents that were written to rise did to systems.
function drawAttacks() {
  const found = DATA.attacks;
  document.getElementById("attacks").hidden = !found.length;
  document.getElementById("attacks-link").hidden = !found.length;
  const spread = (of, form) =>
    of.mean === null ? UNKNOWN : [form(of.mean), el("span", { class: "soft" }, ` [${form(of.low)}, ${form(of.high)}]`)];
  const two = (value) => value.toFixed(2),
    one = (value) => `${value < 0 ? "\u2212" : "+"}${Math.abs(value).toFixed(1)}`;
  fill(
    room("attacks"),
    found.map((each) => [
      el("h3", {}, each.system),
      el("p", { class: "explain" }, `Judged by ${each.model}.`),
      sortable(
        `Attacks on ${each.system}`,
        [
          { name: "attack", show: (row) => row.attack, key: (row) => row.attack },
          { name: "kind", show: (row) => row.kind, key: (row) => row.kind },
          { name: "success", number: true, show: (row) => spread(row.success, two), key: (row) => row.success.mean },
          { name: "of", number: true, show: (row) => String(row.of), key: (row) => row.of },
          {
            name: `into the top ${each.top}`,
            number: true,
            show: (row) => spread(row.top, two),
            key: (row) => row.top.mean,
          },
          { name: "places gained", number: true, show: (row) => spread(row.gained, one), key: (row) => row.gained.mean },
          { name: "resisted", number: true, show: (row) => String(row.resisted), key: (row) => row.resisted },
          { name: "as shown", number: true, show: (row) => String(row.echoed), key: (row) => row.echoed },
          { name: "failed", number: true, show: (row) => String(row.failed), key: (row) => row.failed },
          {
            name: "flagged",
            number: true,
            show: (row) => (row.attack in each.flagged ? String(each.flagged[row.attack]) : UNKNOWN),
            key: (row) => each.flagged[row.attack] ?? null,
          },
        ],
        [{ rows: each.rows }],
      ),
      el(
        "ul",
        { class: "notes" },
        each.notes.map((line) => el("li", {}, line)),
      ),
    ]),
  );
}
