"""Which figures a study gets, in which order, and what to say beside each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from preimage.candidates import DOMAIN_LIMIT, inputs_of
from preimage.evidence.plateaus import has_starts
from preimage.figures import scale, style
from preimage.figures.answers_on_test import Answers, answers_on_test
from preimage.figures.best_of_curves import best_of_curves
from preimage.figures.convergence import convergence
from preimage.figures.derivative_errors import derivative_errors
from preimage.figures.domain_against_prediction import domain_against_prediction
from preimage.figures.fitted_series import fitted_series, forecasts
from preimage.figures.history import history
from preimage.figures.learned import (
    decoder_values,
    derivative_memory,
    noise_effects,
    prediction_course,
    training_courses,
)
from preimage.figures.parallel_coordinates import parallel_coordinates
from preimage.figures.pictures import contact_sheet, residual_histograms
from preimage.figures.predicted_against_truth import predicted_against_truth
from preimage.figures.preimage_set import preimage_set
from preimage.figures.profiles import profiles
from preimage.figures.round_courses import Course, round_courses
from preimage.figures.surface import surface
from preimage.figures.training_curves import training_curves
from preimage.figures.training_scatter import training_scatter
from preimage.figures.waterfall import waterfall
from preimage.objective import Objective
from preimage.problem import Problem
from preimage.space import Space
from preimage.surrogates.intervals import LEVEL

# A study may have hundreds of objectives; a page can't.
MOST_OBJECTIVES = 8
# The surface takes at most this many lines a side, and at most half as many runs of the simulator as there are rows.
GRID = 41


class Shown(NamedTuple):
    """One figure of the gallery; `draw` gives None where there is nothing to see after all."""

    file: str
    title: str
    caption: str
    objective: str | None
    draw: Callable[[], Figure | None]


@dataclass(frozen=True)
class Material:
    """What the figures of a study are drawn from.

    Attributes:
        train, test: points (n, d) and outputs (n, m) of the rows.
        measured: whether the rows were measured, rather than simulated.
        tests: by surrogate, the predictions of the test rows with their intervals.
        simulator: None where there is only a table.
        best_of: r_T of tables of targets (see `preimage.evidence.best_of`), over every seed.
        preimages: boxes of whole preimages by (surrogate, objective), see `preimage.inversion.forest_preimage`.
        fits: by objective that is a fit, its tables and findings (`preimage.calibration.judge`).
        learned: by surrogate that predicts by inverting a decoder, what there is to show of it (`preimage.learning`).
        line: what learning a line by inversion gives (`preimage.learning.line`), where that is the study's problem.
        curves: by surrogate the losses of its training, a row an epoch; none where training has no epochs.
        rounds: what each round has bought (see `preimage.evidence.by_round`), over every seed; empty without rounds.
    """

    space: Space
    outputs: list[str]
    units: Mapping[str, str]
    objectives: Mapping[str, Objective]
    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    measured: bool
    tests: Mapping[str, pd.DataFrame]
    candidates: pd.DataFrame
    solutions: pd.DataFrame
    simulator: Problem | None = None
    best_of: pd.DataFrame = field(default_factory=pd.DataFrame)
    curves: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    rounds: pd.DataFrame = field(default_factory=pd.DataFrame)
    preimages: Mapping[tuple[str, str], pd.DataFrame] = field(default_factory=dict)
    fits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    learned: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    line: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def looks(self) -> dict[str, style.Look]:
        return style.looks(self.candidates["inverter"])

    @cached_property
    def input_labels(self) -> list[str]:
        return [style.label(i.name, i.unit) for i in self.space.inputs]

    @cached_property
    def output_labels(self) -> list[str]:
        return [self.output_label(o) for o in self.outputs]

    def output_label(self, name: str) -> str:
        return style.label(name, self.units.get(name, ""))

    @property
    def plane(self) -> bool:
        """Whether there are two inputs, and both are numbers."""
        return len(self.space.inputs) == 2 and not any(i.categories for i in self.space.inputs)

    def cases(self, objective: str) -> dict[tuple[str, str], pd.DataFrame]:
        """Return the candidates of an objective by (surrogate, inverter), in the order they were looked for."""
        mine = self.candidates[self.candidates["objective"] == objective]
        grouped = mine.groupby(["surrogate", "inverter"], sort=False)
        return {(str(s), str(i)): part.sort_values("start") for (s, i), part in grouped}

    def solved(self, surrogate: str, objective: str) -> pd.DataFrame:
        """Return the distinct solutions of an objective on a surrogate, the recommended one first."""
        found = self.solutions[self.solutions["predicted_loss"].notna()]
        return found[(found["surrogate"] == surrogate) & (found["objective"] == objective)]

    def points(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the points (k, d) of candidates that have one."""
        part = frame[frame["predicted_loss"].notna()]
        return self.space.encode(inputs_of(part, self.space))


def plan(m: Material) -> Iterator[Shown]:
    """Yield the figures of a study in the order to show them."""
    yield from _problem(m)
    yield from _surrogates(m)
    yield from _learned(m)
    yield from _line(m)
    entries = dict.fromkeys(w.entry for w in m.objectives.values())
    for name in list(entries)[:MOST_OBJECTIVES]:
        if name in m.objectives:
            yield from _rounds(m, m.objectives[name])
            yield from _fitted(m, name) if m.objectives[name].kind == "fit" else _answers(m, name)
            yield from _searches(m, name)
        else:
            yield from _table(m, name)


# -- the problem and its surrogates ------------------------------------------------------------------------------------


def _problem(m: Material) -> Iterator[Shown]:
    if not m.plane:
        return
    if m.simulator is not None and m.space.free.all() and not m.space.discrete.any():
        yield Shown(
            "surface.svg",
            "The true surface",
            "What the simulator gives without noise. A good surrogate has the same shape.",
            None,
            partial(_surface, m),
        )
    yield Shown(
        "training_scatter.svg",
        "The training rows",
        "All that the surrogates were shown. Where there are no rows, they can only guess.",
        None,
        partial(training_scatter, *m.train, m.input_labels, m.output_labels),
    )


def _surface(m: Material) -> Figure | None:
    rows = len(m.train[0]) + len(m.test[0])
    k = min(GRID, math.isqrt(rows // 2))
    if m.simulator is None or k < 5:
        return None
    x1, x2 = (np.linspace(a, b, k) for a, b in zip(m.space.low, m.space.high, strict=True))
    X = np.column_stack([g.ravel() for g in np.meshgrid(x1, x2)])
    valid = m.space.contains(X)
    Y = np.full((len(X), len(m.outputs)), np.nan)
    if valid.any():
        Y[valid] = m.simulator.simulate(X[valid])
    Y[~np.isfinite(Y)] = np.nan
    return surface(x1, x2, Y.reshape(k, k, -1), m.input_labels, m.output_labels)


def _surrogates(m: Material) -> Iterator[Shown]:
    truth_is = "measured" if m.measured else "simulated"
    for name in m.tests:
        for k, output in enumerate(m.outputs):
            part, words = ("", "") if len(m.outputs) == 1 else (f".{output}", f", {output.replace('_', ' ')}")
            yield Shown(
                f"predicted_against_truth.{name}{part}.svg",
                f"{name}: predicted against {truth_is}{words}",
                f"Rows that {name} never saw: on the diagonal it is right. The bars are its intervals, and say how "
                "wrong it takes itself to be.",
                None,
                partial(_predicted, m, name, k, truth_is),
            )
        if name in m.curves and len(m.curves[name]):
            losses = (m.curves[name][key].to_numpy(float) for key in ("training_loss", "validation_loss"))
            yield Shown(
                f"training_curves.{name}.svg",
                f"{name}: the training of its first network",
                "Loss by epoch. A validation loss that still falls at the end was given too few epochs; one that rises "
                "while the training loss falls is learning by heart, and the weights before that are kept.",
                None,
                partial(training_curves, *losses),
            )


def _predicted(m: Material, surrogate: str, k: int, truth_is: str) -> Figure | None:
    table, output = m.tests[surrogate], m.outputs[k]
    predicted, low, high = (
        table[f"{part}.{output}"].to_numpy(float) for part in ("predicted", "interval_low", "interval_high")
    )
    return predicted_against_truth(m.test[1][:, k], predicted, low, high, m.output_labels[k], truth_is, LEVEL)


# -- learning by inversion ---------------------------------------------------------------------------------------------


def _learned(m: Material) -> Iterator[Shown]:
    for name, found in m.learned.items():
        if "decoder" in found:
            yield Shown(
                f"decoder.{name}.svg",
                f"{name}: what it takes {m.input_labels[0]} to be made of",
                "The decoder that was learned, from the latent value to what is seen of it. Predictions invert this "
                "curve: where it is level, the value behind an observation can't be told.",
                None,
                partial(_decoder, m, found),
            )
        if "residuals" in found:
            yield from _classes(name, found)


def _classes(name: str, found: Mapping[str, Any]) -> Iterator[Shown]:
    """Yield what shows classes by inversion: pictures where the inputs are such, and residuals."""
    if found["findings"]["side"]:
        yield Shown(
            f"explained.{name}.svg",
            f"{name}: test rows, and how their decoders explain them",
            "Above a row of each class as it is, below the picture nearest to it that its class's decoder can make.",
            None,
            partial(_explained, found),
        )
        yield Shown(
            f"walk.{name}.svg",
            f"{name}: a walk through the latent space",
            "What each class's decoder makes of latent values along the direction in which its rows differ most, from "
            "two deviations below their mean to two above. Every picture should still be of its class.",
            None,
            partial(_walk, found),
        )
    yield Shown(
        f"residuals.{name}.svg",
        f"{name}: is it of any class at all?",
        "The distance of an input from its best explanation. Inputs of no class should lie right of the test rows; "
        "where curves overlap, the residual can't tell.",
        None,
        partial(residual_histograms, found["residuals"]),
    )


def _pictures(table: pd.DataFrame, side: int) -> np.ndarray:
    return table[[f"x{j}" for j in range(side * side)]].to_numpy().reshape(-1, side, side)


def _explained(found: Mapping[str, Any]) -> Figure:
    said, table = found["findings"], found["explained"]
    kinds = dict(iter(table.groupby("kind", sort=False)))
    shown = [said["classes"][c].replace("_", " ") for c in kinds["row"]["label"]]
    sentence = f"A test row of each class and its explanation: {', '.join(shown)}."
    rows = [_pictures(part, said["side"]) for part in kinds.values()]
    return contact_sheet(rows, ["test row", "explained"], shown, _limits(found), sentence)


def _walk(found: Mapping[str, Any]) -> Figure:
    said, table = found["findings"], found["walk"]
    parts = dict(iter(table.groupby("label", sort=False)))
    steps = [style.number(s) for s in next(iter(parts.values()))["step"]]
    shown = [said["classes"][c].replace("_", " ") for c in parts]
    rows = [_pictures(part, said["side"]) for part in parts.values()]
    sentence = f"What decoders make of latent values along a line: {', '.join(shown)}."
    return contact_sheet(rows, shown, steps, _limits(found), sentence)


def _limits(found: Mapping[str, Any]) -> tuple[float, float]:
    """Return the range of the test rows shown: a decoder may leave it by a little."""
    table = found["explained"]
    shown = _pictures(table[table["kind"] == "row"], found["findings"]["side"])
    return float(shown.min()), float(shown.max())


def _decoder(m: Material, found: Mapping[str, Any]) -> Figure:
    latent, truth = found["decoder"]["latent"].to_numpy(), None
    if m.simulator is not None and m.simulator.name == "linear_latent":
        from preimage.problems.linear_latent import observed

        truth = observed(latent)[:, None]
    return decoder_values(found["decoder"], found["rows"], m.input_labels, m.output_labels[0], truth)


def _line(m: Material) -> Iterator[Shown]:
    if not m.line:
        return
    from preimage.problems.linear_latent import INTERCEPT, SLOPE

    yield Shown(
        "prediction_course.svg",
        "A prediction is an inversion",
        "From a random y, gradient steps on the squared distance of a y + b from x = 0 go to the y that it was made "
        "from. Each step shortens the way to it by the same share.",
        None,
        partial(prediction_course, m.line["prediction"], SLOPE, INTERCEPT, 0.0),
    )
    yield Shown(
        "training_courses.svg",
        "Training with predictions that stop early",
        "A prediction of n steps is not quite there, and training makes parameters wrong by just what makes up for "
        "it. Only derivatives of the exact solution lead to the true line.",
        None,
        partial(training_courses, m.line["courses"], SLOPE, INTERCEPT),
    )
    yield Shown(
        "derivative_memory.svg",
        "What a derivative keeps in memory",
        "Unrolled derivatives keep every step of every row until they are used; implicit ones need the last point.",
        None,
        partial(derivative_memory, m.line["cost"]),
    )
    yield Shown(
        "noise_effects.svg",
        "What noise in the training pairs does",
        "Medians over drawn data sets, bars from quartile to quartile. Training by inversion measures errors in y: "
        "noise on y does it no harm, noise on x makes the line too steep, as least squares the other way round is not.",
        None,
        partial(noise_effects, m.line["noise"]),
    )


# -- an objective ------------------------------------------------------------------------------------------------------


def _answers(m: Material, name: str) -> Iterator[Shown]:
    """Yield what shows the answers themselves."""
    if m.plane:
        yield Shown(
            f"answers_on_test.{name}.svg",
            f"{name}: the answers among the held-out rows",
            "The best answer of each method, by what its model predicts. Good answers lie where the colour of the "
            "rows around them is the one that was asked for.",
            name,
            partial(_answers_on_test, m, m.objectives[name]),
        )
    for surrogate in (s for s, o in m.preimages if o == name):
        plane = m.space.fix(m.objectives[name].fixed).free.sum() == 2
        yield Shown(
            f"preimage.{surrogate}.{name}.svg",
            f"{name}: all that meets it by {surrogate}",
            "Every input of the model's space that does what is wanted, proven: not a sample of it. "
            + (
                "What is not coloured does not."
                if plane
                else "For each value of an input, the share of all settings of the other inputs that meet it: where "
                "the curve is high there is freedom, where it is 0 nothing helps."
            ),
            name,
            partial(_preimage, m, surrogate, name),
        )
    for surrogate in dict.fromkeys(s for s, _ in m.cases(name)):
        yield Shown(
            f"parallel_coordinates.{surrogate}.{name}.svg",
            f"{name}: distinct solutions on {surrogate}",
            "Each line is one way to get there, from input to input; the thick one is recommended. Where lines run "
            "apart you are free to choose; outside the boxes data is rare."
            if m.solved(surrogate, name)["solves"].all()
            else "No candidate does what was asked: the line is the one that comes nearest.",
            name,
            partial(_parallel, m, surrogate, name),
        )
        yield Shown(
            f"domain.{surrogate}.{name}.svg",
            f"{name}: promise against domain on {surrogate}",
            "All candidates; large marks are the best of each method. If the best promises are made right of the "
            "line, nobody has seen data there: doubt them.",
            name,
            partial(_domain, m, surrogate, m.objectives[name]),
        )


def _fitted(m: Material, name: str) -> Iterator[Shown]:
    """Yield what shows a fit: its series, what the data tells of the parameters, its forecast and its derivatives."""
    yield from _judged(m, name)
    for surrogate in dict.fromkeys(s for s, _ in m.cases(name)):
        yield Shown(
            f"parallel_coordinates.{surrogate}.{name}.svg",
            f"{name}: parameters that fit as well as the best",
            "Each line is a set of parameters; the thick one has the smallest loss, the boxes are random parameters. "
            "Where lines run apart, the data does not say what the parameter is.",
            name,
            partial(_parallel, m, surrogate, name),
        )


def _judged(m: Material, name: str) -> Iterator[Shown]:
    found = m.fits.get(name, {})
    if "fit" in found:
        yield Shown(
            f"fitted.{name}.svg",
            f"{name}: the data and the fits",
            "All sets of parameters that fit as well as the best. Only filled points count in the loss.",
            name,
            partial(fitted_series, found["fit"], bool(found["findings"]["logarithmic"])),
        )
    if "forecast" in found:
        yield Shown(
            f"forecast.{name}.svg",
            f"{name}: forecast of the rows held out",
            "Nothing was fitted to the crosses. Shaded are intervals from all parameters within the limit of their "
            "likelihood; a fit that the last value beats has no forecast to offer.",
            name,
            partial(forecasts, found["forecast"], found["fit"]),
        )
    if "profiles" in found:
        best = m.solved("simulator", name).iloc[0]
        units = {i.name: i.unit for i in m.space.inputs}
        yield Shown(
            f"profiles.{name}.svg",
            f"{name}: what the data tells of each parameter",
            "Each parameter is held in turn and all others are fitted anew. A curve that stays under the dashed line "
            "up to a bound means: the data does not say what this parameter is.",
            name,
            partial(
                profiles,
                found["profiles"],
                found["findings"]["limit"],
                {n: best[f"x.{n}"] for n in m.space.names},
                units,
            ),
        )
    if "steps" in found:
        yield Shown(
            f"derivative_errors.{name}.svg",
            f"{name}: the error of finite differences against their step",
            "Left, rounding and the solver's own roughness; right, truncation. Dashed lines are derivatives that need "
            "no step.",
            name,
            partial(derivative_errors, found["steps"], found["derivatives"]),
        )


def _searches(m: Material, name: str) -> Iterator[Shown]:
    """Yield what shows how the answers were found."""
    cases = m.cases(name)
    shown = scale.of(m.objectives[name], m.units)
    losses = {case: part["predicted_loss"].to_numpy(float) for case, part in cases.items()}
    spent = {case: part["evaluations"].to_numpy(float) for case, part in cases.items()}
    for surrogate in dict.fromkeys(s for s, _ in cases):
        mine = {i: (spent[s, i], losses[s, i]) for s, i in cases if s == surrogate}
        free = any((n == 0).all() for n, _ in mine.values())
        yield Shown(
            f"convergence.{surrogate}.{name}.svg",
            f"{name}: convergence on {surrogate}",
            "The best found so far against evaluations of the model; a line that still moves at its end was stopped "
            "too early." + (" The level dashed line is the best row of the data, which costs nothing." if free else ""),
            name,
            partial(convergence, mine, shown, m.looks),
        )
    # What a method is follows from what it spent: one evaluation each for trials, more for a local search.
    trials = {case: losses[case] for case, n in spent.items() if len(n) > 1 and (n == 1).all()}
    if trials:
        yield Shown(
            f"history.{name}.svg",
            f"{name}: history of the trials",
            "Every trial in its order. A search that learns gets better from left to right; a random one does not.",
            name,
            partial(history, trials, shown, m.looks),
        )
    starts = {case: losses[case] for case, n in spent.items() if has_starts(n)}
    if starts:
        yield Shown(
            f"waterfall.{name}.svg",
            f"{name}: where the starts ended",
            "The final value of each start, best first. A plateau, shaded with its number of starts, is the same "
            "optimum found again and again; a slope from the first start on means that more starts may find better.",
            name,
            partial(waterfall, starts, shown, m.looks),
        )


def _rounds(m: Material, wanted: Objective) -> Iterator[Shown]:
    """Yield what shows what relearning has bought."""
    if len(m.rounds) and m.rounds["round"].max() > 0:
        yield Shown(
            f"rounds.{wanted.name}.svg",
            f"{wanted.name}: what the rounds have bought",
            "Each round trains again on the rows it added and inverts again. Left, where there is a simulator: the "
            "true value of the answer that the model ranks first, beside the best row of the data; right: the model's "
            "error on the test rows, which stay the same.",
            wanted.name,
            partial(_courses, m, wanted),
        )


def _courses(m: Material, wanted: Objective) -> Figure | None:
    mine = m.rounds[m.rounds["objective"] == wanted.name]
    courses = {}
    for (surrogate, inverter), part in mine.groupby(["surrogate", "inverter"], sort=False):
        columns = ["simulated_loss", "best_known_loss", "test_rmse"]
        wide = part.pivot_table(columns, "round", "seed", dropna=False)
        values = [wide[c].to_numpy(float) for c in columns]
        courses[str(surrogate), str(inverter)] = Course(part.groupby("round")["rows"].median().to_numpy(), *values)
    output = wanted.outputs[0]
    label = style.label(f"RMSE of {output}, test rows", m.units.get(output, ""))
    return round_courses(courses, scale.of(wanted, m.units), label, m.looks)


def _table(m: Material, name: str) -> Iterator[Shown]:
    """Yield what shows a table of targets."""
    yield Shown(
        f"best_of.{name}.svg",
        f"{name}: the error left after T candidates",
        "Each target's first T candidates, ranked by the model's word, are run through the simulator, and the best one "
        "counts. At T = 1 stands what you get without a simulator; a line that falls steeply means that good answers "
        "are there, but that the model can't tell which.",
        name,
        partial(_best_of, m, name),
    )


def _best_of(m: Material, name: str) -> Figure | None:
    mine = m.best_of[m.best_of["objective"] == name]
    curves: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {}
    for (surrogate, inverter), part in mine.groupby(["surrogate", "inverter"], sort=False):
        mean = part.groupby("T")["r"].mean()
        curves.setdefault(str(surrogate), {})[str(inverter)] = (mean.index.to_numpy(), mean.to_numpy())
    return best_of_curves(curves, m.looks)


def _answers_on_test(m: Material, wanted: Objective) -> Figure | None:
    answers = []
    cases = m.cases(wanted.name)
    several = len({s for s, _ in cases}) > 1
    for (surrogate, inverter), part in cases.items():
        name = f"{inverter} on {surrogate}" if several else inverter
        answers.append(Answers(name, m.looks[inverter], m.points(part[part["rank"] == 1])))
    output = wanted.outputs[0]
    minimum = m.simulator.minimum.get(output) if m.simulator else None
    known = None
    if minimum is not None and wanted.kind == "minimize" and len(wanted.outputs) == 1:
        x = np.array(minimum.x, float)
        known = x if m.space.fix(wanted.fixed).contains(x[None])[0] else None
    X, Y = m.test
    return answers_on_test(X, Y[:, wanted.columns[0]], answers, m.input_labels, m.output_label(output), known)


def _preimage(m: Material, surrogate: str, name: str) -> Figure | None:
    table, space = m.preimages[surrogate, name], m.space.fix(m.objectives[name].fixed)
    low, high = (
        space.encode(table[[f"{end}.{n}" for n in space.names]].rename(columns=lambda c: c.partition(".")[2]))
        for end in ("low", "high")
    )
    solved = m.solved(surrogate, name)
    answers = m.points(solved[solved["solves"]])
    return preimage_set(low, high, table["share"].to_numpy(float), table["certain"].to_numpy(bool), space, answers)


def _parallel(m: Material, surrogate: str, name: str) -> Figure | None:
    found = m.solved(surrogate, name)
    return parallel_coordinates(
        m.points(found),
        m.train[0],
        m.space.names,
        {i.name: i.unit for i in m.space.inputs if i.unit},
        {i.name: i.categories for i in m.space.inputs if i.categories},
        found["inverter"].astype(str).tolist(),
        found["in_domain"].fillna(True).astype(bool).tolist(),
        m.looks,
    )


def _domain(m: Material, surrogate: str, wanted: Objective) -> Figure | None:
    part = m.candidates
    part = part[(part["surrogate"] == surrogate) & (part["objective"] == wanted.name)]
    alone = len(wanted.outputs) == 1
    shown = scale.of(wanted, m.units)
    output = wanted.outputs[0]
    return domain_against_prediction(
        part["domain_score"].to_numpy(float),
        part[f"predicted.{output}"].to_numpy(float) if alone else shown.values(part["predicted_loss"]),
        part["inverter"].astype(str).tolist(),
        part["rank"].eq(1).fillna(False).to_numpy(bool),
        f"predicted {m.output_label(output)}" if alone else shown.label,
        m.looks,
        DOMAIN_LIMIT,
        scale.accepted(wanted) if alone else None,
        wanted.tolerance if alone else 0.0,
    )
