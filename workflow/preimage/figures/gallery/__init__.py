"""Which figures a study gets, in which order, and what to say beside each."""

from __future__ import annotations

from collections.abc import Iterator

from preimage.core.objective import Fit, Objective, Pareto
from preimage.figures import added
from preimage.figures.gallery import answers, fits, fronts, learning, problem, rounds, searches, surrogates, targets
from preimage.figures.gallery.material import Material
from preimage.figures.shown import Shown
from preimage.support import extensions

__all__ = ["Material", "plan"]

# A study may have hundreds of objectives; a page can't.
MOST_OBJECTIVES = 8


def plan(m: Material) -> Iterator[Shown]:
    """Yield the figures of a study in the order to show them, those of extensions last."""
    yield from _of_study(m)
    extensions.load()
    for own in added.PLANS.values():
        yield from own(m)


def _of_study(m: Material) -> Iterator[Shown]:
    yield from problem.plan(m)
    yield from surrogates.plan(m)
    yield from learning.plan(m)
    entries = dict.fromkeys(w.entry for w in m.objectives.values())
    for name in list(entries)[:MOST_OBJECTIVES]:
        if name in m.objectives:
            yield from rounds.plan(m, m.objectives[name])
            yield from _answer(m, name, m.objectives[name])
        else:
            yield from targets.plan(m, name)


def _answer(m: Material, name: str, wanted: Objective) -> Iterator[Shown]:
    """Yield what shows the answer to an objective, and how it was found."""
    if isinstance(wanted, Pareto):
        yield from fronts.plan(m, wanted)
        return
    yield from fits.plan(m, name) if isinstance(wanted, Fit) else answers.plan(m, name)
    yield from searches.plan(m, name)
