// The rankings of a query before and after, side by side, and what moved.
const TOP = 20;

const orderOf = (data, name, run) => data.systems[name][run].order;
function sides(data) {
  const before = orderOf(data, browse.before, browse.beforeRun),
    after = orderOf(data, browse.after, browse.afterRun);
  const ranks = (order) => new Map((order || []).map((doc, i) => [doc, i + 1]));
  const [was, is] = [ranks(before), ranks(after)],
    rows = new Map(),
    limit = browse.all ? Infinity : TOP;
  const top = Math.max(1, ...data.docs.map((doc) => doc.grade || 0));
  const list = (side, order, other) =>
    el(
      "ol",
      {},
      order.slice(0, limit).map((doc, i) => {
        const item = docRow(data, doc, i + 1, other, side, top, (calls) => light(doc, calls));
        rows.set(`${side} ${doc}`, item);
        return item;
      }),
    );
  const column = (side, name, order, other) =>
    el(
      "div",
      { class: side },
      el("h4", {}, `${side === "before" ? "Before" : "After"}: ${name}`),
      order
        ? list(side, order, other)
        : el(
            "p",
            { class: "soft" },
            `${name} has no ranking of this query: it failed, or was left out. It counts as 0.`,
          ),
    );
  const canvas = svg("svg", { "aria-hidden": "true" }),
    lines = el("div", { class: "lines" }, canvas),
    paths = new Map();
  function light(doc, on) {
    for (const side of ["before", "after"]) {
      const row = rows.get(`${side} ${doc}`);
      if (row) row.classList.toggle("lit", on);
    }
    if (paths.has(doc)) paths.get(doc).classList.toggle("lit", on);
  }
  function connect() {
    const box = lines.getBoundingClientRect();
    if (!box.width) return;
    const middle = (row) => {
      const at = row.firstElementChild.getBoundingClientRect();
      return at.top + at.height / 2 - box.top;
    };
    paths.clear();
    for (const doc of (before || []).slice(0, limit)) {
      const [from, to] = [rows.get(`before ${doc}`), rows.get(`after ${doc}`)];
      if (!from || !to) continue;
      const [a, b] = [middle(from), middle(to)],
        move = was.get(doc) - is.get(doc);
      paths.set(
        doc,
        svg("path", {
          class: move > 0 ? "up" : move < 0 ? "down" : "same",
          d: `M2 ${a}C${box.width / 2} ${a} ${box.width / 2} ${b} ${box.width - 2} ${b}`,
        }),
      );
    }
    canvas.replaceChildren(...paths.values());
  }
  const node = el(
    "div",
    { class: "sides" },
    column("before", browse.before, before, is),
    lines,
    column("after", browse.after, after, was),
  );
  new ResizeObserver(connect).observe(node);
  const longest = Math.max((before || []).length, (after || []).length);
  const more =
    longest > TOP
      ? el(
          "button",
          {
            type: "button",
            "data-name": "all",
            class: "below",
            onclick: () => {
              browse.all = !browse.all;
              drawBrowser("all").then(() =>
                document.querySelector("#browser [data-name=all]").focus({ preventScroll: true }),
              );
            },
          },
          browse.all ? `Show the first ${TOP} only` : `Show all ${longest}`,
        )
      : null;
  return el("div", {}, node, more);
}

function docRow(data, doc, rank, other, side, top, light) {
  const { id, grade, text } = data.docs[doc],
    there = other.get(doc);
  const move = there === undefined ? null : side === "after" ? there - rank : rank - there;
  const moved =
    there === undefined
      ? el("span", { class: "move soft" }, side === "after" ? "new" : "gone")
      : el(
          "span",
          {
            class: `move number ${move > 0 ? "up" : move < 0 ? "down" : "soft"}`,
            "aria-label": `${move > 0 ? "up" : move < 0 ? "down" : "unmoved"} ${Math.abs(move) || ""}, ${side === "after" ? "from" : "to"} ${there}`,
          },
          move === 0 ? "=" : `${move > 0 ? "\u25b2" : "\u25bc"} ${Math.abs(move)}`,
        );
  const mark = el(
    "span",
    {
      class: `grade number ${grade === null ? "none" : grade <= 0 ? "zero" : grade === top ? "most" : ""}`,
      "aria-label": grade === null ? "not judged" : `grade ${grade}`,
      title: grade === null ? "not judged" : `grade ${grade} of ${top}`,
    },
    grade === null ? UNKNOWN : grade,
  );
  const button = el(
    "button",
    {
      type: "button",
      class: "doc",
      "aria-expanded": "false",
      onclick: () => unfold(item, button, data, doc),
      onmouseenter: () => light(true),
      onmouseleave: () => light(false),
      onfocus: () => light(true),
      onblur: () => light(false),
    },
    el("span", { class: "rank number" }, rank),
    moved,
    mark,
    el("span", { class: "text", dir: "auto" }, text === null ? id : text.slice(0, 240)),
  );
  const item = el("li", {}, button);
  return item;
}

function unfold(item, button, data, doc) {
  const open = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!open));
  if (open) {
    item.lastElementChild.remove();
    return;
  }
  const { id, grade, text } = data.docs[doc];
  const seen = data.systems[browse.after][browse.afterRun].calls.filter((call) => (call.docs || []).includes(doc));
  item.append(
    el(
      "div",
      { class: "passage" },
      el(
        "p",
        { class: "soft" },
        el("bdi", {}, id),
        grade === null ? ", not judged" : `, grade ${grade}`,
        seen.length
          ? [
              ", shown in ",
              el(
                "button",
                { type: "button", class: "plain", onclick: () => showCalls(data, doc) },
                plural(seen.length, "call"),
              ),
              ` of ${browse.after}`,
            ]
          : null,
        ".",
      ),
      el("div", { class: "body", dir: "auto" }, text === null ? "Its text is not at hand." : text),
    ),
  );
}
