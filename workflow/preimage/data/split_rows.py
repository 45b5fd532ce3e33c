"""The rows of a round and seed as everything after training sees them: with a study's formulas as further outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from preimage.core.formulas import Formulas
from preimage.core.objective import Objective
from preimage.data import named, rows, setting, targets
from preimage.data.rows import Rows
from preimage.data.setting import RowSummary, Setting
from preimage.support.files import read_json


@dataclass(frozen=True)
class SplitRows:
    """Rows, and what is known of them.

    Attributes:
        outputs: those that were measured or simulated; those of `setting`, `known` and the rows have formulas behind.
        known: of the training rows.
        train, test: the rows; `test` has none where it was not read.
    """

    outputs: list[str]
    formulas: Formulas
    known: RowSummary
    setting: Setting
    train: Rows
    test: Rows

    def objectives(self, entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Objective]:
        """Return the objectives of a study's entries, by name (see `targets.objectives`)."""
        finite = np.isfinite(self.train.Y).all(axis=1)
        held = self.test.Y[:, : len(self.outputs)]
        return targets.objectives(entries, self.known, held, self.train.Y[finite], self.setting.space)

    def about(self, path: str | Path) -> dict[str, Any]:
        """Return what training wrote of a surrogate into a file; inputs that a formula takes have an influence."""
        found: dict[str, Any] = read_json(path)
        if free := found.get("without_influence"):
            found["without_influence"] = [name for name in free if name not in self.formulas.taken]
        return found

    def predicted(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return predictions of the test rows and their intervals (`surrogates.intervals.columns`) with those of the
        formulas."""
        if not self.formulas:
            return frame
        low, high, said = (
            frame[[f"{part}.{o}" for o in self.outputs]].to_numpy(float)
            for part in ("interval_low", "interval_high", "predicted")
        )
        X = self.test.X
        parts = ("predicted", "interval_low", "interval_high")
        values = (self.formulas.extended(X, said), *self.formulas.intervals(X, low, high))
        m = len(self.outputs)
        more = {
            f"{part}.{name}": found[:, m + k]
            for part, found in zip(parts, values, strict=True)
            for k, name in enumerate(self.formulas.names)
        }
        return frame.assign(**more)


def read(spec: Mapping[str, Any], info: str, train: str, test: str | None = None) -> SplitRows:
    """Return the rows in the files of a split.

    Args:
        spec: the study's `problem`.
        info: what the split has written of the training rows.
    """
    known, categories = rows.known(info), named.categories(spec)
    found = setting.formulas(spec, setting.of_rows(spec, known))
    own = rows.load(train, info, categories)
    held = rows.load(test, info, categories) if test else own.part(np.arange(0))
    outputs = known.outputs
    own, held = (part.with_formulas(found) for part in (own, held))
    known = known.with_formulas(found, own.Y)
    return SplitRows(outputs, found, known, setting.of_rows(spec, known), own, held)
