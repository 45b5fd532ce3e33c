"""Objective `target`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.study.objectives import ObjectiveEntry
from preimage.support.frozen import Number, Text, option


class TargetEntry(ObjectiveEntry):
    """A value for each output."""

    kind: ClassVar[str] = "target"

    target: dict[Text, Number] = option(..., "Target value by output.", min_length=1)
