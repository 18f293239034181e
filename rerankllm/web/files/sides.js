// Two orders of the same documents side by side, and what moved.

/**
 * parts: {before, after}, each {head, order: keys or null, instead: shown where there is no order}; at most `limit` of
 * each; row(key, side, rank, light) makes an item whose first element is its line, and light(true) lights up both.
 */
function sideBySide(parts, limit, row) {
  const rows = new Map(),
    paths = new Map();
  const canvas = svg("svg", { "aria-hidden": "true" }),
    lines = el("div", { class: "lines" }, canvas);
  const orders = { before: parts.before.order || [], after: parts.after.order || [] };
  function light(key, on) {
    for (const side of ["before", "after"]) {
      const item = rows.get(side).get(key);
      if (item) item.classList.toggle("lit", on);
    }
    if (paths.has(key)) paths.get(key).classList.toggle("lit", on);
  }
  function connect() {
    const box = lines.getBoundingClientRect();
    if (!box.width) return;
    const middle = (item) => {
      const at = item.firstElementChild.getBoundingClientRect();
      return at.top + at.height / 2 - box.top;
    };
    paths.clear();
    const is = ranksOf(orders.after);
    for (const [i, key] of orders.before.slice(0, limit).entries()) {
      const [from, to] = [rows.get("before").get(key), rows.get("after").get(key)];
      if (!from || !to) continue;
      const [a, b] = [middle(from), middle(to)],
        move = i + 1 - is.get(key);
      paths.set(
        key,
        svg("path", {
          class: move > 0 ? "up" : move < 0 ? "down" : "same",
          d: `M2 ${a}C${box.width / 2} ${a} ${box.width / 2} ${b} ${box.width - 2} ${b}`,
        }),
      );
    }
    canvas.replaceChildren(...paths.values());
  }
  const lone = lonely(parts.before.order, parts.after.order);
  const column = (side) => {
    const items = orders[side]
      .slice(0, limit)
      .map((key, i) => [key, row(key, side, i + 1, (on) => light(key, on))]);
    for (const [key, item] of items) item.classList.toggle("lone", lone[side].has(key));
    rows.set(side, new Map(items));
    return el(
      "div",
      { class: side },
      el("h4", {}, parts[side].head),
      parts[side].order
        ? el(
            "ol",
            {},
            items.map(([, item]) => item),
          )
        : parts[side].instead,
    );
  };
  const node = el("div", { class: "sides" }, column("before"), lines, column("after"));
  new ResizeObserver(connect).observe(node);
  return node;
}
/** Ranks from 1, by key. */
const ranksOf = (order) => new Map((order || []).map((key, i) => [key, i + 1]));

/** How far a document moved; `there` is its rank on the other side, undefined where it is not there. */
function moveMark(rank, there, side) {
  if (there === undefined) return el("span", { class: "move soft" }, side === "after" ? "new" : "gone");
  const move = side === "after" ? there - rank : rank - there;
  return el(
    "span",
    {
      class: `move number ${move > 0 ? "up" : move < 0 ? "down" : "soft"}`,
      "aria-label": `${move > 0 ? "up" : move < 0 ? "down" : "unmoved"} ${Math.abs(move) || ""}, ${side === "after" ? "from" : "to"} ${there}`,
    },
    move === 0 ? "=" : `${move > 0 ? "\u25b2" : "\u25bc"} ${Math.abs(move)}`,
  );
}

/** What a document's line does when it is pointed at, or reached. */
const lighting = (light) => ({
  onmouseenter: () => light(true),
  onmouseleave: () => light(false),
  onfocus: () => light(true),
  onblur: () => light(false),
});

// What differs between two orders.
const FIRST_PLACES = 10;

/** What is among the first of one order and not of the other: {before: Set, after: Set}. */
function lonely(before, after) {
  if (!before || !after) return { before: new Set(), after: new Set() };
  const [a, b] = [before.slice(0, FIRST_PLACES), after.slice(0, FIRST_PLACES)];
  return { before: new Set(a.filter((key) => !b.includes(key))), after: new Set(b.filter((key) => !a.includes(key))) };
}

/** Where they part, and how far they agree, in a sentence. */
function contrasted(before, after) {
  const shorter = Math.min(before.length, after.length),
    found = before.findIndex((key, i) => key !== after[i]);
  if (found < 0 && before.length === after.length) return "The two orders are the same.";
  const first = Math.min(FIRST_PLACES, shorter),
    shared = first - [...lonely(before.slice(0, first), after.slice(0, first)).after].length;
  return `They part at place ${(found < 0 ? shorter : found) + 1}. Of the first ${first}, ${shared} are in both; Kendall\u2019s \u03c4 of what both have is ${fixed(kendall(before, after), 2)}.`;
}

/** Kendall\u2019s \u03c4 over what both orders have; null for fewer than two. */
function kendall(before, after) {
  const at = ranksOf(after),
    places = before.filter((key) => at.has(key)).map((key) => at.get(key));
  if (places.length < 2) return null;
  let swapped = 0;
  for (let i = 0; i < places.length; i++) for (let j = i + 1; j < places.length; j++) swapped += places[i] > places[j];
  return 1 - (4 * swapped) / (places.length * (places.length - 1));
}
