"""The registered champion, judged on the rows that came after it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from preimage.data.rows import Rows
from preimage.relearning import decide, drift
from preimage.relearning.promotion import check_space
from preimage.surrogates import base
from preimage.surrogates.intervals import Intervals

if TYPE_CHECKING:
    from preimage.tracking.registry import Registry


def judged(store: Registry, name: str, train: Rows, gate: Rows, when: Mapping[str, float]) -> dict[str, Any]:
    """Return whether there is reason to replace a registered model's champion, why, and the figures behind it.

    Args:
        train, gate: every row of this round; those with numbers above the champion's last are new to it.
        when: the study's thresholds (see `decide.Thresholds`).

    Raises StudyError where the server is away, or the champion was trained on another space.
    """
    champion = store.alias(name)
    if champion is None:
        decision = decide.decide(0, len(train.X), {}, {}, decide.Thresholds(**when))
        return {**decision.to_dict(), "champion": None}
    with tempfile.TemporaryDirectory() as folder:
        about, files = store.fetch(champion.uri, Path(folder))
        check_space(champion.uri, about, train)
        last = int(about["last_row"])
        X, Y = _after(last, train, gate)
        old = train.X[train.numbers <= last]
        moved = drift.by_input(old, X, train.inputs, train.levels.tolist()) if len(X) and len(old) else {}
        model = base.kept(about["kind"], files, champion.uri)
        seen = decide.seen(model, Intervals.from_dict(about["intervals"]), X, Y, train.outputs, about)
    decision = decide.decide(int(about["train_rows"]), len(X), moved, seen, decide.Thresholds(**when))
    return {**decision.to_dict(), "champion": champion.version}


def _after(last: int, *parts: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Return points and outputs of rows with numbers above `last`."""
    new = [p.numbers > last for p in parts]
    X, Y = ([getattr(p, a)[n] for p, n in zip(parts, new, strict=True)] for a in ("X", "Y"))
    return np.concatenate(X), np.concatenate(Y)
