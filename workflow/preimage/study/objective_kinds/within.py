"""Objective `within`, as a study names it."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from preimage.study.objectives import ObjectiveEntry
from preimage.support.frozen import Number, Text, option


class WithinEntry(ObjectiveEntry):
    """An interval for each output."""

    kind: ClassVar[str] = "within"

    within: dict[Text, Annotated[list[Number], Field(min_length=2, max_length=2)]] = option(
        ..., "Target interval by output.", min_length=1
    )
