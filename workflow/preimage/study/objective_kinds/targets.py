"""Objective `targets`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.study.objectives import ObjectiveEntry
from preimage.support.frozen import Text, option


class TargetsEntry(ObjectiveEntry):
    """Targets from a table, one objective per row."""

    kind: ClassVar[str] = "targets"
    many: ClassVar[bool] = True

    targets: Text = option(
        ...,
        "Parquet or CSV file of target outputs, one row per objective: `<name>.0`, `<name>.1`, ...; one "
        "step solves all.",
    )
