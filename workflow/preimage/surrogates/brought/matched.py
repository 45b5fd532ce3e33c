"""A model of one's own as the table's: whatever its format, with points and outputs in the table's order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from preimage.core.portable import Portable
from preimage.exact.forms import Form
from preimage.support.errors import StudyError
from preimage.surrogates import reordered
from preimage.surrogates.reordered import Order, Reordered
from preimage.trees.forest import Forest


@dataclass(frozen=True)
class Brought:
    """A model of any format, with points and outputs in the table's order; it may take some of the inputs alone."""

    model: Any
    order: Order

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return outputs (n, m) at points (n, d)."""
        found: np.ndarray = self.model.predict(np.asarray(X, float)[:, self.order.inputs])
        if found.shape != (len(X), len(self.order.outputs)):
            raise StudyError(
                f"the model returned an array of shape {found.shape} for {len(X)} points, "
                f"expected {(len(X), len(self.order.outputs))}"
            )
        return found[:, self.order.outputs]

    def spread(self, X: np.ndarray) -> np.ndarray:
        """Return the model's own spread (n, m), 1 where it has none: its intervals are then of one width."""
        if not hasattr(self.model, "spread"):
            return np.ones((len(X), len(self.order.outputs)))
        own: np.ndarray = self.model.spread(np.asarray(X, float)[:, self.order.inputs])
        return own[:, self.order.outputs]

    @property
    def trees(self) -> Forest | None:
        """The model's arrays with the table's inputs and outputs, where it is made of trees; None where it is not."""
        try:
            own: Forest | None = getattr(self.model, "trees", None)
        except StudyError:
            return None
        return None if own is None else reordered.trees(own, self.order)

    def exact_form(self) -> Form | None:
        """Return the model's arrays that exact searches bound, with the table's inputs and outputs, where it is made of
        none of trees but of others; None where it is not."""
        try:
            return None if self.trees is not None else self.bounded()
        except StudyError:
            return None

    def bounded(self) -> Form:
        """Do what `exact_form` does. Raises StudyError, by name, for what has no bounds."""
        if not hasattr(self.model, "exact_form"):
            raise StudyError(f"a {type(self.model).__name__} has no proven bounds")
        own: Form = self.model.exact_form()
        own.check()
        return own.of_inputs(self.order.inputs).of_outputs(self.order.outputs)

    def refuse_unsearched(self, smooth: bool) -> None:
        """Raise StudyError, by name, where exact searches can't take the model.

        Args:
            smooth: whether it is to have another form than trees.
        """
        if smooth or (self.trees is None and not hasattr(type(self.model), "trees")):
            self.bounded()
        elif self.trees is None:
            _ = self.model.trees  # raises what stands against it

    def portable(self) -> Portable | None:
        """Return the model as arrays, where it is made of trees or of a kind that is trained here; None where not."""
        if (own := self.trees) is not None:
            found = own.portable()
            spread = {} if hasattr(self.model, "spread") else {"spread": "one"}
            return replace(found, settings={**found.settings, **spread})
        if not hasattr(self.model, "portable"):
            return None
        found = self.model.portable()
        order = {"inputs": list(self.order.inputs), "outputs": list(self.order.outputs)}
        return replace(found, settings={**found.settings, **order})

    @property
    def takes(self) -> tuple[int, ...]:
        """The positions of the inputs that have an influence."""
        return self.order.inputs

    @property
    def resolution(self) -> float:
        """The rounding of the model's numbers, which says how small a finite difference can be."""
        return float(getattr(self.model, "resolution", np.finfo(float).eps))


class BroughtDifferentiable(Brought):
    """One with derivatives of its own."""

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return outputs (n, m) and their exact derivatives by the inputs (n, m, d) at points (n, d)."""
        X = np.asarray(X, float)
        Y, own = self.model.gradient(X[:, self.order.inputs])
        slopes = np.zeros((*Y.shape, X.shape[1]))
        slopes[:, :, self.order.inputs] = own
        return Y[:, self.order.outputs], slopes[:, self.order.outputs]

    def traceable(self) -> tuple[Callable[[Any, Any], Any], Any]:
        """Return the prediction as a function of (parameters, one point (d,)), and the parameters."""
        function, parameters = self.model.traceable()
        return Reordered(function, self.order), parameters
