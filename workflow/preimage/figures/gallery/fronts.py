"""The answer to a trade-off: its fronts, and inputs that span them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from preimage.core.objective import Pareto
from preimage.evidence import fronts as evidence
from preimage.figures.fronts import Front, fronts
from preimage.figures.gallery.answers import parallel
from preimage.figures.gallery.material import Material
from preimage.figures.shown import Shown


def plan(m: Material, wanted: Pareto) -> Iterator[Shown]:
    """Yield what shows the fronts of a trade-off, by surrogate."""
    name = wanted.name
    for surrogate in dict.fromkeys(s for s, _ in m.cases(name)):
        bound = evidence.corners(wanted, m.proofs.get(name, {}).get(surrogate, ()))
        yield Shown(
            f"front.{surrogate}.{name}.svg",
            f"{name}: the front on {surrogate}",
            "Filled marks are predictions, hollow ones the same inputs re-simulated; small grey dots are the training "
            "rows, the dashed line their own front. The ring is the recommended compromise."
            + (" No input within the bounds and constraints leads into the shaded area." if bound is not None else "")
            + (" Each panel shows two of the outputs." if len(wanted.outputs) > 2 else ""),
            name,
            partial(_fronts, m, surrogate, wanted, bound),
        )
        yield Shown(
            f"parallel_coordinates.{surrogate}.{name}.svg",
            f"{name}: inputs along the front on {surrogate}",
            "Each line is a point of the front, chosen to span it evenly; the thick one is the recommended compromise. "
            "An input whose lines run apart is what moves the trade-off.",
            name,
            partial(parallel, m, surrogate, name),
        )


def _fronts(m: Material, surrogate: str, wanted: Pareto, bound: np.ndarray | None) -> Figure | None:
    columns = list(wanted.columns)

    def values(frame: pd.DataFrame, prefix: str) -> np.ndarray:
        return frame[[f"{prefix}.{o}" for o in wanted.outputs]].to_numpy(float)

    found = []
    for (on, inverter), part in m.cases(wanted.name).items():
        if on == surrogate:
            front = evidence.on_front(part, wanted, m.outputs)
            both = values(front, "predicted"), values(front, "simulated")
            found.append(Front(inverter, m.looks[inverter], *both, m.places(front)))
    solved = m.solved(surrogate, wanted.name)
    if solved.empty:
        return None
    corners = None if bound is None else wanted.outputs_at(bound)
    labels = [m.output_label(o) for o in wanted.outputs]
    return fronts(found, m.train[1][:, columns], values(solved, "predicted")[0], wanted.low, labels, corners)
