"""Which model of boxes bounds which form of a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from preimage.core.space import Space
from preimage.exact import process_model
from preimage.exact.forms import Form, Process
from preimage.exact.model import Side
from preimage.exact.process_model import ProcessModel
from preimage.exact.smooth import SmoothModel

Predict = Callable[[np.ndarray], np.ndarray]


def box_model(form: Form, space: Space, sides: Sequence[Side], predict: Predict) -> SmoothModel:
    """Return a model of boxes of a space.

    Args:
        predict: the model's own outputs (n, m) at points (n, d).
    """
    assert isinstance(form, Process)
    return ProcessModel(form, space, sides, predict)


def reach(form: Form) -> np.ndarray:
    """Return how large each output may be anywhere, (m,)."""
    assert isinstance(form, Process)
    return process_model.reach(form)
