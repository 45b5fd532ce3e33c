// Factors of covariances: made in the page from a few numbers, since they would be most of its size.

/** Return the lower factor L (n, n) of a symmetric matrix given by its entries; null where it has none. */
function cholesky(n, entry) {
  const L = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const a = row(L, n, i);
    for (let j = 0; j <= i; j++) {
      const b = row(L, n, j);
      let sum = entry(i, j);
      for (let k = 0; k < j; k++) sum -= a[k] * b[k];
      if (i !== j) a[j] = sum / b[j];
      else if (sum > 0) a[i] = Math.sqrt(sum);
      else return null;
    }
  }
  return L;
}

/** Return the square of the length of L^-1 v. */
function whitened(L, n, v) {
  const out = new Float64Array(n);
  let square = 0;
  for (let i = 0; i < n; i++) {
    const a = row(L, n, i);
    let sum = v[i];
    for (let k = 0; k < i; k++) sum -= a[k] * out[k];
    out[i] = sum / a[i];
    square += out[i] ** 2;
  }
  return square;
}

const SHAPES = {
  rbf: (square) => Math.exp(-0.5 * square),
  matern52: (square) => {
    const s = Math.sqrt(5 * square);
    return (1 + s + (s * s) / 3) * Math.exp(-s);
  },
};

/** Return the squared distance of two points whose columns are divided by lengths already. */
function squared(a, b) {
  let sum = 0;
  for (let j = 0; j < a.length; j++) sum += (a[j] - b[j]) ** 2;
  return sum;
}
