"""From a trained surrogate to a champion or a challenger: registered, compared on the gate rows, moved or refused."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from preimage.data.rows import Rows
from preimage.relearning import gate
from preimage.support.errors import StudyError
from preimage.surrogates import base
from preimage.surrogates.protocol import Surrogate

if TYPE_CHECKING:
    from preimage.tracking.registry import Registry, Version

EXAMPLE_ROWS = 5
# Another relearning may promote between comparing and moving; after that many times somebody should look.
MOST_COMPARISONS = 10
METRIC = "gate/error"
# The study's words for what MLflow calls a metric's threshold and least changes.
LIMITS = {
    "error_at_most": "threshold",
    "least_absolute_change": "min_absolute_change",
    "least_relative_change": "min_relative_change",
}


@dataclass(frozen=True)
class Challenger:
    """A trained surrogate on its way into the registry.

    Attributes:
        name: of the registered model.
        folder: that the surrogate saved itself into; about: what its training wrote.
        train: the rows it was trained on; tags: of its version.
        last_row: the highest number of any row there was when it was trained, for the gate and the test too.
        run: the MLflow run that trained it, which then links to the version; None where there is none.
        crossed: predictions of the training rows (n, m) by models that never saw them; None where rows are held out.
    """

    name: str
    folder: Path
    model: Surrogate
    about: Mapping[str, Any]
    train: Rows
    tags: Mapping[str, str]
    last_row: int = 0
    run: str | None = None
    crossed: np.ndarray | None = None


def relearned(
    store: Registry, new: Challenger, rows: Rows | None, limits: Mapping[str, Any], rng: np.random.Generator,
    decision: Mapping[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Register a surrogate and decide whether it is the champion; return what was decided, and why.

    Args:
        rows: the gate rows; None where there are none yet.
        limits: the study's `relearning` (error_at_most, least_absolute_change, least_relative_change).
        decision: whether there was reason to train again (`preimage.relearning.decide`); where there was none, and a
            champion is there, the model is registered but not put up.

    Doing it again with the same surrogate changes nothing. Raises StudyError where the server is away.
    """
    version = _register(store, new)
    for _ in range(MOST_COMPARISONS):
        reign = store.reign(version)
        if reign is not None:
            # Stopped after promoting, or run again: what was said then. A version that was replaced or rolled back
            # since is not put up again: only a rollback makes it champion once more.
            said = _said(version, None, reign.comparison, [reign.reason], True)
            return {**said, "champion_before": reign.replaced}
        champion = store.alias(new.name)
        if champion is not None and champion.version == version.version:
            return _said(version, None, None, ["made champion by hand"], True)
        if champion is not None and decision is not None and not decision["relearn"]:
            return _said(version, champion, None, ["not put up: there was no reason to train again"], False)
        comparison = None
        if champion is not None:
            comparison = _compare(store, champion, new, rows, rng)
        reasons = _reasons(comparison, limits)
        if reasons:
            store.refuse(version, reasons)
            return _said(version, champion, _shown(comparison), reasons, False)
        why = "the first version" if comparison is None else _better(comparison)
        if store.promote(version, champion, why, _shown(comparison)):
            return _said(version, champion, _shown(comparison), [why], True)
    raise StudyError(f"registered model '{new.name}': its champion changed {MOST_COMPARISONS} times while comparing")


def _register(store: Registry, new: Challenger) -> Version:
    X = new.train.X[:EXAMPLE_ROWS]
    predicted = new.model.predict(X)
    about = {
        **{key: new.about[key] for key in ("kind", "intervals", "level", "test")},
        "inputs": new.train.inputs, "outputs": new.train.outputs, "levels": new.train.levels.tolist(),
        "train_rows": len(new.train.X), "last_row": new.last_row,
    }  # fmt: skip
    if new.crossed is not None:
        rows = {"numbers": new.train.numbers, "truth": new.train.Y, "predicted": new.crossed}
        about["crossed"] = {key: value.tolist() for key, value in rows.items()}
    return store.register(
        new.name,
        new.folder,
        about,
        {name: X[:, j].tolist() for j, name in enumerate(new.train.inputs)},
        {name: predicted[:, k].tolist() for k, name in enumerate(new.train.outputs)},
        new.tags,
        new.run,
    )


def _compare(
    store: Registry, champion: Version, new: Challenger, rows: Rows | None, rng: np.random.Generator
) -> gate.Comparison:
    with tempfile.TemporaryDirectory() as folder:
        about, path = store.fetch(champion.uri, Path(folder))
        check_space(champion.uri, about, new.train)
        old = base.kept(about["kind"], path, champion.uri)
        scale = new.train.Y.std(axis=0)
        if new.crossed is not None:
            theirs = _unseen(old, about, new.train)
            at = np.isfinite(theirs).all(axis=1)
            found = gate.compare(new.train.Y[at], theirs[at], new.crossed[at], scale, rng)
            return replace(found, crossed=True)
        if rows is None or not len(rows.X):
            nothing = np.empty((0, len(new.train.outputs)))
            return gate.compare(nothing, nothing, nothing, scale, rng)
        return gate.compare(rows.Y, old.predict(rows.X), new.model.predict(rows.X), scale, rng)


def _unseen(champion: Surrogate, about: Mapping[str, Any], rows: Rows) -> np.ndarray:
    """Return a champion's predictions (n, m) of rows that it never saw: those after it, and by cross-validation those
    that it was trained on. NaN where there is none, or the row is another than it was then."""
    found = np.full(rows.Y.shape, np.nan)
    later = rows.numbers > int(about["last_row"])
    if later.any():
        found[later] = champion.predict(rows.X[later])
    known = about.get("crossed") or {"numbers": [], "truth": [], "predicted": []}
    place = {number: k for k, number in enumerate(known["numbers"])}
    for row in np.flatnonzero(~later):
        k = place.get(int(rows.numbers[row]))
        if k is not None and np.array_equal(known["truth"][k], rows.Y[row]):
            found[row] = known["predicted"][k]
    return found


def check_space(uri: str, about: Mapping[str, Any], rows: Rows) -> None:
    """Raise StudyError where a registered model has other inputs or outputs than the study."""
    for kind, ours in (("inputs", rows.inputs), ("outputs", rows.outputs)):
        if list(about[kind]) != list(ours):
            raise StudyError(f"{uri}: was trained on another space: its {kind} are {about[kind]}, the study's {ours}")


def _reasons(comparison: gate.Comparison | None, limits: Mapping[str, Any]) -> list[str]:
    """Return why a challenger is not promoted; nothing where it is. The first version has nobody to beat."""
    from preimage.tracking.registry.thresholds import thresholds_failed

    if comparison is None:
        return []
    if reason := comparison.reason():
        return [reason]
    wanted = {theirs: limits[ours] for ours, theirs in LIMITS.items() if limits.get(ours) is not None}
    return thresholds_failed({METRIC: comparison.champion}, {METRIC: comparison.challenger}, {METRIC: wanted})


def _better(c: gate.Comparison) -> str:
    return f"error {c.challenger:.4g} against the champion's {c.champion:.4g} on {c.rows} {c.what}"


def _shown(comparison: gate.Comparison | None) -> dict[str, Any] | None:
    if comparison is None:
        return None
    values = comparison.to_dict()
    return {k: v if not isinstance(v, float) or np.isfinite(v) else None for k, v in values.items()}


def _said(
    version: Version, champion: Version | None, comparison: Mapping[str, Any] | None, reasons: list[str], promoted: bool
) -> dict[str, Any]:
    return {
        "model": version.name, "version": version.version, "champion_before": champion and champion.version,
        "promoted": promoted, "reasons": reasons, "comparison": comparison,
    }  # fmt: skip
