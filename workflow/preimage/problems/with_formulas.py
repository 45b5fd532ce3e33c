"""A simulator with a study's formulas as further outputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from preimage.core.formulas import Formulas
from preimage.problems.loading import Problem


def with_formulas(problem: Problem, formulas: Formulas) -> Problem:
    """Return a problem whose simulator gives formulas behind its outputs; a complex step goes through both."""
    if not formulas:
        return problem

    def simulate(X: np.ndarray) -> np.ndarray:
        extended: np.ndarray = formulas.extended(X, problem.simulate(X))
        return extended

    units = {name: formulas.units.get(name, "") for name in formulas.names}
    return replace(problem, outputs={**problem.outputs, **units}, simulate=simulate)
