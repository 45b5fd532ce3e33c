"""Objective `test_rows`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.study.objectives import ObjectiveEntry
from preimage.support.frozen import Whole, option


class TestRowsEntry(ObjectiveEntry):
    """Targets that are the measured outputs of test rows."""

    kind: ClassVar[str] = "test_rows"
    many: ClassVar[bool] = True

    test_rows: Whole = option(
        ...,
        "Use the measured outputs of this many test rows as targets, one objective per row, as in "
        "`targets`: a benchmark, because all can be reached.",
        ge=1,
        le=100_000,
    )
