"""What every method of inference is: an entry of a study with options, and how it spends its simulations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from preimage.support.progress import ALONE, TrainingContext
from preimage.support.registry import Entry, Registry

if TYPE_CHECKING:
    import numpy as np

    from preimage.inference.answer import Task, Trained


class InferenceMethod(Entry):
    """A method that infers the parameters of a stochastic simulator.

    The module that computes has `train(task, options, rng, context)` and `restored(task, options, arrays)`, which
    return a `preimage.inference.answer.Trained`; and, where a wrong budget or task can be told from more than what
    `restored` raises, `check(task, options)`.

    Attributes:
        banked: it takes its simulations from the bank made once for all methods.
        amortised: it is trained once for all observations; the others work anew for each.
        searching: it simulates for each observation, at great cost.
    """

    registry: ClassVar[Registry[InferenceMethod]] = Registry(
        "inference method", "preimage.inference.kinds", "preimage.inference.methods"
    )
    banked: ClassVar[bool] = False
    amortised: ClassVar[bool] = False
    searching: ClassVar[bool] = False

    def check(self, task: Task) -> None:
        """Raise StudyError where the method can't work on a task, or for a budget that isn't one batch."""
        module = self.computing()
        if hasattr(module, "check"):
            module.check(task, self)
        else:
            module.restored(task, self, {})

    def train(self, task: Task, rng: np.random.Generator, context: TrainingContext = ALONE) -> Trained:
        """Make the method ready. Raises StudyError as `check` does."""
        found: Trained = self.computing().train(task, self, rng, context)
        return found

    def restored(self, task: Task, arrays: Mapping[str, np.ndarray]) -> Trained:
        """Return the method as `train` left it, from the arrays that it saved."""
        found: Trained = self.computing().restored(task, self, arrays)
        return found
