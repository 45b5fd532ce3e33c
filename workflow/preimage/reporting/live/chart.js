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

const HEIGHT = 104, EDGE = 5, BOTTOM = 18, TOP = 18, LETTER = 6.8;

/** Return the chart of one output along one input.
 *
 * `at`, `y`, `low`, `high`, `allowed`: values of the input, the predictions and the ends of their intervals (null
 * without), and which values the study allows; `ends` of both axes; `density` of the data; `lines` across, at what is
 * wanted; `x`, `now`: where the input is, and the prediction there. */
function profileChart(c) {
  const plot = HEIGHT - BOTTOM, [least, most] = c.ends.y, [from, to] = c.ends.x;
  const left = gutter(c.ends.y) + EDGE, wide = c.width - EDGE - left;
  const X = (v) => left + ((v - from) / (to - from || 1)) * wide;
  const Y = (v) => TOP + (1 - (clip(v, least, most) - least) / (most - least || 1)) * (plot - TOP);
  const path = (points) => points.map(([u, v], k) => `${k ? "L" : "M"}${u.toFixed(1)} ${v.toFixed(1)}`).join("");
  const parts = [...density(c, X, plot), ...forbidden(c, X, plot)];

  if (c.low && c.categories) {
    parts.push(...c.at.map((v, k) => bar("band", X(v) - 3, Y(c.high[k]), 6, Y(c.low[k]) - Y(c.high[k]))));
  } else if (c.low) {
    const above = c.at.map((v, k) => [X(v), Y(c.high[k])]), below = c.at.map((v, k) => [X(v), Y(c.low[k])]);
    parts.push(element("path", { class: "band", d: `${path([...above, ...below.reverse()])}Z` }));
  }
  for (const v of c.lines) {
    if (v >= least && v <= most) parts.push(element("line", { class: "wanted", x1: left, x2: c.width, y1: Y(v), y2: Y(v) }));
  }
  parts.push(element("line", { class: "now", x1: X(c.x), x2: X(c.x), y1: TOP - 4, y2: plot }));
  if (c.categories) parts.push(...c.at.map((v, k) => element("circle", { class: "dot", cx: X(v), cy: Y(c.y[k]), r: 3 })));
  else parts.push(element("path", { class: "line", d: path(c.at.map((v, k) => [X(v), Y(c.y[k])])) }));
  parts.push(element("circle", { class: "here", cx: X(c.x), cy: Y(c.now), r: 4.5 }));
  const text = (x, y, anchor, said, kind = "") => element("text", { x, y, "text-anchor": anchor, class: kind }, said);
  parts.push(text(0, 12, "start", fitting(c.title, c.width)));
  parts.push(text(left - EDGE, TOP + 8, "end", shown(most), "soft"), text(left - EDGE, plot, "end", shown(least), "soft"));
  if (!c.categories) parts.push(text(left - EDGE, HEIGHT - 3, "start", shown(from), "soft"), text(c.width, HEIGHT - 3, "end", shown(to), "soft"));
  else parts.push(text(left + wide / 2, HEIGHT - 3, "middle", fitting(c.categories[c.x] ?? "", wide)));
  const label = `${c.title} by ${c.input}: ${c.value} at ${c.categories ? c.categories[c.x] : shown(c.x)}`;
  return element("svg", { viewBox: `0 0 ${c.width} ${HEIGHT}`, width: c.width, height: HEIGHT, role: "img", "aria-label": label }, ...parts);
}

/** Return how wide the numbers at an axis are, at 12 px. */
const gutter = (ends) => LETTER * Math.max(...ends.map((v) => shown(v).length)) + 2;

/** Return a text, cut where it would be wider than so many pixels at 12 px. */
const fitting = (text, width) =>
  text.length * LETTER <= width ? text : `${text.slice(0, Math.floor(width / LETTER) - 1)}…`;

const bar = (kind, x, y, width, height) =>
  element("rect", { class: kind, x: x.toFixed(1), y: y.toFixed(1), width: Math.max(0, width).toFixed(1), height: Math.max(0, height).toFixed(1) });

function density(c, X, plot) {
  const most = Math.max(...c.density, 1), count = c.density.length, [from, to] = c.ends.x;
  const [first, last] = c.range;
  return c.density.map((n, k) => {
    const tall = (n / most) * (plot - TOP) * 0.6;
    if (c.categories) return bar("density", X(k) - 5, plot - tall, 10, tall);
    const left = X(clip(first + (k / count) * (last - first), from, to));
    const right = X(clip(first + ((k + 1) / count) * (last - first), from, to));
    return bar("density", left, plot - tall, right - left, tall);
  });
}

function forbidden(c, X, plot) {
  const found = [];
  for (let k = 0; k < c.at.length; k++) {
    if (c.allowed[k]) continue;
    const before = k ? (c.at[k - 1] + c.at[k]) / 2 : c.at[k], after = k + 1 < c.at.length ? (c.at[k + 1] + c.at[k]) / 2 : c.at[k];
    found.push(c.categories ? bar("forbidden", X(c.at[k]) - 7, TOP, 14, plot - TOP) : bar("forbidden", X(before), TOP, X(after) - X(before), plot - TOP));
  }
  return found;
}
