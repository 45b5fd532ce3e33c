// Arrays as `preimage.core.portable` packs them, and the encoding of points that models take.

const TYPES = {
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
};

function numbers(packed) {
  const text = atob(packed.data);
  const bytes = new Uint8Array(text.length);
  for (let k = 0; k < bytes.length; k++) bytes[k] = text.charCodeAt(k);
  return new TYPES[packed.type](bytes.buffer);
}

/** Return a packed array's numbers, flat. */
function unpack(packed) {
  const values = numbers(packed);
  if (!packed.table) return values;
  const table = numbers(packed.table);
  return Float64Array.from(values, (place) => table[place]);
}

function unpacked(arrays) {
  return Object.fromEntries(Object.entries(arrays).map(([name, packed]) => [name, unpack(packed)]));
}

/** Return a function that standardises a point, with a column of 0 and 1 for each value of a category. */
function encoder(arrays) {
  const levels = arrays["encoding.levels"],
    centre = arrays["encoding.centre"],
    scale = arrays["encoding.scale"];
  return (x) => {
    const z = [];
    for (let j = 0; j < levels.length; j++) {
      if (levels[j]) for (let k = 0; k < levels[j]; k++) z.push(x[j] === k ? 1 : 0);
      else z.push((x[j] - centre[j]) / scale[j]);
    }
    return z;
  };
}

/** Return row i of a flat matrix with so many columns. */
const row = (flat, columns, i) => flat.subarray(i * columns, (i + 1) * columns);

/** Return the standard deviation (divided by n) of n numbers, each given by its position. */
function deviation(n, at) {
  let mean = 0,
    square = 0;
  for (let k = 0; k < n; k++) mean += at(k);
  mean /= n;
  for (let k = 0; k < n; k++) square += (at(k) - mean) ** 2;
  return Math.sqrt(square / n);
}
