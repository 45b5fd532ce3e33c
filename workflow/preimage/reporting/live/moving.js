// How inputs move: to values that they may take, and together where a sum is kept.

const POINTS = 41;

/** Return the value nearest to another that an input may take, a multiple of a step. */
function snapped(i, value, step = i.step) {
  if (i.values.length) return i.values.reduce((a, b) => (Math.abs(b - value) < Math.abs(a - value) ? b : a));
  let found = i.whole ? Math.round(value) : step ? Number((Math.round(value / step) * step).toPrecision(12)) : value;
  if (i.least !== null && found < i.least) found = found < i.least / 2 ? 0 : i.least;
  return clip(found, i.low, i.high);
}

/** Return the values at which a profile looks at an input: all that are separate, else evenly spread. */
function gridOf(i) {
  if (i.fixed !== null) return [i.fixed];
  if (i.values.length) return i.values;
  if (i.whole && i.high - i.low < POINTS) return Array.from({ length: i.high - i.low + 1 }, (_, k) => i.low + k);
  const spread = Array.from({ length: POINTS }, (_, k) => snapped(i, i.low + (k / (POINTS - 1)) * (i.high - i.low), 0));
  return [...new Set(spread)];
}

/** Whether a condition fixes a sum of inputs. */
const isSum = (c) => c.kind === "linear" && c.low === c.high;

/** Return a point with one input moved; where sums are to be kept, the others of one change in proportion, as along the
 * traces of Cox (1971, Biometrika 58). */
function moved(page, x, j, value, keep) {
  const next = x.slice();
  next[j] = value;
  const sum = keep && page.conditions.find((c) => isSum(c) && c.at.includes(j));
  if (!sum) return next;
  const free = (k) => k !== j && page.inputs[k].fixed === null;
  let others = 0,
    rest = sum.low;
  sum.at.forEach((k, n) => {
    if (free(k)) others += sum.coefficients[n] * x[k];
    else rest -= sum.coefficients[n] * next[k];
  });
  if (others * rest <= 0) return next;
  for (const k of sum.at) if (free(k)) next[k] = (x[k] * rest) / others;
  return next;
}
