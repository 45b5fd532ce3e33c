"""Candidates of fits judged: their loss again, by another solver at tight tolerance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from preimage.calibration import building
from preimage.core import candidates
from preimage.core.candidates import CASE
from preimage.core.space import Space
from preimage.evidence.assess import points


def assess(
    frame: pd.DataFrame, space: Space, spec: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]]
) -> pd.DataFrame:
    """Return the table of candidates, typed, with `simulated_loss` and `true_rank`; there is no domain to be in, as no
    model was trained."""
    has, X = points(frame, space)
    loss = np.full(len(frame), np.nan)
    fits = building.build_all(spec, entries)
    for name in frame["objective"].unique():
        mine = (frame["objective"] == name).to_numpy() & has
        loss[mine] = fits[name].reference(X[mine[has]])
    frame = frame.assign(simulated_loss=loss)
    frame = frame.assign(true_rank=candidates.ranked(frame["simulated_loss"], [frame[c] for c in CASE]))
    return candidates.typed(frame, space.names, [])
