// The explorer: sliders that move an answer, and what the study says of it as they do.

const MOST_CHARTS = 3,
  MOST_LISTED = 100;

class Explorer {
  constructor(root, study) {
    this.root = root;
    this.study = study;
    this.columns = columnsOf(study.page.candidates);
    this.find = (name) => root.querySelector(`[data-part="${name}"]`);
    const cells = study.page.inputs.map((i, j) => inputCell(i, j, (value) => this.move(j, value)));
    this.cells = cells;
    this.profiles = new Profiles(study, cells);
    this.find("inputs").replaceChildren(...cells.map((c) => c.box));
    this.find("keep").checked = this.mixed = study.page.conditions.some(isSum);
    this.fill(
      "objective",
      study.page.objectives.map((o) => [o.name, `${o.label}: ${o.words}`]),
    );
    this.listen();
    this.open(study.page.objectives[0].name);
  }

  listen() {
    const on = (part, event, react) => this.find(part).addEventListener(event, react);
    on("objective", "change", () => this.open(this.find("objective").value));
    on("surrogate", "change", () => this.open(this.objective.name, this.find("surrogate").value));
    on("start", "change", () => this.load());
    on("reset", "click", () => this.load());
    on("keep", "change", () => this.refresh());
    new ResizeObserver(() => this.refresh()).observe(this.find("inputs"));
  }

  fill(part, options) {
    const select = this.find(part);
    select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
    select.closest("label").hidden = options.length < 2;
  }

  // -- what is explored ---------------------------------------------------------------------------------------------

  /** Show an objective's answer by a surrogate, by the best one where none is named. */
  open(name, surrogate) {
    this.objective = this.study.page.objectives.find((o) => o.name === name);
    const all = Object.keys(this.objective.starts);
    this.surrogate = surrogate ?? all[0];
    this.model = this.study.model(this.surrogate, name);
    this.find("objective").value = name;
    this.fill(
      "surrogate",
      all.map((s) => [s, s.replaceAll("_", " ")]),
    );
    this.find("surrogate").value = this.surrogate;
    this.find("single").hidden = !this.model.single;
    this.find("keep").closest("label").hidden = !this.mixed || Boolean(this.model.single);
    this.fill("start", [["", "Recommended, as rounded"], ...(this.model.single ? [] : this.candidates())]);
    this.charted = new Set(this.objective.outputs.slice(0, MOST_CHARTS));
    this.find("outputs").replaceChildren(...this.study.page.outputs.map((output, k) => this.box(output, k)));
    this.find("outputs").hidden = this.study.names.length < 2;
    this.load();
  }

  /** Return a box that says whether an output is drawn. */
  box({ label }, k) {
    const change = () => {
      if (box.checked) this.charted.add(k);
      else this.charted.delete(k);
      this.refresh();
    };
    const box = element("input", { type: "checkbox", change });
    box.checked = this.charted.has(k);
    return element("label", {}, box, ` ${label}`);
  }

  /** Put the inputs at the chosen start. */
  load() {
    const k = this.find("start").value,
      { page } = this.study;
    this.x =
      k === ""
        ? this.objective.starts[this.surrogate].slice()
        : page.inputs.map((i) => {
            const value = this.columns[`x.${i.name}`][k];
            return i.categories ? i.categories.indexOf(value) : value;
          });
    this.profiles.forget();
    this.refresh();
  }

  // -- candidates ---------------------------------------------------------------------------------------------------

  /** Return the candidates of this objective and surrogate, the best first, as options. */
  candidates() {
    const c = this.columns,
      missed = (k) => c.violation?.[k] ?? 0;
    const rows = [...c.rank.keys()].filter(
      (k) => c.objective[k] === this.objective.name && c.surrogate[k] === this.surrogate && c.seed[k] === c.seed[0],
    );
    rows.sort((a, b) => missed(a) - missed(b) || c.predicted_loss[a] - c.predicted_loss[b]);
    return rows.slice(0, MOST_LISTED).map((k) => [String(k), this.named(k)]);
  }

  /** Return who found a candidate, and what is predicted there. */
  named(k) {
    const c = this.columns,
      { page, names } = this.study;
    const { outputs } = page.objectives.find((o) => o.name === c.objective[k]);
    const name = (o) => (outputs.length > 1 ? `${page.outputs[o].label} ` : "");
    const said = outputs.map((o) => name(o) + valueOf(page.outputs[o], c[`predicted.${names[o]}`][k]));
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
    const start = this.find("start"),
      value = String(k),
      listed = [...start.options].some((o) => o.value === value);
    if (!listed) start.append(element("option", { value }, this.named(k)));
    start.value = value;
    this.load();
  }

  // -- moving -------------------------------------------------------------------------------------------------------

  /** Return the point with one input moved; where a model is known along single inputs only, the others go back. */
  along(j, value) {
    const from = this.model.single ? Array.from(this.model.single) : this.x;
    return from[j] === value
      ? from
      : moved(this.study.page, from, j, value, !this.model.single && this.find("keep").checked);
  }

  move(j, value) {
    this.x = this.along(j, value);
    this.refresh();
  }

  /** Draw once for all that moved at once. */
  refresh() {
    this.pending ??= setTimeout(() => {
      this.pending = null;
      this.draw();
    });
  }

  draw() {
    const { study, objective, surrogate, model, x } = this;
    const y = study.predict(surrogate, objective.name, x),
      ends = study.interval(surrogate, objective.name, x);
    const broken = study.broken(objective, x),
      charted = [...this.charted].sort((a, b) => a - b);
    const listed = [...new Set([...objective.outputs, ...charted])].sort((a, b) => a - b);
    this.find("readings").replaceChildren(this.find("caption"), ...outputTable(study, objective, listed, y, ends));
    for (const [part, [text, colour]] of Object.entries(verdicts(study, surrogate, objective, x, broken))) {
      this.find(part).textContent = text;
      this.find(part).className = colour;
    }
    const wrong = new Set(broken.flatMap((c) => (c.conditions ?? [c]).flatMap((part) => part.at)));
    this.cells.forEach((cell, j) => cell.show(x[j], wrong.has(j)));
    const along = (j, value) => this.along(j, value);
    this.profiles.draw(charted, { surrogate, objective, model, x, y, ends, along });
  }
}
