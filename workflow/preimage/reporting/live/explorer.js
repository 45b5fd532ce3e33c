// The explorer: sliders that move an answer, and what the study says of it as they do.

const POINTS = 41;

/** Return the values at which a profile looks at an input: all that are separate, else evenly spread. */
function gridOf(i) {
  if (i.fixed !== null) return [i.fixed];
  if (i.values.length) return i.values;
  if (i.whole && i.high - i.low < POINTS) return Array.from({ length: i.high - i.low + 1 }, (_, k) => i.low + k);
  const spread = Array.from({ length: POINTS }, (_, k) => snapped(i, i.low + (k / (POINTS - 1)) * (i.high - i.low), 0));
  return [...new Set(spread)];
}

/** Return the value nearest to another that an input may take, a multiple of a step. */
function snapped(i, value, step = i.step) {
  if (i.values.length) return i.values.reduce((a, b) => (Math.abs(b - value) < Math.abs(a - value) ? b : a));
  let found = i.whole ? Math.round(value) : step ? Number((Math.round(value / step) * step).toPrecision(12)) : value;
  if (i.least !== null && found < i.least) found = found < i.least / 2 ? 0 : i.least;
  return clip(found, i.low, i.high);
}

/** Return a point with one input moved; where a sum is to be kept, the others of it change in proportion. */
function moved(study, x, j, value, keep) {
  const next = x.slice();
  next[j] = value;
  const sum = keep && study.page.conditions.find((c) => c.kind === "linear" && c.low === c.high && c.at.includes(j));
  if (!sum) return next;
  let others = 0, rest = sum.low;
  sum.at.forEach((k, n) => {
    if (k === j || study.page.inputs[k].fixed !== null) rest -= sum.coefficients[n] * next[k];
    else others += sum.coefficients[n] * next[k];
  });
  if (others * rest <= 0) return next;
  for (const k of sum.at) if (k !== j && study.page.inputs[k].fixed === null) next[k] = (x[k] * rest) / others;
  return next;
}

class Explorer {
  constructor(root, study) {
    this.root = root;
    this.study = study;
    this.columns = columnsOf(study.page.candidates);
    this.find = (name) => root.querySelector(`[data-part="${name}"]`);
    this.mixed = study.page.conditions.some((c) => c.kind === "linear" && c.low === c.high);
    this.find("keep").checked = this.mixed;
    this.fill("objective", study.page.objectives.map((o) => [o.name, `${o.label}: ${o.words}`]));
    this.find("objective").addEventListener("change", () => this.open(this.find("objective").value));
    this.find("surrogate").addEventListener("change", () => this.open(this.objective.name, this.find("surrogate").value));
    this.find("start").addEventListener("change", () => this.load());
    this.find("reset").addEventListener("click", () => this.load());
    this.find("keep").addEventListener("change", () => this.refresh());
    this.cells = study.page.inputs.map((i, j) => this.cell(i, j));
    this.find("inputs").replaceChildren(...this.cells.map((c) => c.box));
    new ResizeObserver(() => this.refresh()).observe(this.find("inputs"));
    this.open(study.page.objectives[0].name);
  }

  fill(part, options) {
    const select = this.find(part);
    select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
    select.closest("label").hidden = options.length < 2;
  }

  // -- what is shown ------------------------------------------------------------------------------------------------

  /** Show an objective's answer by a surrogate, by the best one where none is named. */
  open(name, surrogate) {
    this.objective = this.study.page.objectives.find((o) => o.name === name);
    const all = Object.keys(this.objective.starts);
    this.surrogate = surrogate ?? all[0];
    this.find("objective").value = name;
    this.fill("surrogate", all.map((s) => [s, s.replaceAll("_", " ")]));
    this.find("surrogate").value = this.surrogate;
    this.model = this.study.model(this.surrogate, name);
    this.find("single").hidden = !this.model.single;
    this.find("keep").closest("label").hidden = !this.mixed || Boolean(this.model.single);
    this.charted = new Set(this.objective.outputs.slice(0, 3));
    this.fill("start", [["", "Recommended, as rounded"], ...(this.model.single ? [] : this.candidates())]);
    this.find("outputs").replaceChildren(...this.study.names.map((_, k) => this.box(k)));
    this.find("outputs").hidden = this.study.names.length < 2;
    this.load();
  }

  box(k) {
    const change = (event) => {
      if (event.target.checked) this.charted.add(k);
      else this.charted.delete(k);
      this.refresh();
    };
    const box = element("input", { type: "checkbox", change });
    box.checked = this.charted.has(k);
    return element("label", {}, box, ` ${this.study.page.outputs[k].label}`);
  }

  /** Return the candidates of this objective and surrogate, the best first, as options. */
  candidates() {
    const c = this.columns, rows = [...c.rank.keys()].filter(
      (k) => c.objective[k] === this.objective.name && c.surrogate[k] === this.surrogate && c.seed[k] === c.seed[0],
    );
    rows.sort((a, b) => (c.violation?.[a] ?? 0) - (c.violation?.[b] ?? 0) || c.predicted_loss[a] - c.predicted_loss[b]);
    return rows.slice(0, 100).map((k) => [String(k), this.named(k)]);
  }

  /** Return who found a candidate, and what is predicted there. */
  named(k) {
    const c = this.columns, { outputs } = this.study.page.objectives.find((o) => o.name === c.objective[k]);
    const name = (o) => (outputs.length > 1 ? `${this.study.page.outputs[o].label} ` : "");
    const said = outputs.map((o) => name(o) + this.value(o, c[`predicted.${this.study.names[o]}`][k]));
    return `${c.inverter[k].replaceAll("_", " ")} ${c.rank[k]}: ${said.join(", ")}`;
  }

  /** Return whether a candidate is of a model that can be asked here, as the simulator can't. */
  knows(k) {
    const objective = this.study.page.objectives.find((o) => o.name === this.columns.objective[k]);
    return Boolean(objective?.starts[this.columns.surrogate[k]]);
  }

  /** Put the inputs at a candidate, where its model can be asked away from its answer, and show the explorer. */
  show(k) {
    this.open(this.columns.objective[k], this.columns.surrogate[k]);
    this.root.scrollIntoView({ behavior: "smooth" });
    if (this.model.single) return;
    const start = this.find("start"), value = String(k), listed = [...start.options].some((o) => o.value === value);
    if (!listed) start.append(element("option", { value }, this.named(k)));
    start.value = value;
    this.load();
  }

  /** Put the inputs at the chosen start. */
  load() {
    const k = this.find("start").value;
    this.x = k === "" ? this.objective.starts[this.surrogate].slice() : this.study.page.inputs.map((i) => {
      const value = this.columns[`x.${i.name}`][k];
      return i.categories ? i.categories.indexOf(value) : value;
    });
    this.axes = {};
    this.refresh();
  }

  /** Move one input; where a model is known along single inputs only, the others go back. */
  move(j, value) {
    this.x = this.along(this.model.single ? Array.from(this.model.single) : this.x, j, value);
    this.refresh();
  }

  along(x, j, value) {
    return moved(this.study, x, j, value, this.find("keep").checked && !this.model.single);
  }

  /** Draw once for all that moved at once. */
  refresh() {
    this.pending ??= setTimeout(() => {
      this.pending = null;
      this.draw();
    });
  }

  draw() {
    const { study, objective, surrogate, x } = this;
    this.y = study.predict(surrogate, objective.name, x);
    const broken = study.broken(objective, x);
    this.ends = study.interval(surrogate, objective.name, x);
    this.readings(broken);
    const wrong = new Set(broken.flatMap((c) => (c.conditions ?? [c]).flatMap((part) => part.at ?? [])));
    this.cells.forEach((cell, j) => cell.show(x[j], wrong.has(j)));
    const profiles = study.page.inputs.map((i, j) => this.profile(i, j));
    for (const k of study.names.keys()) if (this.charted.has(k)) this.scale(k, profiles);
    this.cells.forEach((cell, j) => this.charts(cell, j, profiles[j]));
  }

  // -- numbers ------------------------------------------------------------------------------------------------------

  value(k, value) {
    const { step, unit } = this.study.page.outputs[k];
    return `${shown(value, step)} ${unit}`.trim();
  }

  readings(broken) {
    const { objective, study, y, x } = this;
    const header = ["output", "predicted", "90 % interval", "wanted", "status"].map((t) => element("th", { scope: "col" }, t));
    const involved = [...new Set([...objective.outputs, ...this.charted])].sort((a, b) => a - b);
    const rows = involved.map((k) => {
      const ends = this.ends[k], { step } = study.page.outputs[k], limits = objective.limits.filter((c) => c.at === k);
      const met = limits.every((c) => inside(y[k], c.low, c.high));
      const said = ends && ends[0] !== ends[1] ? `${shown(ends[0], step)} to ${shown(ends[1], step)}` : "";
      return element("tr", {},
        element("th", { scope: "row" }, study.page.outputs[k].label),
        element("td", {}, element("b", { "data-output": study.names[k] }, this.value(k, y[k]))),
        element("td", {}, said),
        element("td", { class: "text" }, this.wanted(k)),
        element("td", { class: met ? "good" : "bad" }, limits.length ? (met ? "met" : "missed") : ""));
    });
    const caption = element("caption", { class: "unseen" }, "The outputs at the inputs below");
    this.find("readings").replaceChildren(caption, element("thead", {}, element("tr", {}, ...header)), element("tbody", {}, ...rows));
    const chance = study.chance(this.surrogate, objective, x), score = study.domain ? study.domain(x) : null;
    this.say("chance", chance === null ? "" : `Chance ${share(chance)}`);
    this.say("domain", score === null ? "" : score <= 0.95 ? "Within the data" : "Outside the data", score > 0.95 ? "warn" : "good");
    const said = broken.map((c) => c.words).join("; ");
    this.say("broken", broken.length ? `Not allowed: ${said}` : "Every condition on the inputs is met", broken.length ? "bad" : "good");
  }

  say(part, text, colour = "") {
    this.find(part).textContent = text;
    this.find(part).className = colour;
  }

  wanted(k) {
    const { step } = this.study.page.outputs[k], { beats, limits } = this.objective;
    const said = limits.filter((c) => c.at === k).map(({ low, high }) => {
      if (low === null) return `at most ${shown(high, step)}`;
      return high === null ? `at least ${shown(low, step)}` : `${shown(low, step)} to ${shown(high, step)}`;
    });
    const at = beats ? beats.at.indexOf(k) : -1;
    if (at >= 0) said.unshift(beats.weights[at] < 0 ? "large" : "small");
    const best = this.best(k);
    return said.join(", ") + (best === null ? "" : `; best training row ${shown(best, step)}`);
  }

  /** Return what a direction has to beat, where it is that of one output. */
  best(k) {
    const { beats } = this.objective;
    return beats && beats.at.length === 1 && beats.at[0] === k && beats.best != null ? beats.best / beats.weights[0] : null;
  }

  // -- profiles -----------------------------------------------------------------------------------------------------

  /** Return an input's values with predictions, intervals and what is allowed there, the other inputs as they are. */
  profile(i, j) {
    const { study, objective, surrogate } = this, start = this.model.single ? Array.from(this.model.single) : this.x;
    const x = this.x[j], here = x === start[j] ? start : this.along(start, j, x);
    const at = [...new Set([...gridOf(i), x])].sort((a, b) => a - b);
    const points = at.map((v) => this.along(start, j, v));
    return {
      at,
      x,
      now: study.predict(surrogate, objective.name, here),
      y: points.map((p) => study.predict(surrogate, objective.name, p)),
      ends: this.model.quick ? points.map((p) => study.interval(surrogate, objective.name, p)) : null,
      allowed: points.map((p) => !study.broken(objective, p).length),
    };
  }

  /** Let an output's axis hold what is allowed of all that its charts have shown since the start was loaded. */
  scale(k, profiles) {
    const all = [...(this.axes[k] ?? []), ...this.lines(k), this.y[k], ...(this.ends[k] ?? [])];
    for (const p of profiles) p.y.forEach((y, n) => p.allowed[n] && all.push(y[k]));
    const finite = all.filter(Number.isFinite), low = Math.min(...finite), high = Math.max(...finite);
    this.axes[k] = low < high ? [low, high] : this.study.page.outputs[k].reach;
  }

  charts(cell, j, { at, x, now, y, ends, allowed }) {
    const i = this.study.page.inputs[j], width = Math.floor(cell.plots.clientWidth), found = [];
    if (!width) return;
    for (const k of [...this.charted].sort((a, b) => a - b)) {
      const { label } = this.study.page.outputs[k], band = ends?.every((e) => e[k]) && ends.some((e) => e[k][0] < e[k][1]);
      found.push(profileChart({
        width, at, allowed, title: label, input: i.label, value: shown(this.y[k], this.study.page.outputs[k].step),
        y: y.map((v) => v[k]), low: band ? ends.map((e) => e[k][0]) : null, high: band ? ends.map((e) => e[k][1]) : null,
        ends: { x: i.categories ? [-0.5, i.categories.length - 0.5] : [at[0], at[at.length - 1]], y: this.axes[k] },
        range: [i.low, i.high], density: i.density, categories: i.categories, lines: this.lines(k), x, now: now[k],
      }));
    }
    cell.plots.gutter = Math.max(...[...this.charted].map((k) => gutter(this.axes[k])));
    cell.plots.replaceChildren(...found);
  }

  lines(k) {
    const ends = this.objective.limits.filter((c) => c.at === k).flatMap((c) => [c.low, c.high]);
    return [...ends, this.best(k)].filter((v) => v !== null);
  }

  // -- inputs -------------------------------------------------------------------------------------------------------

  /** Return the controls and charts of one input. */
  cell(i, j) {
    const id = `input-${j}`, plots = element("div", { class: "plots" });
    const name = element("label", { for: id }, i.label, i.unit ? element("small", {}, ` ${i.unit}`) : null);
    const set = (event) => this.move(j, Number(event.target.value));
    if (i.categories) {
      const options = i.categories.map((text, k) => element("option", { value: k }, text));
      const select = element("select", { id, change: set, disabled: i.fixed !== null }, ...options);
      const show = (value, wrong) => {
        select.value = value;
        box.classList.toggle("wrong", wrong);
      };
      const box = element("div", { class: "input" }, name, element("div", { class: "set" }, select), plots);
      return { box, plots, show };
    }
    const fixed = i.fixed !== null, ends = { min: i.low, max: i.high, step: i.whole ? 1 : "any", disabled: fixed };
    const slide = (event) => this.move(j, snapped(i, Number(event.target.value)));
    const slider = element("input", { type: "range", "aria-label": i.label, ...ends, input: slide });
    const number = element("input", { type: "number", id, ...ends, change: set });
    plots.addEventListener("click", (event) => {
      const { left, width } = plots.getBoundingClientRect();
      const from = left + plots.gutter, share = clip((event.clientX - from) / (left + width - from), 0, 1);
      if (!fixed) this.move(j, snapped(i, i.low + share * (i.high - i.low)));
    });
    const show = (value, wrong) => {
      slider.value = value;
      number.value = Number(value.toPrecision(6));
      box.classList.toggle("wrong", wrong);
    };
    const box = element("div", { class: "input" }, name, element("div", { class: "set" }, slider, number), plots);
    return { box, plots, show };
  }
}

/** Return a share in words that say 100 % of nothing less than all, and 0 % of nothing more than none. */
function share(value) {
  const whole = Math.round(100 * value);
  if (value > 0 && value < 1 && (whole === 0 || whole === 100)) return `${(100 * clip(value, 0.001, 0.999)).toFixed(1)} %`;
  return `${whole} %`;
}

function download(name, text) {
  const url = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** Bring the page to life. */
function begin() {
  const page = JSON.parse(document.getElementById("live-data").textContent), root = document.getElementById("explorer");
  root.hidden = false;
  const explorer = new Explorer(root, studyOf(page));
  for (const button of document.querySelectorAll("button[data-open]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      explorer.open(button.dataset.open, button.dataset.on);
      root.scrollIntoView({ behavior: "smooth" });
    });
  }
  for (const button of document.querySelectorAll("button[data-candidates]")) {
    button.hidden = false;
    button.addEventListener("click", () => download(button.dataset.candidates, csv(explorer.columns)));
  }
  return new Linked(explorer);
}
