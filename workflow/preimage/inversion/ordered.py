"""Questions with their inputs in an order of their own: what is drawn input by input doesn't depend on the table's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from preimage.core.canonical import input_order
from preimage.inversion.question import Question
from preimage.surrogates.reordered import Order, Reordered, trees


def of(question: Question) -> np.ndarray:
    """Return the positions (d,) of a question's inputs in the order to search in.

    Inputs of a simulator stay in its own: they are no columns that could be in another.
    """
    levels = np.array([len(i.categories) for i in question.space.inputs])
    if question.on_simulator or question.fit is not None:
        return np.arange(len(levels))
    return input_order(question.X, question.Y, levels)


def put(question: Question, order: np.ndarray) -> Question:
    """Return the question with its inputs in that order (d,)."""
    back = np.argsort(order)
    space = replace(question.space, inputs=tuple(question.space.inputs[j] for j in order))
    changed = replace(
        question, space=space, X=question.X[:, order], predict=lambda X: question.predict(X[:, back]), errors={}
    )
    if (near := question.objective.near) is not None:
        changed = changed.wanting(replace(question.objective, near=near.put(order.tolist())))
    formulas = question.formulas
    changed = replace(changed, formulas=replace(formulas, inputs=tuple(formulas.inputs[j] for j in order if formulas)))
    own = Order(tuple(back.tolist()), tuple(range(question.Y.shape[1])))
    if (gradient := question.gradient) is not None:

        def reordered(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            Y, slopes = gradient(X[:, back])
            return Y, slopes[:, :, order]

        changed = replace(changed, gradient=reordered)
    if question.traceable is not None:
        function, parameters = question.traceable
        changed = replace(changed, traceable=(Reordered(function, own), parameters))
    if question.trees is not None:
        # Formulas are no outputs of the trees.
        outputs = tuple(range(question.measured.shape[1]))
        changed = replace(changed, trees=trees(question.trees, own._replace(outputs=outputs)))
    if question.form is not None:
        changed = replace(changed, form=question.form.put(order))
    return changed
