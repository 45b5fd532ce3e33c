"""Which model of boxes bounds which form of a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from preimage.core.space import Space
from preimage.exact import linked_model, network_model, plane_model, process_model
from preimage.exact.forms import Form, Network, Planes, Process, Total
from preimage.exact.linked_model import LinkedModel
from preimage.exact.linked_trees import LinkedTrees
from preimage.exact.model import BoxModel, Side
from preimage.exact.network_model import NetworkModel
from preimage.exact.plane_model import PlaneModel
from preimage.exact.process_model import ProcessModel
from preimage.exact.smooth import Predict, SmoothModel
from preimage.exact.total_model import TotalModel


def box_model(form: Form, space: Space, sides: Sequence[Side], predict: Predict) -> BoxModel:
    """Return a model of boxes of a space.

    Args:
        predict: the model's own outputs (n, m) at points (n, d).
    """
    if isinstance(form, Network):
        return NetworkModel(form, space, sides, predict)
    if isinstance(form, Planes):
        return PlaneModel(form, space, sides, predict)
    if isinstance(form, LinkedTrees):
        return LinkedModel(form, space, sides, predict)
    if isinstance(form, Total):
        models = [box_model(part, space, sides, predict) for part in form.parts]
        return TotalModel([m for m in models if isinstance(m, SmoothModel)], reach(form, space), space, sides, predict)
    assert isinstance(form, Process)
    return ProcessModel(form, space, sides, predict)


def reach(form: Form, space: Space) -> np.ndarray:
    """Return how large each output may be in a space, (m,)."""
    if isinstance(form, Network):
        return network_model.sizes(form, space)[0]
    if isinstance(form, Planes):
        return plane_model.sizes(form, space)
    if isinstance(form, LinkedTrees):
        return linked_model.reach(form, space)
    if isinstance(form, Total):
        return np.asarray(np.sum([reach(part, space) for part in form.parts], axis=0))
    assert isinstance(form, Process)
    return process_model.reach(form)
