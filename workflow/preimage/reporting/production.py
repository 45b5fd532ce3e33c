"""What becomes of an answer in production, where inputs vary, as sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from preimage.core.objective import DRAWS, Objective, Varied
from preimage.reporting import words
from preimage.support import digits


def sentences(found: Mapping[str, Any], wanted: Varied, units: Mapping[str, str]) -> list[str]:
    """Return what to say of the recommended answer: how much of production it stands, and which input costs most."""
    said = [_whole(found, wanted, units)]
    if len(found["alone"]) > 1:
        said.append(_alone(found["alone"], wanted, units))
    said.append(f"Methods were compared at {DRAWS} common draws, each of which counts as an evaluation.")
    return said


def heading(wanted: Objective) -> str:
    """Return the heading of what draws come to; empty where nothing varies."""
    if not isinstance(wanted, Varied):
        return ""
    return "share of production" if wanted.of_shares else "worst tenth"


def _whole(found: Mapping[str, Any], wanted: Varied, units: Mapping[str, str]) -> str:
    value = _value(found["value"], wanted, units)
    truth = found["simulated"]
    again = "" if truth is None else f"; re-simulated at {found['simulated_draws']}: {_value(truth, wanted, units)}"
    how, drawn = f"With variation of {wanted.variation.words(units)}", f"({found['draws']:,} draws{again})"
    if wanted.of_shares:
        also = "keeps the limits and " if wanted.limits else ""
        return f"{how}, {value} of production {also}meets the objective {drawn}."
    side = "above" if wanted.sign > 0 else "below"
    kept = "" if found["kept"] is None else f"; {words.share(found['kept'])} of production keeps the limits"
    return f"{how}, a tenth of production ends {side} {value} {drawn}{kept}."


def _alone(alone: Mapping[str, float], wanted: Varied, units: Mapping[str, str]) -> str:
    """Return which input's variation costs most, each varying alone."""
    # Of what is minimised, the larger the worse.
    worse = -1.0 if not wanted.of_shares and wanted.sign > 0 else 1.0
    order = sorted(alone, key=lambda name: worse * (alone[name] if np.isfinite(alone[name]) else -np.inf))
    values = [f"{words.label(name)} {_value(alone[name], wanted, units)}" for name in order]
    what = "share that meets it" if wanted.of_shares else "worst tenth"
    return f"The variation of {words.label(order[0])} costs most ({what} with one input varying: {', '.join(values)})."


def _value(value: float, wanted: Varied, units: Mapping[str, str]) -> str:
    if not np.isfinite(value):
        return "no number"
    if wanted.of_shares:
        return words.share(value)
    name = wanted.outputs[0]
    if len(wanted.outputs) == 1 and wanted.low[0] == 1:
        return words.of(value, name, units)
    return digits.number(value)
