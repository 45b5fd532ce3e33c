"""Objective `within`, as a study names it."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from preimage.study.objectives import Interval, ObjectiveEntry
from preimage.support.frozen import ByType, Number, Text, option


class WithinEntry(ObjectiveEntry):
    """An interval for each output."""

    kind: ClassVar[str] = "within"

    within: dict[Text, ByType[Annotated[list[Number], Field(min_length=2, max_length=2)] | Interval]] = option(
        ...,
        "Target interval by output: `[low, high]`, or `{at_least: low}` or `{at_most: high}` for one side alone.",
        min_length=1,
    )
