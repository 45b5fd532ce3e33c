"""The answers to an objective: where they lie, what else would do, and how far to trust them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from preimage.core.candidates import DOMAIN_LIMIT
from preimage.core.objective import Minimize, Objective
from preimage.figures import scale
from preimage.figures.answers_on_test import Answers, answers_on_test
from preimage.figures.domain_against_prediction import domain_against_prediction
from preimage.figures.gallery.material import Material
from preimage.figures.parallel_coordinates import parallel_coordinates
from preimage.figures.preimage_set import preimage_set
from preimage.figures.shown import Shown


def plan(m: Material, name: str) -> Iterator[Shown]:
    """Yield what shows the answers themselves."""
    if m.plane:
        yield Shown(
            f"answers_on_test.{name}.svg",
            f"{name}: the answers among the held-out rows",
            "The best predicted answer of each method. Good answers lie where the rows around them have the colour "
            "of the "
            "objective.",
            name,
            partial(_answers_on_test, m, m.objectives[name]),
        )
    for surrogate in (s for s, o in m.preimages if o == name):
        plane = m.objectives[name].allowed(m.space).free.sum() == 2
        yield Shown(
            f"preimage.{surrogate}.{name}.svg",
            f"{name}: the whole preimage on {surrogate}",
            "All inputs that provably meet the objective on the model, not a sample. "
            + (
                "Inputs outside the coloured area do not."
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
            "Each line is one solution; the thick one is recommended. Where lines run apart you are free to choose; "
            "outside the boxes data is rare."
            if m.solved(surrogate, name)["solves"].all()
            else "No candidate does what was asked: the line is the one that comes nearest.",
            name,
            partial(parallel, m, surrogate, name),
        )
        yield Shown(
            f"domain.{surrogate}.{name}.svg",
            f"{name}: prediction against domain score on {surrogate}",
            "All candidates; large marks are the best of each method. Right of the line there is no data: predictions "
            "there are extrapolations.",
            name,
            partial(_domain, m, surrogate, m.objectives[name]),
        )


def _answers_on_test(m: Material, wanted: Objective) -> Figure | None:
    shown = []
    cases = m.cases(wanted.name)
    several = len({s for s, _ in cases}) > 1
    for (surrogate, inverter), part in cases.items():
        name = f"{inverter} on {surrogate}" if several else inverter
        shown.append(Answers(name, m.looks[inverter], m.points(part[part["rank"] == 1])))
    output = wanted.outputs[0]
    minimum = m.simulator.minimum.get(output) if m.simulator else None
    known = None
    if minimum is not None and isinstance(wanted, Minimize) and len(wanted.outputs) == 1:
        x = np.array(minimum.x, float)
        known = x if wanted.allowed(m.space).contains(x[None])[0] else None
    X, Y = m.test
    return answers_on_test(X, Y[:, wanted.columns[0]], shown, m.input_labels, m.output_label(output), known)


def _preimage(m: Material, surrogate: str, name: str) -> Figure | None:
    table, space = m.preimages[surrogate, name], m.objectives[name].allowed(m.space)
    low, high = (
        space.encode(table[[f"{end}.{n}" for n in space.names]].rename(columns=lambda c: c.partition(".")[2]))
        for end in ("low", "high")
    )
    solved = m.solved(surrogate, name)
    answers = m.points(solved[solved["solves"]])
    return preimage_set(low, high, table["share"].to_numpy(float), table["certain"].to_numpy(bool), space, answers)


def parallel(m: Material, surrogate: str, name: str, of_rows: str = "training rows") -> Figure | None:
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
        of_rows,
        m.places(found),
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
        wanted.tolerance[0] if alone else 0.0,
        m.places(part),
    )
