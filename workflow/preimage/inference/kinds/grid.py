"""Inference method `grid`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.inference.base import InferenceMethod


class Grid(InferenceMethod):
    """The exact posterior, if the simulator's likelihood is known and it has at most 3 parameters."""

    kind: ClassVar[str] = "grid"
