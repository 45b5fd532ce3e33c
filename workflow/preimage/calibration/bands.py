"""How far the data leaves the fitted series open: the band of all series whose parameters are within their interval, or
of draws from the posterior."""

from __future__ import annotations

import numpy as np
import pandas as pd

from preimage.calibration import engine, profiles
from preimage.calibration.fit import Fit

# Series that a band is of, at most.
SERIES = 256
TAILS = (2.5, 97.5)


def table(fit: Fit, X: np.ndarray, drawn: bool) -> pd.DataFrame:
    """Return the band of the rows that count: series, time, low, high, and condition where there are several.

    Args:
        X: the best parameters first, then others (n, d): those within their intervals, of which the band is the
            envelope; or draws from the posterior, of which it holds the middle 95 %.
    """
    from preimage.calibration import traced

    some = X[np.unique(np.linspace(0, len(X) - 1, SERIES).astype(int))]
    # One shape whatever is within: one compiled program.
    some = np.concatenate([some, np.repeat(some[:1], SERIES - len(some), axis=0)])
    form, data = engine.program(fit, profiles.steps_for(fit, X[0]))
    Y = np.asarray(traced.series_at(form, data, some))
    Y = Y[np.isfinite(Y).all(axis=(1, 2))]
    low, high = np.percentile(Y, TAILS, axis=0) if drawn else (Y.min(axis=0), Y.max(axis=0))
    s, rows = fit.series, fit.counted
    parts = []
    for k, name in enumerate(s.names):
        part = pd.DataFrame({"series": name, "time": s.times[rows], "low": low[:, k], "high": high[:, k]})
        if s.conditions:
            part["condition"] = np.array(s.conditions.names, object)[s.condition[rows]]
        parts.append(part)
    return pd.concat(parts, ignore_index=True).drop_duplicates(ignore_index=True)
