// Small charts of an output by an input, as SVG.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element with attributes and children; names of functions are of events. */
function element(tag, attributes = {}, ...children) {
  const found = ["svg", "g", "path", "rect", "line", "circle", "text", "title"].includes(tag)
    ? document.createElementNS(SVG, tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") found.addEventListener(name, value);
    else if (value !== false && value !== null) found.setAttribute(name, value === true ? "" : value);
  }
  found.append(...children.filter((child) => child !== null));
  return found;
}

const clip = (value, low, high) => Math.min(high, Math.max(low, value));

/** Return a number as people read it: four digits, and as many as tell it from others a step away. */
function shown(value, step = 0) {
  if (!Number.isFinite(value)) return "–";
  const size = value ? Math.floor(Math.log10(Math.abs(value))) : 0;
  if (value && (size >= 7 || size < -4)) return value.toExponential(2);
  const decimals = Math.max(3 - size, step > 0 ? -Math.floor(Math.log10(step)) : 0);
  return value.toLocaleString("en", { maximumFractionDigits: clip(decimals, 0, 12) });
}

const HEIGHT = 104,
  EDGE = 5,
  BOTTOM = 18,
  TOP = 18,
  LETTER = 6.8,
  PLOT = HEIGHT - BOTTOM;

/** Return how wide the numbers at an axis are, at 12 px. */
const gutter = (ends) => LETTER * Math.max(...ends.map((v) => shown(v).length)) + 2;

/** Return a text, cut where it would be wider than so many pixels at 12 px. */
const fitting = (text, width) =>
  text.length * LETTER <= width ? text : `${text.slice(0, Math.floor(width / LETTER) - 1)}…`;

/** Return the chart of one output along one input.
 *
 * `at`, `y`, `low`, `high`, `allowed`: values of the input, the predictions and the ends of their intervals (null
 * without), and which values the study allows; `axis`: the ends of the outputs' axis; `lines` across, at what is
 * wanted; `x`, `now`: where the input is, and the prediction there. */
function profileChart(chart) {
  const {
    width,
    input,
    output,
    axis: [least, most],
  } = chart;
  const [from, to] = input.categories ? [-0.5, input.categories.length - 0.5] : [chart.at[0], chart.at.at(-1)];
  const left = gutter(chart.axis) + EDGE,
    wide = width - EDGE - left;
  const X = (v) => left + ((clip(v, from, to) - from) / (to - from || 1)) * wide;
  const Y = (v) => TOP + (1 - (clip(v, least, most) - least) / (most - least || 1)) * (PLOT - TOP);
  const value = input.categories ? (input.categories[chart.x] ?? "") : shown(chart.x);
  const label = `${output.label} by ${input.label}: ${shown(chart.now, output.step)} at ${value}`;
  const size = { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT };
  return element(
    "svg",
    { ...size, role: "img", "aria-label": label },
    ...density(input, X),
    ...forbidden(chart, X),
    ...across(chart, left, Y),
    ...(input.categories ? points(chart, X, Y) : curve(chart, X, Y)),
    element("line", { class: "now", x1: X(chart.x), x2: X(chart.x), y1: TOP - 4, y2: PLOT }),
    element("circle", { class: "here", cx: X(chart.x), cy: Y(chart.now), r: 4.5 }),
    words(0, 12, "start", fitting(output.label, width), ""),
    words(left - EDGE, TOP + 8, "end", shown(most)),
    words(left - EDGE, PLOT, "end", shown(least)),
    ...(input.categories
      ? [words(left + wide / 2, HEIGHT - 3, "middle", fitting(value, wide))]
      : [words(left - EDGE, HEIGHT - 3, "start", shown(from)), words(width, HEIGHT - 3, "end", shown(to))]),
  );
}

const words = (x, y, anchor, text, kind = "soft") =>
  element("text", { x, y, "text-anchor": anchor, class: kind }, text);

function bar(kind, left, top, right, bottom) {
  const size = { width: Math.max(0, right - left).toFixed(1), height: Math.max(0, bottom - top).toFixed(1) };
  return element("rect", { class: kind, x: left.toFixed(1), y: top.toFixed(1), ...size });
}

function density(input, X) {
  const most = Math.max(...input.density, 1),
    part = (input.high - input.low) / input.density.length;
  return input.density.map((n, k) => {
    const top = PLOT - (n / most) * (PLOT - TOP) * 0.6,
      from = input.low + k * part;
    return input.categories
      ? bar("density", X(k) - 5, top, X(k) + 5, PLOT)
      : bar("density", X(from), top, X(from + part), PLOT);
  });
}

/** Return a bar for each value that is not allowed, to halfway to its neighbours. */
function forbidden({ at, allowed, input }, X) {
  const middle = (k, other) => X((at[k] + (at[other] ?? at[k])) / 2);
  return at.flatMap((v, k) => {
    if (allowed[k]) return [];
    return [
      input.categories
        ? bar("forbidden", X(v) - 7, TOP, X(v) + 7, PLOT)
        : bar("forbidden", middle(k, k - 1), TOP, middle(k, k + 1), PLOT),
    ];
  });
}

function across({ lines, width, axis: [least, most] }, left, Y) {
  const seen = lines.filter((v) => v >= least && v <= most);
  return seen.map((v) => element("line", { class: "wanted", x1: left, x2: width, y1: Y(v), y2: Y(v) }));
}

function points({ at, y, low, high }, X, Y) {
  const bars = low ? at.map((v, k) => bar("band", X(v) - 3, Y(high[k]), X(v) + 3, Y(low[k]))) : [];
  return [...bars, ...at.map((v, k) => element("circle", { class: "dot", cx: X(v), cy: Y(y[k]), r: 3 }))];
}

function curve({ at, y, low, high }, X, Y) {
  const along = (values) => at.map((v, k) => `${X(v).toFixed(1)} ${Y(values[k]).toFixed(1)}`);
  const line = element("path", { class: "line", d: `M${along(y).join("L")}` });
  return low
    ? [element("path", { class: "band", d: `M${[...along(high), ...along(low).reverse()].join("L")}Z` }), line]
    : [line];
}
