"""How the answers to an objective were found."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from preimage.core.candidates import missed
from preimage.evidence.plateaus import has_starts
from preimage.figures import scale
from preimage.figures.convergence import convergence
from preimage.figures.gallery.material import Material
from preimage.figures.history import history
from preimage.figures.shown import Shown
from preimage.figures.waterfall import waterfall


def plan(m: Material, name: str) -> Iterator[Shown]:
    """Yield what shows how the answers were found."""
    cases = m.cases(name)
    shown = scale.of(m.objectives[name], m.units)
    # What misses a limit of outputs is drawn as what failed: its loss says nothing.
    only = " Only what keeps the limits of outputs is drawn." if m.objectives[name].limits else ""
    losses = {case: part["predicted_loss"].where(missed(part) == 0).to_numpy(float) for case, part in cases.items()}
    spent = {case: part["evaluations"].to_numpy(float) for case, part in cases.items()}
    for surrogate in dict.fromkeys(s for s, _ in cases):
        mine = {i: (spent[s, i], losses[s, i]) for s, i in cases if s == surrogate}
        free = any((n == 0).all() for n, _ in mine.values())
        yield Shown(
            f"convergence.{surrogate}.{name}.svg",
            f"{name}: convergence on {surrogate}",
            "Best value found so far against model evaluations; a line that still moves at its end was stopped too "
            "early." + (" The dashed line is the best measured row, which costs nothing." if free else "") + only,
            name,
            partial(convergence, mine, shown, m.looks),
        )
    # What a method is follows from what it spent: one evaluation each for trials, more for a local search.
    trials = {case: losses[case] for case, n in spent.items() if len(n) > 1 and (n == 1).all()}
    if trials:
        yield Shown(
            f"history.{name}.svg",
            f"{name}: history of the trials",
            "Every trial in order. A search that learns improves from left to right; a random one does not." + only,
            name,
            partial(history, trials, shown, m.looks),
        )
    starts = {case: losses[case] for case, n in spent.items() if has_starts(n)}
    if starts:
        yield Shown(
            f"waterfall.{name}.svg",
            f"{name}: final values of the starts (waterfall)",
            "Final value of each start, best first. A plateau, shaded with its number of starts, is one optimum found "
            f"repeatedly; a slope from the first start on means that more starts may find a better one.{only}",
            name,
            partial(waterfall, starts, shown, m.looks),
        )
