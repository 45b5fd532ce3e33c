"""Is it time to train again? Decided from what the new rows are and how the champion does on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from preimage.relearning.drift import Drift
from preimage.surrogates.intervals import Intervals
from preimage.surrogates.metrics import coverage, metrics
from preimage.surrogates.protocol import Surrogate


@dataclass(frozen=True)
class Thresholds:
    """Any one of these reached means: train again.

    Attributes:
        rows: new rows, as a share of the rows trained on.
        psi: population stability index of any input, where it is more than chance makes it (see `p_value`).
        p_value: of any input's test, and of its index, divided by the number of inputs (Bonferroni).
        error: the champion's root mean squared error on the new rows, as a multiple of that on its own test rows.
        coverage: how far the share of new rows inside its intervals may fall below the level they promise, beyond
            what chance allows (two standard errors).
    """

    rows: float = 0.1
    psi: float = 0.25
    p_value: float = 0.01
    error: float = 1.5
    coverage: float = 0.1


@dataclass(frozen=True)
class Seen:
    """The champion on one output of the new rows, beside its own test rows: errors in the output's unit."""

    test_rmse: float
    new_rmse: float
    new_coverage: float
    level: float


@dataclass(frozen=True)
class Decision:
    """Whether to train again, each reason in words, and the figures it rests on."""

    relearn: bool
    reasons: list[str]
    figures: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def decide(
    trained_rows: int, new_rows: int, drifts: Mapping[str, Drift], seen: Mapping[str, Seen], limits: Thresholds
) -> Decision:
    """Return the decision.

    Args:
        trained_rows: that the champion was trained on; 0 where there is no champion yet.
        new_rows: that it has not seen.
        drifts: by input; seen: by output. Both are empty where there are no new rows.
    """
    figures = _figures(trained_rows, new_rows, drifts, seen)
    if not new_rows:
        # Training again on the same rows would change nothing but the date.
        return Decision(not trained_rows, [] if trained_rows else ["there is no champion yet"], figures)
    if not trained_rows:
        return Decision(True, ["there is no champion yet"], figures)
    reasons = [
        *_rows(trained_rows, new_rows, limits),
        *_drifted(drifts, limits),
        *_worse(seen, limits),
        *_uncovered(seen, new_rows, limits),
    ]
    return Decision(bool(reasons), reasons, figures)


def seen(
    model: Surrogate, fitted: Intervals, X: np.ndarray, Y: np.ndarray, outputs: Sequence[str], about: Mapping[str, Any]
) -> dict[str, Seen]:
    """Return how a model does on new rows (n, d) and (n, m), by output; nothing where there are none.

    Args:
        about: what its training wrote: `test` (errors on its test rows, by output) and `level` of its intervals.
    """
    if not len(X):
        return {}
    predicted = model.predict(X)
    errors = metrics(Y, predicted, outputs)
    covered = coverage(Y, *fitted.at(predicted, model.spread(X)))
    return {
        name: Seen(about["test"][name]["rmse"], float(errors[name]["rmse"] or 0.0), covered[k], about["level"])
        for k, name in enumerate(outputs)
    }


def _figures(trained: int, new: int, drifts: Mapping[str, Drift], seen: Mapping[str, Seen]) -> dict[str, float]:
    out: dict[str, float] = {"trained_rows": trained, "new_rows": new}
    for name, drift in drifts.items():
        out |= {f"psi.{name}": drift.psi, f"drift_p_value.{name}": drift.p_value}
    for name, s in seen.items():
        out |= {f"test_rmse.{name}": s.test_rmse, f"new_rmse.{name}": s.new_rmse}
        out[f"new_coverage.{name}"] = s.new_coverage
    return out


def _rows(trained: int, new: int, limits: Thresholds) -> list[str]:
    share = new / trained
    return [f"{new} new rows are {share:.0%} of the {trained} trained on (limit {limits.rows:.0%})"] * (
        share >= limits.rows
    )


def _drifted(drifts: Mapping[str, Drift], limits: Thresholds) -> list[str]:
    said = []
    for name, drift in drifts.items():
        if drift.psi >= limits.psi and drift.psi_p_value * len(drifts) <= limits.p_value:
            said.append(f"input '{name}' has drifted: PSI {drift.psi:.2f} (limit {limits.psi:g})")
        elif drift.p_value * len(drifts) <= limits.p_value:
            said.append(
                f"input '{name}' has drifted: p = {drift.p_value:.2g} over {len(drifts)} inputs "
                f"(limit {limits.p_value:g})"
            )
    return said


def _worse(seen: Mapping[str, Seen], limits: Thresholds) -> list[str]:
    return [
        f"output '{name}': error {s.new_rmse:.4g} on the new rows, {s.test_rmse:.4g} on the champion's test rows "
        f"(limit {limits.error:g} times)"
        for name, s in seen.items()
        if s.new_rmse >= limits.error * s.test_rmse and s.new_rmse > s.test_rmse
    ]


def _uncovered(seen: Mapping[str, Seen], rows: int, limits: Thresholds) -> list[str]:
    said = []
    for name, s in seen.items():
        chance = 2 * np.sqrt(s.level * (1 - s.level) / rows)
        if s.new_coverage < s.level - limits.coverage - chance:
            said.append(
                f"output '{name}': {s.new_coverage:.0%} of the new rows lie inside the champion's intervals, which "
                f"promise {s.level:.0%}"
            )
    return said
