"""Questions with a study's formulas as further outputs: whatever a method asks of a model gives them too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from preimage.core.formulas import Formulas
from preimage.inversion.question import Question


@dataclass(frozen=True)
class Extended:
    """A model's JAX function with formulas behind its outputs."""

    function: Callable[[Any, Any], Any]
    formulas: Formulas

    def __call__(self, parameters: Any, x: Any) -> Any:
        import jax.numpy as jnp

        return self.formulas.extended(x, self.function(parameters, x), jnp)


def with_formulas(question: Question, formulas: Formulas) -> Question:
    """Return the question about outputs and formulas, of which its rows (n, m + f) and its objective are already.

    Rows at which a formula is undefined lie outside the bounds and are left out. Trees stay those of the outputs.
    """
    if not formulas:
        return question
    predict, gradient = question.predict, question.gradient
    finite = np.isfinite(question.Y).all(axis=1)
    changed = replace(
        question,
        predict=lambda X: formulas.extended(X, np.asarray(predict(X))),
        X=question.X[finite],
        Y=question.Y[finite],
        rows=question.rows[finite],
        formulas=formulas,
    )
    if gradient is not None:
        changed = replace(changed, gradient=lambda X: formulas.extended_gradient(X, *gradient(X)))
    if question.traceable is not None:
        function, parameters = question.traceable
        changed = replace(changed, traceable=(Extended(function, formulas), parameters))
    return changed
