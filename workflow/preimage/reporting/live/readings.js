// What a study says of a point, in numbers and words.

/** Return a share in words that say 100 % of nothing less than all, and 0 % of nothing more than none. */
function share(value) {
  const whole = Math.round(100 * value);
  if (value > 0 && value < 1 && (whole === 0 || whole === 100))
    return `${(100 * clip(value, 0.001, 0.999)).toFixed(1)} %`;
  return `${whole} %`;
}

/** Return a value of an output with its unit. */
const valueOf = ({ step, unit }, value) => `${shown(value, step)} ${unit}`.trim();

/** Return an interval in words; one end may be open. */
function between(low, high, step) {
  if (low === null) return `at most ${shown(high, step)}`;
  return high === null ? `at least ${shown(low, step)}` : `${shown(low, step)} to ${shown(high, step)}`;
}

/** Return what a direction has to beat, where it is that of one output; null where it is not. */
function bestOf({ beats }, k) {
  return beats && beats.at.length === 1 && beats.at[0] === k && beats.best != null
    ? beats.best / beats.weights[0]
    : null;
}

const limitsOf = (objective, k) => objective.limits.filter((c) => c.at === k);

/** Return what an objective wants of an output. */
function wantedOf(objective, k, step) {
  const said = limitsOf(objective, k).map(({ low, high }) => between(low, high, step)),
    { beats } = objective;
  const at = beats ? beats.at.indexOf(k) : -1,
    best = bestOf(objective, k);
  if (at >= 0) said.unshift(beats.weights[at] < 0 ? "large" : "small");
  return said.join(", ") + (best === null ? "" : `; best training row ${shown(best, step)}`);
}

/** Return the table of outputs at a point, as its head and body. */
function outputTable({ page, names }, objective, outputs, y, intervals) {
  const level = `${Math.round(100 * page.level)} % interval`;
  const header = ["output", "predicted", level, "wanted", "status"].map((text) =>
    element("th", { scope: "col" }, text),
  );
  const rows = outputs.map((k) => {
    const output = page.outputs[k],
      ends = intervals[k],
      limits = limitsOf(objective, k);
    const met = limits.every((c) => inside(y[k], c.low, c.high));
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, output.label),
      element("td", {}, element("b", { "data-output": names[k] }, valueOf(output, y[k]))),
      element("td", {}, ends && ends[0] < ends[1] ? between(...ends, output.step) : ""),
      element("td", { class: "text" }, wantedOf(objective, k, output.step)),
      element("td", { class: met ? "good" : "bad" }, limits.length ? (met ? "met" : "missed") : ""),
    );
  });
  return [element("thead", {}, element("tr", {}, ...header)), element("tbody", {}, ...rows)];
}

function chanceWords({ varied }, chance) {
  if (varied) return "Chance where inputs vary: on the card of the objective";
  return chance === null ? "" : `Chance ${share(chance)}`;
}

/** Return [text, colour] of how likely a point is to come out as wanted, where the data is, and what it breaks. */
function verdicts(study, surrogate, objective, x, broken) {
  const chance = study.chance(surrogate, objective, x),
    score = study.domain ? study.domain(x) : null;
  const within = score <= study.page.limit;
  const words = broken.map((c) => c.words).join("; ");
  return {
    chance: [chanceWords(objective, chance), ""],
    domain: score === null ? ["", ""] : [within ? "Within the data" : "Outside the data", within ? "good" : "warn"],
    broken: broken.length ? [`Not allowed: ${words}`, "bad"] : ["Every condition on the inputs is met", "good"],
  };
}
