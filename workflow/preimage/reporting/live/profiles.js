// The profiles: every output along every input, through the point where the inputs are.

class Profiles {
  /** `cells` are those of the inputs (see `inputCell`). */
  constructor(study, cells) {
    this.study = study;
    this.cells = cells;
    this.forget();
  }

  /** Let the axes begin anew. */
  forget() {
    this.axes = {};
  }

  /** Draw these outputs at a point. `at` has the surrogate and the objective, the point `x`, its outputs `y` with their
   * intervals `ends`, and `along(j, value)`, the point with one input moved. */
  draw(outputs, at) {
    const lines = this.study.page.inputs.map((i, j) => this.line(i, j, at));
    for (const k of outputs) this.scale(k, lines, at);
    lines.forEach((line, j) => this.charts(j, line, outputs, at));
  }

  /** Return an input's values with predictions, intervals and what is allowed there, the other inputs as they are. */
  line(i, j, { surrogate, objective, model, x, along }) {
    const { study } = this,
      at = [...new Set([...gridOf(i), x[j]])].sort((a, b) => a - b);
    const points = at.map((value) => along(j, value));
    return {
      at,
      now: study.predict(surrogate, objective.name, along(j, x[j])),
      y: points.map((p) => study.predict(surrogate, objective.name, p)),
      ends: model.quick ? points.map((p) => study.interval(surrogate, objective.name, p)) : null,
      allowed: points.map((p) => !study.broken(objective, p).length),
    };
  }

  /** Let an output's axis hold what is allowed of all that its charts have shown. */
  scale(k, lines, { objective, y, ends }) {
    const all = [...(this.axes[k] ?? []), ...linesAcross(objective, k), y[k], ...(ends[k] ?? [])];
    for (const line of lines) line.y.forEach((values, n) => line.allowed[n] && all.push(values[k]));
    const finite = all.filter(Number.isFinite),
      low = Math.min(...finite),
      high = Math.max(...finite);
    this.axes[k] = low < high ? [low, high] : this.study.page.outputs[k].reach;
  }

  charts(j, line, outputs, { objective, x }) {
    const { plots } = this.cells[j],
      i = this.study.page.inputs[j],
      width = Math.floor(plots.clientWidth);
    if (!width) return;
    plots.gutter = Math.max(...outputs.map((k) => gutter(this.axes[k])));
    plots.replaceChildren(
      ...outputs.map((k) => profileChart({ width, input: i, x: x[j], ...this.chart(k, line, objective) })),
    );
  }

  chart(k, { at, now, y, ends, allowed }, objective) {
    const band = ends?.every((e) => e[k]) && ends.some((e) => e[k][0] < e[k][1]);
    return {
      output: this.study.page.outputs[k],
      at,
      allowed,
      now: now[k],
      y: y.map((values) => values[k]),
      low: band ? ends.map((e) => e[k][0]) : null,
      high: band ? ends.map((e) => e[k][1]) : null,
      axis: this.axes[k],
      lines: linesAcross(objective, k),
    };
  }
}

/** Return where the chart of an output has lines across: at the ends of what is wanted, and at what is to be beaten. */
function linesAcross(objective, k) {
  const ends = limitsOf(objective, k).flatMap((c) => [c.low, c.high]);
  return [...ends, bestOf(objective, k)].filter((v) => v !== null);
}
