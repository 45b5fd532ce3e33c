"""What relearning has bought."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from matplotlib.figure import Figure

from preimage.core.objective import Objective
from preimage.figures import scale, style
from preimage.figures.gallery.material import Material
from preimage.figures.round_courses import Course, round_courses
from preimage.figures.shown import Shown


def plan(m: Material, wanted: Objective) -> Iterator[Shown]:
    """Yield what shows what relearning has bought."""
    if len(m.rounds) and m.rounds["round"].max() > 0:
        yield Shown(
            f"rounds.{wanted.name}.svg",
            f"{wanted.name}: what each round gained",
            "Each round adds rows, retrains and inverts again. Left (with a simulator): the true value of the answer "
            "that the "
            "model ranks first, beside the best measured row. Right: the model's error on the test rows, which stay "
            "the "
            "same.",
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
