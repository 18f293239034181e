// The rankings of a query before and after, side by side, and what moved.
const TOP = 20;

const orderOf = (data, name, run) => data.systems[name][run].order;
function sides(data) {
  const before = orderOf(data, browse.before, browse.beforeRun),
    after = orderOf(data, browse.after, browse.afterRun);
  const ranks = { before: ranksOf(before), after: ranksOf(after) };
  const top = Math.max(1, ...data.docs.map((doc) => doc.grade || 0));
  const part = (head, name, order) => ({
    head: `${head}: ${name}`,
    order,
    instead: el(
      "p",
      { class: "soft" },
      `${name} has no ranking of this query: it failed, or was left out. It counts as 0.`,
    ),
  });
  const node = sideBySide(
    { before: part("Before", browse.before, before), after: part("After", browse.after, after) },
    browse.all ? Infinity : TOP,
    (doc, side, rank, light) =>
      docRow(data, doc, rank, ranks[side === "before" ? "after" : "before"], side, top, light),
  );
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
  return el("div", {}, contrast(data), node, more);
}

function docRow(data, doc, rank, other, side, top, light) {
  const { id, grade, text } = data.docs[doc];
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
      ...lighting(light),
    },
    el("span", { class: "rank number" }, rank),
    moveMark(rank, other.get(doc), side),
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
  const sidesOf = browse.before === browse.after ? ["after"] : ["after", "before"];
  const seen = sidesOf
    .map((side) => [side, data.systems[browse[side]][browse[`${side}Run`]].calls])
    .map(([side, calls]) => [side, calls.filter((call) => (call.docs || []).includes(doc)).length])
    .filter(([, count]) => count);
  item.append(
    el(
      "div",
      { class: "passage" },
      el(
        "p",
        { class: "soft" },
        el("bdi", {}, id),
        grade === null ? ", not judged" : `, grade ${grade}`,
        seen.map(([side, count], i) => [
          i ? " and in " : ", shown in ",
          el("button", { type: "button", class: "plain", onclick: () => showCalls(data, doc, side) }, plural(count, "call")),
          ` of ${browse[side]}`,
        ]),
        ".",
      ),
      el("div", { class: "body", dir: "auto" }, text === null ? "Its text is not at hand." : text),
    ),
  );
}
