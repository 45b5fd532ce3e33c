"""A study checked against its data, and its models tried, before any job."""

from __future__ import annotations

from functools import partial

import numpy as np

from preimage.data.setting import Setting
from preimage.study import Study, data_checks, inference, infers, searched_exactly, user_models
from preimage.surrogates.brought import trial
from preimage.surrogates.brought.categories import Column


def check(study: Study) -> list[str]:
    """Return warnings about a study and its data. Raises StudyError for what can't work."""
    return inference.check(study) if infers(study) else data_checks.check(study, partial(_check_models, study))


def _check_models(study: Study, found: Setting) -> None:
    """Load each model of the user's own and match it with the table. Raises StudyError."""
    models = {name: spec for name, spec in study["surrogates"].items() if spec["kind"] == user_models.KIND}
    if models:
        columns = [Column(i.name, i.categories) for i in found.space.inputs]
        trial.check(models, columns, found.outputs, _points(found), searched_exactly(study))


def _points(found: Setting) -> np.ndarray:
    """Return points (n, d) at which to try a model: the ends of each input's range, and what is no whole number between
    them unless the input is one."""
    low, high = found.space.low, found.space.high
    inner = low + (np.sqrt(5) - 1) / 2 * (high - low)
    return np.stack([low, high, found.space.rounded(inner)])
