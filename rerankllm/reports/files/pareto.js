// Quality against cost, with the front that nothing beats which costs no more.
const COSTS = {
  calls: "calls a query",
  rounds: "rounds (longest chain of calls)",
  slots: "passages shown a query",
  tokens: "tokens a query",
  seconds: "seconds a query",
  usd: "US dollars a query",
};

function drawCost() {
  const target = room("cost");
  const kinds = DATA.kinds.filter(known);
  if (!kinds.length) {
    fill(target, el("p", {}, "Nothing tells what these runs cost: neither a summary nor a journal lies beside them."));
    return;
  }
  if (!kinds.includes(state.axis))
    state.axis = kinds.includes(part().document.pareto.cost) ? part().document.pareto.cost : kinds[0];
  const points = systems()
    .filter((each) => each.cost && each.cost[state.axis] !== null)
    .map((each) => ({
      name: each.name,
      reference: each.reference,
      x: each.cost[state.axis],
      ...each.means[state.measure],
    }));
  const missing = systems()
    .filter((each) => !points.some((point) => point.name === each.name))
    .map((each) => each.name);
  const front = frontOf(points);
  const readout = el("p", { class: "readout number", "aria-live": "polite" }, said(front));
  const box = el("div", {}),
    key = el("div", {});
  const names = points.map((point) => point.name).sort((a, b) => meanOf(b).mean - meanOf(a).mean);
  fill(
    target,
    el(
      "div",
      { class: "controls" },
      choice(
        "Cost",
        kinds.map((kind) => [kind, COSTS[kind]]),
        state.axis,
        (kind) => {
          state.axis = kind;
          drawCost();
          room("cost").querySelector("select").focus();
        },
      ),
    ),
    el(
      "figure",
      {},
      drawn(box, (width) => {
        const room = names.length * Math.max(...names.map((name) => name.length));
        const letters = room * LABEL > width ? lettersOf(names) : null;
        fill(box, plot(points, front, width, readout, letters));
        fill(key, letters ? keyOf(letters) : null);
      }),
      key,
      readout,
      el(
        "figcaption",
        {},
        "Filled points and the dashed line: nothing that costs no more is better. Bars: 95 % intervals. ",
        missing.length ? `Not drawn, for its cost is unknown or has no meaning: ${missing.join(", ")}.` : null,
      ),
    ),
  );
}
const LABEL = 7; // pixels of a sign; where names would not stand side by side, points have letters
const keyOf = (letters) =>
  el(
    "ul",
    { class: "key" },
    [...letters].map(([name, letter]) => el("li", {}, el("b", {}, letter), " ", parted(name))),
  );
const said = (front) =>
  `On the front, cheapest first: ${front.map((point) => `${point.name} (${amount(point.x)}, ${short(point.mean)})`).join("; ")}.`;

function frontOf(points) {
  const kept = [];
  for (const point of [...points].sort((a, b) => a.x - b.x || b.mean - a.mean)) {
    const last = kept[kept.length - 1];
    if (!last || point.mean > last.mean || (point.mean === last.mean && point.x === last.x)) kept.push(point);
  }
  return kept;
}

/** Logarithmic where costs lie far apart; then 0 has a place of its own at the left. */
function scaleOf(points, left, right) {
  const positive = points.map((point) => point.x).filter((x) => x > 0);
  const low = Math.min(...positive),
    high = Math.max(...positive),
    zeros = points.some((point) => point.x === 0);
  if (!positive.length) return { x: () => (left + right) / 2, marks: [[0, "0"]] };
  if (high / low < 8) {
    const top = high * 1.08;
    return {
      x: (value) => left + 12 + (value / top) * (right - left - 24),
      marks: ticks(0, top, (right - left) / 90).map((at) => [at, amount(at)]),
    };
  }
  const start = zeros ? left + 56 : left + 14,
    from = Math.log10(low) - 0.12,
    to = Math.log10(high) + 0.12;
  const x = (value) =>
    value === 0 ? left + 14 : start + ((Math.log10(value) - from) / (to - from)) * (right - 14 - start);
  const marks = [];
  for (let power = Math.floor(from); power <= Math.ceil(to); power += 1) {
    for (const digit of to - from > 2.5 ? [1] : [1, 2, 5]) {
      const at = digit * 10 ** power;
      if (Math.log10(at) >= from && Math.log10(at) <= to) marks.push([at, amount(at)]);
    }
  }
  return { x, marks: zeros ? [[0, "0"], ...marks] : marks, log: true, broken: zeros ? left + 35 : null };
}

function plot(points, front, width, readout, letters) {
  const height = Math.max(280, Math.min(420, width * 0.55)),
    left = 44,
    right = width - 10,
    top = 14,
    bottom = height - 46;
  const { x, marks, log, broken } = scaleOf(points, left, right);
  const low = Math.min(...points.map((p) => p.low)),
    high = Math.max(...points.map((p) => p.high)),
    pad = (high - low || 0.1) * 0.06;
  const y = (value) => bottom - ((value - low + pad) / (high - low + 2 * pad)) * (bottom - top);
  const steps = front.map((p, i) => (i ? `H${x(p.x)}V${y(p.mean)}` : `M${x(p.x)} ${y(p.mean)}`)).join("");
  const labels = placed(
    points.map((p) => ({ name: letters ? letters.get(p.name) : p.name, x: x(p.x), y: y(p.mean), low: y(p.low), high: y(p.high) })),
    { left, right, top: 0, bottom },
    front.slice(1).flatMap((p, i) => [
      [x(front[i].x), y(front[i].mean) - 3, x(p.x), y(front[i].mean) + 3],
      [x(p.x) - 3, y(p.mean), x(p.x) + 3, y(front[i].mean)],
    ]),
  );
  return svg(
    "svg",
    { width, height, role: "group", "aria-label": `${state.measure} against ${COSTS[state.axis]}` },
    ticks(low - pad, high + pad, 6).map((at) => [
      svg("line", { class: "grid", x1: left, x2: right, y1: y(at), y2: y(at) }),
      svg("text", { class: "tick", x: left - 8, y: y(at) + 4, "text-anchor": "end" }, String(at)),
    ]),
    svg("line", { class: "zero", x1: left, x2: right, y1: bottom, y2: bottom }),
    broken
      ? svg("path", {
          class: "zero",
          fill: "none",
          d: `M${broken - 5} ${bottom + 5}l4 -10M${broken + 1} ${bottom + 5}l4 -10`,
        })
      : null,
    marks.map(([at, name]) => [
      svg("line", { class: "zero", x1: x(at), x2: x(at), y1: bottom, y2: bottom + 4 }),
      svg("text", { class: "tick", x: x(at), y: bottom + 17, "text-anchor": "middle" }, name),
    ]),
    svg(
      "text",
      { class: "axis", x: right, y: height - 8, "text-anchor": "end" },
      COSTS[state.axis] + (log ? ", logarithmic" : ""),
    ),
    svg("text", { class: "axis", x: left, y: 10 }, state.measure),
    front.length > 1 ? svg("path", { class: "front", d: steps }) : null,
    points.map((p) =>
      svg("line", { class: "range", x1: x(p.x), x2: x(p.x), y1: y(p.low), y2: y(p.high), opacity: 0.6 }),
    ),
    points.map((p, i) => {
      const text = `${p.name}: ${score(p.mean)} [${short(p.low)}, ${short(p.high)}] at ${amount(p.x)} ${COSTS[state.axis]}${front.includes(p) ? ", on the front" : ""}`;
      const show = () => fill(readout, text),
        clear = () => fill(readout, said(front));
      return svg(
        "g",
        {
          tabindex: 0,
          role: "img",
          "aria-label": text,
          onmouseenter: show,
          onfocus: show,
          onmouseleave: clear,
          onblur: clear,
        },
        svg("title", {}, text),
        svg("circle", { class: "hit", cx: x(p.x), cy: y(p.mean), r: 14 }),
        svg("circle", { class: "ring", cx: x(p.x), cy: y(p.mean), r: 9 }),
        svg("circle", { class: front.includes(p) ? "point on" : "point", cx: x(p.x), cy: y(p.mean), r: 5 }),
        labels[i].leader ? svg("line", { class: "leader", ...labels[i].leader }) : null,
        svg("text", { class: "name", x: labels[i].x, y: labels[i].y, "text-anchor": labels[i].anchor }, labels[i].name),
      );
    }),
  );
}

/** A place for each label where it covers neither a point, nor an interval, nor the front, nor another label. */
function placed(points, frame, lines) {
  const taken = points
    .flatMap((p) => [
      [p.x - 7, p.y - 7, p.x + 7, p.y + 7],
      [p.x - 2, p.high, p.x + 2, p.low],
    ])
    .concat(lines);
  const hits = (box) =>
    taken.reduce(
      (sum, other) =>
        sum +
        Math.max(0, Math.min(box[2], other[2]) - Math.max(box[0], other[0])) *
          Math.max(0, Math.min(box[3], other[3]) - Math.max(box[1], other[1])),
      0,
    );
  const found = new Array(points.length);
  for (const i of points.map((_, at) => at).sort((a, b) => points[a].y - points[b].y)) {
    const p = points[i],
      name = p.name.length > 28 ? `${p.name.slice(0, 27)}\u2026` : p.name,
      wide = name.length * 7 + 4;
    let best = null;
    for (const far of [0, 14, 28, 42, 60]) {
      for (const [side, dy] of [
        [1, 0],
        [-1, 0],
        [1, -far - 4],
        [1, far + 4],
        [1, -far],
        [1, far],
        [-1, -far],
        [-1, far],
      ]) {
        const at = p.x + side * (11 + far / 2),
          middle = p.y + dy;
        const box = side > 0 ? [at, middle - 8, at + wide, middle + 8] : [at - wide, middle - 8, at, middle + 8];
        const outside =
          Math.max(0, frame.left - box[0]) +
          Math.max(0, box[2] - frame.right) +
          Math.max(0, frame.top - box[1]) +
          Math.max(0, box[3] - frame.bottom);
        const cost = hits(box) * 10 + outside * 100 + far;
        if (!best || cost < best.cost) best = { cost, box, side, at, middle, far: dy !== 0 && far > 14 };
      }
    }
    taken.push(best.box);
    found[i] = {
      name,
      x: best.at,
      y: best.middle + 4,
      anchor: best.side > 0 ? "start" : "end",
      leader: best.far ? { x1: p.x + best.side * 6, y1: p.y, x2: best.at - best.side * 2, y2: best.middle } : null,
    };
  }
  return found;
}
