// The arithmetic of each form of model (`portable` of the surrogates): a function of its arrays and settings that
// returns {predict, spread, quick}, of one point; `quick` says whether spreads are drawn along profiles too.

const FORMS = {};

// -- trees: as preimage.trees.forest, to the last bit

/** Return the right child of each inner node, and at a leaf its position among leaves, of trees in preorder. */
function children(feature) {
  const right = new Int32Array(feature.length),
    open = [];
  let leaf = 0;
  for (let k = 0; k < feature.length; k++) if (feature[k] < 0) right[k] = leaf++;
  for (let k = feature.length - 1; k >= 0; k--) {
    if (feature[k] >= 0) {
      open.pop();
      right[k] = open.pop();
    }
    open.push(k);
  }
  return { right, roots: open.reverse() };
}

FORMS.trees = ({ feature, threshold, values, start }, settings) => {
  const { right, roots } = children(feature),
    m = start.length;
  const limit = new Float64Array(feature.length);
  let inner = 0;
  for (let k = 0; k < feature.length; k++) if (feature[k] >= 0) limit[k] = threshold[inner++];
  const round = settings.single_sums ? Math.fround : (sum) => sum;

  function leaves(x) {
    const seen = settings.single_inputs ? x.map(Math.fround) : x;
    return roots.map((root) => {
      let k = root;
      while (feature[k] >= 0) k = seen[feature[k]] <= limit[k] ? k + 1 : right[k];
      return right[k];
    });
  }
  return {
    quick: true,
    predict(x) {
      const sum = Float64Array.from(start);
      for (const leaf of leaves(x)) for (let j = 0; j < m; j++) sum[j] = round(sum[j] + values[leaf * m + j]);
      return sum.map((total) => total / settings.divisor);
    },
    spread(x) {
      if (settings.spread === "one") return new Float64Array(m).fill(1);
      const at = leaves(x);
      return Float64Array.from({ length: m }, (_, j) => deviation(at.length, (t) => values[at[t] * m + j]));
    },
  };
};

// -- linear

FORMS.linear = (a) => {
  const encode = encoder(a),
    m = a.base.length;
  return {
    quick: true,
    predict(x) {
      const z = encode(x);
      return Float64Array.from(a.base, (b, j) => b + z.reduce((sum, v, k) => sum + v * a.slopes[k * m + j], 0));
    },
    spread(x) {
      const z = [1, ...encode(x)],
        n = z.length;
      let leverage = 0;
      for (let p = 0; p < n; p++) for (let q = 0; q < n; q++) leverage += z[p] * a.inverse[p * n + q] * z[q];
      return Float64Array.from(a.deviation, (d) => d * Math.sqrt(1 + Math.max(leverage, 0)));
    },
  };
};

// -- Gaussian process

// Multiplications that making all factors may take, about a second, and one spread of some hundreds drawn at once.
const MOST_WORK = 6e8,
  MOST_EACH = 3e5;

FORMS.gaussian_process = (a, settings) => {
  const encode = encoder(a),
    m = a.centre.length,
    n = a.weights.length / m,
    D = a.Z.length / n;
  const shape = SHAPES[settings.kernel];
  const scaled = (z, k) => Float64Array.from(z, (v, j) => v / a.lengths[k * D + (j % D)]);
  const rows = Array.from({ length: m }, (_, k) => scaled(a.Z, k));
  const outputs = Array.from({ length: m }, (_, k) => k);
  const quick = m * n * n <= MOST_EACH,
    factors = new Map(),
    known = new WeakMap();

  /** Return the correlations of a point with all rows, by output; kept for its spread where many are drawn. */
  function correlations(x) {
    if (known.has(x)) return known.get(x);
    const z = encode(x),
      points = outputs.map((k) => scaled(z, k));
    const found = outputs.map((k) =>
      Float64Array.from({ length: n }, (_, i) => shape(squared(points[k], row(rows[k], D, i)))),
    );
    if (quick) known.set(x, found);
    return found;
  }
  function factor(k) {
    if (!factors.has(k)) {
      const entry = (i, j) => {
        const covariance = a.amplitude[k] * shape(squared(row(rows[k], D, i), row(rows[k], D, j)));
        return i === j ? covariance + a.noise[k] : covariance;
      };
      factors.set(k, cholesky(n, entry));
    }
    return factors.get(k);
  }
  return {
    quick,
    predict(x) {
      const near = correlations(x);
      return Float64Array.from(outputs, (k) => {
        const weights = row(a.weights, n, k);
        return a.centre[k] + a.scale[k] * near[k].reduce((sum, c, i) => sum + c * weights[i], 0);
      });
    },
    spread(x) {
      if ((m * n ** 3) / 6 > MOST_WORK || !outputs.every(factor)) return null;
      const near = correlations(x);
      return Float64Array.from(outputs, (k) => {
        const told = whitened(
          factor(k),
          n,
          near[k].map((c) => a.amplitude[k] * c),
        );
        return a.scale[k] * Math.sqrt(Math.max(a.amplitude[k] - told, 0) + a.noise[k]);
      });
    },
  };
};

// -- networks

/** The error function, by a series of positive terms (Abramowitz and Stegun 7.1.6). */
function erf(x) {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x,
    sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) sum += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

const ACTIVATIONS = {
  selu: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x)),
  relu: (x) => Math.max(x, 0),
  elu: (x) => (x > 0 ? x : Math.expm1(x)),
  gelu: (x) => (x / 2) * (1 + erf(x / Math.SQRT2)),
  silu: (x) => x / (1 + Math.exp(-x)),
  tanh: Math.tanh,
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
};

FORMS.network = (a, settings) => {
  const encode = encoder(a),
    activate = ACTIVATIONS[settings.activation],
    m = a.y_centre.length;
  const count = a[`bias_${settings.layers - 1}`].length / m;
  const positions = Array.from({ length: m }, (_, j) => j);

  function member(k, z) {
    let h = z;
    for (let layer = 0; layer < settings.layers; layer++) {
      const bias = a[`bias_${layer}`],
        kernel = a[`kernel_${layer}`],
        wide = bias.length / count,
        deep = h.length;
      const next = Float64Array.from(row(bias, wide, k)),
        from = k * deep * wide;
      for (let i = 0; i < deep; i++) {
        const value = layer ? activate(h[i]) : h[i];
        for (let o = 0; o < wide; o++) next[o] += value * kernel[from + i * wide + o];
      }
      h = next;
    }
    return h.map((v, j) => v * a.y_scale[j] + a.y_centre[j]);
  }
  function members(x) {
    const z = encode(x);
    return Array.from({ length: count }, (_, k) => member(k, z));
  }
  return {
    quick: true,
    predict(x) {
      const all = members(x);
      return Float64Array.from(positions, (j) => all.reduce((sum, y) => sum + y[j], 0) / count);
    },
    spread(x) {
      const all = members(x);
      return Float64Array.from(positions, (j) => deviation(count, (k) => all[k][j]));
    },
  };
};

// -- any model

/** Return a model of the page's inputs and outputs; one of a user's own may take some of them, in another order. */
function modelOf({ form, arrays, settings }) {
  const own = FORMS[form](unpacked(arrays), settings);
  if (!settings.inputs) return own;
  const taken = (x) => settings.inputs.map((j) => x[j]);
  const given = (y) => y && Float64Array.from(settings.outputs, (k) => y[k]);
  return { ...own, predict: (x) => given(own.predict(taken(x))), spread: (x) => given(own.spread(taken(x))) };
}

/** Return a model of computed profiles through an answer: it has a value where one input at most differs from it. */
function profileModel(profile) {
  const { x: base, values, ends, predicted, spread } = unpacked(profile);
  const m = predicted.length / values.length;

  function along(table, x) {
    const moved = [...base.keys()].filter((j) => x[j] !== base[j]),
      j = moved[0] ?? 0;
    if (moved.length > 1) return null;
    const from = j ? ends[j - 1] : 0,
      last = ends[j] - 1;
    let k = from;
    while (k < last - 1 && values[k + 1] < x[j]) k++;
    const next = Math.min(k + 1, last),
      width = values[next] - values[k];
    const share = width ? Math.min(1, Math.max(0, (x[j] - values[k]) / width)) : 0;
    return Float64Array.from(row(table, m, k), (v, o) => v + (share ? share * (table[next * m + o] - v) : 0));
  }
  return { quick: true, single: base, predict: (x) => along(predicted, x), spread: (x) => along(spread, x) };
}
