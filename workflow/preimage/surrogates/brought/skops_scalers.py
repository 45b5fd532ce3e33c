"""Scalers of scikit-learn as factors and shifts, and what undoes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from preimage.support.errors import StudyError
from preimage.surrogates.brought.supported import TARGETS


def inverse(transformer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return factor and shift of what a scaler of targets undoes. Raises StudyError for one that is not affine."""
    name = type(transformer).__name__
    if name == "FunctionTransformer" and transformer.inverse_func is None:
        return np.ones(1), np.zeros(1)
    if name not in TARGETS:
        raise StudyError(f"a target transformed by {name} has no proven bounds; expected {', '.join(TARGETS)}")
    factor, shift = scaling(transformer)
    return 1.0 / factor, -shift / factor


def scaling(scaler: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return factor and shift by column of a fitted scaler."""
    name, n = type(scaler).__name__, scaler.n_features_in_
    if name == "MinMaxScaler":
        if scaler.clip:
            raise StudyError("MinMaxScaler that clips has no proven bounds")
        return np.asarray(scaler.scale_, float), np.asarray(scaler.min_, float)
    scale = getattr(scaler, "scale_", None)
    factor = np.ones(n) if scale is None else 1.0 / np.asarray(scale, float)
    centre = getattr(scaler, "mean_" if name == "StandardScaler" else "center_", None)
    with_centre = getattr(scaler, "with_mean" if name == "StandardScaler" else "with_centering", False)
    return factor, -np.asarray(centre, float) * factor if with_centre and centre is not None else np.zeros(n)
