// A study at one point: what it predicts, how sure that is, and what of the study's conditions it meets.

// -- expressions

const OPERATIONS = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "**": (a, b) => a ** b,
  negative: (a) => -a,
  min: Math.min,
  max: Math.max,
  abs: Math.abs,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
};

const among = (values) => [Math.min(...values), Math.max(...values)];
const corners = (of) => (a, b) => among(a.flatMap((u) => b.map((v) => of(u, v))));
const ends = (of) => (a) => among(a.map(of));
const holdsZero = ([low, high]) => low <= 0 && high >= 0;
// What operations reach over intervals; NaN where that is not told here.
const BOUNDS = Object.fromEntries(["+", "-", "*", "min", "max"].map((name) => [name, corners(OPERATIONS[name])]));
for (const name of ["negative", "exp", "log", "sqrt"]) BOUNDS[name] = ends(OPERATIONS[name]);
BOUNDS.abs = (a) => (holdsZero(a) ? [0, Math.max(-a[0], a[1])] : ends(Math.abs)(a));
BOUNDS["/"] = (a, b) => (holdsZero(b) ? [NaN, NaN] : corners(OPERATIONS["/"])(a, b));
BOUNDS["**"] = (a, b) => (a[0] > 0 ? corners(OPERATIONS["**"])(a, b) : [NaN, NaN]);

/** Return what a formula reaches over intervals, by name; NaN where a name stands in it twice. */
function bounds(formula, intervalOf) {
  const results = [];
  for (const step of formula.steps) {
    if ("number" in step) results.push([step.number, step.number]);
    else if ("name" in step) results.push(intervalOf(step.name));
    else results.push(BOUNDS[step.operation](...step.arguments.map((k) => results[k])));
  }
  const found = results[results.length - 1],
    exact = found[0] === found[1];
  return formula.repeats && !exact ? [NaN, NaN] : found;
}

/** Return the value of an expression's steps, given a function from names to values. */
function evaluate(steps, valueOf) {
  const results = [];
  for (const step of steps) {
    if ("number" in step) results.push(step.number);
    else if ("name" in step) results.push(valueOf(step.name));
    else results.push(OPERATIONS[step.operation](...step.arguments.map((k) => results[k])));
  }
  return results[results.length - 1];
}

// -- conditions on inputs

// An equality holds, and an inequality is met, to this share of its row's scale, as in preimage.core.space.
const TOLERANCE = 1e-9;
const inside = (value, low, high) => value >= (low ?? -Infinity) && value <= (high ?? Infinity);

function withinScale(value, { low, high, scale }) {
  const excess = Math.max((low ?? -Infinity) - value, value - (high ?? Infinity));
  return excess / scale <= TOLERANCE;
}

const CONDITIONS = {
  linear: (c, x) =>
    withinScale(
      c.at.reduce((sum, j, k) => sum + c.coefficients[k] * x[j], 0),
      c,
    ),
  curved: (c, x, valueOf) => withinScale(evaluate(c.steps, valueOf), c),
  count: (c, x) => inside(c.at.filter((j, k) => x[j] !== c.reference[k]).length, c.least, c.most),
  exclusion: (c, x) =>
    !c.conditions.every(({ at, codes, low, high }) =>
      codes.length ? codes.includes(x[at]) : inside(x[at], low, high),
    ),
  bounds: ({ at, low, high, least, whole, values }, x) =>
    inside(x[at], low, high) &&
    (!whole || Number.isInteger(x[at])) &&
    (!values.length || values.includes(x[at])) &&
    (least === null || x[at] === 0 || x[at] >= least),
  fixed: (c, x) => x[c.at] === c.value,
};

// -- the data

// Distances that differ by less are equal, as in preimage.core.neighbours.
const SAME = 1e-8;

/** Return the share of training rows whose neighbours are at least as close, as preimage.core.domain. */
function domainOf(inputs, domain) {
  const rows = unpack(domain.rows),
    reference = unpack(domain.reference),
    d = inputs.length,
    n = rows.length / d;
  const seen = inputs.map((i, j) => i.categories && new Set(Array.from({ length: n }, (_, r) => rows[r * d + j])));

  function apart(i, a, b) {
    if (i.categories) return a === b ? 0 : 1;
    if (i.low === i.high) return (Math.sign(a - i.low) - Math.sign(b - i.low)) ** 2;
    return ((a - b) / (i.high - i.low)) ** 2;
  }
  return (x) => {
    if (seen.some((values, j) => values && !values.has(x[j]))) return 1;
    const distances = new Float64Array(n);
    for (let r = 0; r < n; r++) {
      let sum = 0;
      for (let j = 0; j < d; j++) sum += apart(inputs[j], x[j], rows[r * d + j]);
      distances[r] = Math.sqrt(sum);
    }
    distances.sort();
    const kth = distances[0] <= SAME ? distances[Math.min(domain.k, n - 1)] : distances[domain.k - 1];
    let below = 0;
    while (below < reference.length && reference[below] <= kth + SAME) below++;
    return below / reference.length;
  };
}

// -- errors

/** Return equally likely outputs at a point with its prediction and spread, as preimage.surrogates.predictive; null
 * where rounding leaves no factor of a covariance. */
function errorsOf({ arrays }) {
  const a = unpacked(arrays),
    encode = encoder(a),
    m = a.added.length,
    n = a.missed.length / m,
    D = a.Z.length / n;
  const factors = [];

  function correlation(k, u, v) {
    return (1 - a.noise[k]) * SHAPES.matern52(squared(u, v) / a.length[k] ** 2);
  }
  function factor(k) {
    const entry = (i, j) => (i === j ? 1 : correlation(k, row(a.Z, D, i), row(a.Z, D, j)));
    return (factors[k] ??= cholesky(n, entry));
  }
  return (x, predicted, spread) => {
    if (!spread.every((_, k) => factor(k))) return null;
    const z = encode(x),
      draws = Array.from({ length: n }, () => new Float64Array(m));
    for (let k = 0; k < m; k++) {
      const unit = spread[k] + a.added[k],
        missed = row(a.missed, n, k),
        form = row(a.form, n, k);
      const near = Float64Array.from({ length: n }, (_, i) => correlation(k, z, row(a.Z, D, i)));
      const left = Math.sqrt(a.variance[k] * Math.max(1 - whitened(factor(k), n, near), 0));
      const middle = predicted[k] + unit * near.reduce((sum, c, i) => sum + c * missed[i], 0);
      for (let i = 0; i < n; i++) draws[i][k] = middle + unit * left * form[i];
    }
    return draws;
  };
}

// -- all of it

/** Return the study of a page: functions of a point x (d,), whose categories are positions in their lists. */
function studyOf(page) {
  const place = new Map(page.inputs.map((i, j) => [i.name, j]));
  const names = page.outputs.map((o) => o.name),
    m = names.length - page.formulas.length;
  const models = {},
    errors = {};
  const domain = page.data.domain && domainOf(page.inputs, page.data.domain);

  function model(surrogate, objective) {
    const given = page.models[surrogate];
    const key = given.profiles ? `${surrogate} ${objective}` : surrogate;
    return (models[key] ??= given.profiles ? profileModel(given.profiles[objective]) : modelOf(given));
  }
  /** Return outputs (m,) followed by the formulas' values. */
  function extended(x, y) {
    const all = new Map(Array.from(y, (value, k) => [names[k], value]));
    const valueOf = (name) => (all.has(name) ? all.get(name) : x[place.get(name)]);
    for (const formula of page.formulas) all.set(formula.name, evaluate(formula.steps, valueOf));
    return Array.from(all.values());
  }
  function predict(surrogate, objective, x) {
    const y = model(surrogate, objective).predict(x);
    return y && extended(x, y);
  }
  /** Return the ends of each output's interval, null where there is none; of a formula of inputs both are its value. */
  function interval(surrogate, objective, x) {
    const own = model(surrogate, objective),
      y = own.predict(x),
      spread = y && own.spread(x);
    const { low, high, floor } = page.intervals[surrogate];
    if (!spread) return names.map(() => null);
    const all = new Map(),
      ends = (name) => (all.has(name) ? all.get(name) : [x[place.get(name)], x[place.get(name)]]);
    for (let k = 0; k < m; k++)
      all.set(
        names[k],
        [low, high].map((at) => y[k] + at[k] * (spread[k] + floor[k])),
      );
    for (const formula of page.formulas) all.set(formula.name, bounds(formula, ends));
    return names.map((name) => (all.get(name)?.every(Number.isFinite) ? all.get(name) : null));
  }
  /** Return the share of likely outcomes that is as wanted; null where that cannot be told here. */
  function chance(surrogate, objective, x) {
    const own = model(surrogate, objective.name),
      y = own.predict(x),
      spread = y && own.spread(x);
    if (!objective.chance || !page.errors[surrogate] || !spread) return null;
    errors[surrogate] ??= errorsOf(page.errors[surrogate]);
    const draws = errors[surrogate](x, y, spread);
    return draws && draws.filter((draw) => achieved(objective, extended(x, draw))).length / draws.length;
  }
  function achieved(objective, y) {
    const met = objective.limits.every((c) => inside(y[c.at], c.low, c.high));
    return met && (!objective.beats || beats(objective.beats, y));
  }
  /** Whether outputs are better than the best measured, or of a trade-off dominated by none. */
  function beats({ at, weights, best, front }, y) {
    const signed = at.map((k, i) => weights[i] * y[k]);
    if (front) return !front.some((f) => f.every((v, i) => v <= signed[i]) && f.some((v, i) => v < signed[i]));
    return best === null || signed.reduce((a, b) => a + b) < best;
  }
  /** Return the conditions on inputs, the objective's own among them, that a point breaks. */
  function broken(objective, x) {
    const valueOf = (name) => x[place.get(name)];
    const usual = page.conditions.filter((c) => c.kind !== "bounds" || !objective.instead.includes(c.at));
    return [...usual, ...objective.conditions].filter((c) => !CONDITIONS[c.kind](c, x, valueOf));
  }
  return { page, names, place, model, predict, interval, chance, achieved, broken, domain };
}
