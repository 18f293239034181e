// Elements, numbers and sortable tables. Every text goes in as a text node, never as markup.
const SVG = "http://www.w3.org/2000/svg";
const MINUS = "\u2212",
  UNKNOWN = "\u2013";

/** Characters that would not be seen, as the pictures Unicode has of them. */
function visible(text) {
  return String(text)
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/\u007f/g, "\u2421");
}

function build(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  return put(node, children);
}
function put(node, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined) continue;
    node.append(child instanceof Node ? child : document.createTextNode(visible(child)));
  }
  return node;
}
/** The children instead of what was there. */
function fill(node, ...children) {
  node.replaceChildren();
  return put(node, children);
}
const el = (name, attributes, ...children) => build(document.createElement(name), attributes, children);
const svg = (name, attributes, ...children) => build(document.createElementNS(SVG, name), attributes, children);
/** A name that may be broken behind its signs rather than inside its words. */
const parted = (name) => name.split(/(?<=[@/_,=([-])/).map((part, i) => (i ? [el("wbr"), part] : part));
/** The part of a section that is drawn anew. */
const room = (id) => document.querySelector(`#${id} > div`);

function fixed(value, digits, signed) {
  if (value === null || value === undefined) return UNKNOWN;
  const text = Math.abs(value).toFixed(digits);
  const zero = Number(text) === 0;
  return (value < 0 && !zero ? MINUS : signed && !zero ? "+" : "") + text;
}
const score = (value) => fixed(value, 4);
const gap = (value) => fixed(value, 4, true);
const short = (value) => fixed(value, 3);
function chance(p) {
  if (p === null || p === undefined) return UNKNOWN;
  return p < 0.001 ? "<0.001" : p.toFixed(3);
}
const saying = (p) => (p === null ? "p unknown" : p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(3)}`);
function amount(value) {
  if (value === null || value === undefined) return UNKNOWN;
  if (value === 0) return "0";
  return value >= 100 ? Math.round(value).toLocaleString("en") : Number(value.toPrecision(3)).toString();
}
const share = (found) => (found.of ? `${((100 * found.count) / found.of).toFixed(1)} %` : null);
const plural = (count, one, many) => `${count.toLocaleString("en")} ${count === 1 ? one : many || one + "s"}`;

/** A labelled select. `choices` are [value, name]; `change` gets the value. */
function choice(label, choices, value, change, extra) {
  const select = el(
    "select",
    { onchange: () => change(select.value) },
    choices.map(([of, name]) => el("option", { value: of, selected: String(of) === String(value) }, name)),
  );
  return el("label", { class: `field ${extra || ""}` }, label, select);
}

/** What a column with this head is classed as: one of many words, or a long name, may be broken. */
const LONG_HEAD = 18;
const headText = (name) => (name.length > LONG_HEAD ? parted(name) : name);
const headClass = (name, number) => [number ? "n" : "", name.length > LONG_HEAD ? "long" : ""].join(" ").trim() || null;

/** A box that scrolls by itself where a table is wider than the page. */
const scroll = (label, content) =>
  el("div", { class: "scroll", role: "region", "aria-label": label, tabindex: "0" }, content);

/**
 * A table whose columns can be sorted.
 * columns: {name, show(row) → text or node, key(row) → what is sorted by, number, out}; groups: [{class, rows}]
 * out: [[name, (row) → value]], the columns of its CSV; else there is one, with what it is sorted by.
 */
function sortable(label, columns, groups, options) {
  const bodies = groups
    .filter((group) => group.rows.length)
    .map((group) => ({ ...group, node: el("tbody", { class: group.class }) }));
  const heads = columns.map((column, i) =>
    el(
      "th",
      { scope: "col", class: headClass(column.name, column.number) },
      column.key
        ? el("button", { type: "button", class: "sort", onclick: () => turn(i) }, headText(column.name))
        : headText(column.name),
      column.under || null,
    ),
  );
  function write() {
    for (const body of bodies) {
      body.node.replaceChildren(
        ...body.rows.map((row) =>
          el(
            "tr",
            { class: options && options.mark ? options.mark(row) : null },
            columns.map((column, i) =>
              el(
                i === 0 ? "th" : "td",
                {
                  scope: i === 0 ? "row" : null,
                  class: [column.number ? "n" : "", column.class || ""].join(" ").trim() || null,
                },
                column.show(row),
              ),
            ),
          ),
        ),
      );
    }
  }
  function turn(i) {
    const down = heads[i].getAttribute("aria-sort") === (columns[i].number ? "descending" : "ascending");
    const sign = (columns[i].number ? -1 : 1) * (down ? -1 : 1);
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[i].setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    const rank = (a, b) =>
      typeof a === "number" && typeof b === "number"
        ? a - b
        : String(a).localeCompare(String(b), "en", { numeric: true });
    for (const body of bodies) {
      body.rows = [...body.rows].sort((a, b) => {
        const [x, y] = [columns[i].key(a), columns[i].key(b)];
        if (x === null || y === null) return (x === null) - (y === null);
        return sign * rank(x, y);
      });
    }
    write();
  }
  write();
  if (options && options.sorted !== undefined)
    heads[options.sorted].setAttribute("aria-sort", options.way || "descending");
  const table = el(
    "table",
    { class: options && options.class },
    el("thead", {}, el("tr", {}, heads)),
    bodies.map((body) => body.node),
  );
  const told = columns.flatMap((column) => column.out || (column.key ? [[column.name, column.key]] : []));
  const cells = () => [
    told.map(([name]) => name),
    ...bodies.flatMap((body) => body.rows.map((row) => told.map(([, value]) => value(row)))),
  ];
  const caption = options && options.caption ? el("p", { class: "explain" }, options.caption) : null;
  return el("div", {}, caption, scroll(label, table), exported(label, cells, ...((options && options.more) || [])));
}

/** Draws now, and again whenever the width changes. */
function drawn(node, draw) {
  let last = 0;
  const watch = new ResizeObserver(() => {
    const width = Math.floor(node.clientWidth);
    if (width && width !== last) {
      last = width;
      draw(width);
    }
  });
  watch.observe(node);
  return node;
}

/** Ticks at round numbers that cover low to high. */
function ticks(low, high, count) {
  const raw = (high - low) / Math.max(1, count) || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= raw) || raw;
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-9; at += step)
    found.push(Number(at.toPrecision(12)));
  return found;
}

/** Turns the page from the system's theme to a light, then a dark one. */
function themeButton() {
  const themes = ["auto", "light", "dark"];
  let theme = 0;
  const button = el(
    "button",
    {
      type: "button",
      onclick: () => {
        theme = (theme + 1) % themes.length;
        if (theme) document.documentElement.setAttribute("data-theme", themes[theme]);
        else document.documentElement.removeAttribute("data-theme");
        fill(button, `Theme: ${themes[theme]}`);
      },
    },
    "Theme: auto",
  );
  return button;
}
