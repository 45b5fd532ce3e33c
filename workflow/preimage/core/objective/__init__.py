"""The objectives of a study: each kind is a class, and an entry of the study is built by the class of its kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from preimage.core.objective.base import Goal, Known, Objective, where
from preimage.core.objective.directions import Direction, Maximize, Minimize
from preimage.core.objective.fit import LOSS, NEAR_DEVIANCE, NEAR_LEAST, NEAR_SHARE, Fit
from preimage.core.objective.limits import Limit, interval_words, limits_of
from preimage.core.objective.pareto import Pareto
from preimage.core.objective.values import Target, Values, Within
from preimage.core.objective.variation import DRAWS, Draws, Variation, variation_of
from preimage.core.objective.varied import SHARE_TOLERANCE, WORST, Varied, quantile_at
from preimage.support import digits, extensions
from preimage.support.errors import StudyError

__all__ = [
    "DRAWS", "LOSS", "NEAR_DEVIANCE", "NEAR_LEAST", "NEAR_SHARE", "SHARE_TOLERANCE", "TABLES", "WORST", "Direction",
    "Draws", "Fit", "Goal", "Known", "Limit", "Maximize", "Minimize", "Objective", "Pareto", "Target", "Targets",
    "Values", "Variation", "Varied", "Within", "build", "build_all", "interval_words", "many", "quantile_at",
    "variation_of",
]  # fmt: skip

# Entries of a study that stand for many objectives, one per row of a table of target outputs.
TABLES = ("targets", "test_rows")


def build(
    name: str,
    spec: Mapping[str, Any],
    outputs: Sequence[str],
    spread: Sequence[float] | None = None,
    reach: Sequence[float] | None = None,
    rows: np.ndarray | None = None,
) -> Objective:
    """Build an objective from a study's entry.

    Args:
        spec: the key of exactly one kind; optionally tolerance, scaled, fixed, subject_to, variation.
        outputs: every output of the problem, in order.
        spread, reach, rows: see `Known`.

    Raises StudyError for an unknown output, an interval with low above high, and limits that leave no room.
    """
    kind = next((k for k in Objective.kinds if k in spec), None)
    if kind is None:
        extensions.load()
        kind = next(k for k in Objective.kinds if k in spec)
    found = Objective.kinds[kind].build(name, spec, outputs, Known(spread, reach, rows))
    found = _limited(found, limits_of(where(name), spec, outputs, reach), rows)
    variation = variation_of(where(name), spec)
    return found if variation is None else Varied.of(found, variation)


def _limited(wanted: Objective, limits: tuple[Limit, ...], rows: np.ndarray | None) -> Objective:
    """Return an objective with limits. Raises StudyError for one that no output wanted keeps to."""
    if not limits:
        return wanted
    if wanted.bounded:
        for limit in limits:
            for output, low, high in zip(wanted.outputs, wanted.low, wanted.high, strict=True):
                if output == limit.output and (high < limit.low or low > limit.high):
                    _refuse(wanted, limit, low, high)
        return replace(wanted, limits=limits)
    loss = np.zeros(0) if rows is None else wanted.loss(rows)
    loss = loss[np.isfinite(loss)]
    return replace(wanted, limits=limits, middle=float(np.median(loss)) if len(loss) else 0.0)


def _refuse(wanted: Objective, limit: Limit, low: float, high: float) -> None:
    row = wanted.name.partition(".")[2]
    asked = digits.plain(low) if low == high else interval_words(low, high)
    raise StudyError(
        f"{where(wanted.name)}.subject_to.{limit.output}: found {interval_words(limit.low, limit.high)}, which "
        f"excludes what is wanted of this output{f' in row {int(row) + 1}' if row else ''}: {asked}"
    )


class Targets(NamedTuple):
    """Wanted values of named outputs (k,), one objective a row (n, k)."""

    outputs: list[str]
    values: np.ndarray


def build_all(
    entries: Mapping[str, Mapping[str, Any]],
    outputs: Sequence[str],
    spread: Sequence[float] | None = None,
    reach: Sequence[float] | None = None,
    tables: Mapping[str, Targets] | None = None,
    rows: np.ndarray | None = None,
) -> dict[str, Objective]:
    """Build every objective of a study, by name (see `build`).

    Args:
        tables: rows of wanted outputs, by entry of the kinds in `TABLES`; each becomes objectives `<entry>.<row>`.
    """
    found: dict[str, Objective] = {}
    for name, entry in entries.items():
        specs = {name: entry} if many(entry) is None else _rows(name, entry, (tables or {})[name])
        found |= {key: build(key, spec, outputs, spread, reach, rows) for key, spec in specs.items()}
    return found


def many(entry: Mapping[str, Any]) -> str | None:
    """Return which kind of table a study's entry takes its targets from; None where it is one objective."""
    return next((kind for kind in TABLES if kind in entry), None)


def _rows(name: str, entry: Mapping[str, Any], targets: Targets) -> dict[str, dict[str, Any]]:
    rest = {key: value for key, value in entry.items() if key not in TABLES}
    rows = (dict(zip(targets.outputs, row, strict=True)) for row in targets.values.tolist())
    return {f"{name}.{k}": {**rest, "target": row} for k, row in enumerate(rows)}
