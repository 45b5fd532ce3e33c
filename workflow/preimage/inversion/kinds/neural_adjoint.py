"""Inverter `neural_adjoint`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.inversion.base import Inverter
from preimage.support.frozen import Whole, option


class NeuralAdjoint(Inverter):
    """Adam on the inputs of a differentiable model, with a boundary loss (Ren et al. 2020)."""

    kind: ClassVar[str] = "neural_adjoint"
    needs_gradient: ClassVar[bool] = True
    follows_slopes: ClassVar[bool] = True

    starts: Whole = option(100, "Starts; each is a row.", ge=1, le=1_000_000)
