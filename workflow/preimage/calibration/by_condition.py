"""How well each condition of a fit is met: experiments that shared parameters do not explain show here."""

from __future__ import annotations

from typing import Any

import numpy as np

from preimage.calibration import likelihoods, losses
from preimage.calibration.fit import Fit


def residuals(fit: Fit, x: np.ndarray) -> list[dict[str, Any]]:
    """Return, by condition and series that the loss takes, how many values count, and the root mean square of their
    residuals on the loss's scale, at parameters (d,): of a likelihood as a multiple of the noise. Nothing of a fit
    without conditions.

    Raises NoSolutionError.
    """
    s, columns = fit.series, list(fit.columns)
    if s.conditions is None:
        return []
    rows, found, p = fit.counted, losses.scaled(fit.loss, fit.modelled(x)), fit.by_row(fit.named(x))
    out = []
    for c, mine in s.by_condition(rows):
        assert c is not None
        for k, column in enumerate(columns):
            mine_there = mine[~np.isnan(s.values[rows[mine], column])]
            both = found[mine_there, column], fit.wanted[mine_there, column]
            if fit.noises:
                noise = np.broadcast_to(fit.noises[k].at(p), len(rows))[mine_there]
                apart = likelihoods.LIKELIHOODS[fit.loss].residuals(*both, noise, np)
            else:
                apart = both[0] - both[1]
            size = float(np.sqrt((apart**2).mean())) if len(apart) else None
            out.append(
                {"condition": s.conditions.names[c], "series": s.names[column], "values": len(apart), "residual": size}
            )
    return out
