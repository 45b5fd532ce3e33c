// The candidates: columns to look up, and the whole as CSV.

/** Return the columns of the page's table by name; texts where they are texts, null where there is no value. */
function columnsOf(table) {
  const found = {};
  for (const [name, packed] of Object.entries(table.columns)) {
    const values = unpack(packed);
    found[name] = packed.texts
      ? Array.from(values, (k) => packed.texts[k])
      : Array.from(values, (v) => (Number.isNaN(v) ? null : v));
  }
  return found;
}

/** Return a text as a spreadsheet may open it: what would be a formula there gets an apostrophe in front. */
function harmless(text) {
  return /^[=+\-@\t\r]/.test(text) && !/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text) ? `'${text}` : text;
}

/** Return columns as CSV (RFC 4180). */
function csv(columns) {
  const names = Object.keys(columns),
    count = columns[names[0]].length;
  const cell = (value) => {
    const text = value === null ? "" : typeof value === "string" ? harmless(value) : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = Array.from({ length: count }, (_, k) => names.map((name) => cell(columns[name][k])).join(","));
  return `${[names.map(cell).join(","), ...lines].join("\r\n")}\r\n`;
}
