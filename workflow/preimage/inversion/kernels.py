"""The exact searches on trees run once on a tiny forest, so that their kernels are compiled before steps need them.

On a cold cache each step that searches trees would compile the kernels for itself: 20 s of CPU, and as many times as
there are steps at once.
"""

from __future__ import annotations

import numpy as np

from preimage.core import objective
from preimage.core.space import Input, Space
from preimage.inversion import asking
from preimage.inversion.base import Inverter
from preimage.inversion.question import Question
from preimage.trees.preimage import preimage
from preimage.trees.tolerance_box import tolerance_box


def compile_all() -> None:
    """Compile every kernel that searches on forests use, for numbers of the types that they have."""
    from sklearn.ensemble import RandomForestRegressor

    from preimage.trees import standardised

    rng = np.random.default_rng(0)
    X = rng.random((30, 2))
    Y = X[:, :1] - X[:, 1:]
    forest = standardised.fit(RandomForestRegressor(2, random_state=0), X, Y, np.zeros(2, int)).forest
    space = Space((Input("a", 0.0, 1.0), Input("b", 0.0, 1.0)))
    value = float(Y[0, 0])
    for entry in ({"minimize": "y"}, {"target": {"y": value}, "tolerance": 0.1}):
        wanted = objective.build("o", entry, ["y"])
        question = Question(space, wanted, forest.predict, X, Y, np.arange(len(X)), trees=forest)
        for kind in ("certified", "coordinate"):
            asking.ask(Inverter.of({"kind": kind}), [question], rng)
        tolerance_box(forest, space, wanted, X[forest.predict(X)[:, 0].argmin()], 10)
    # The search over boxes, which limits need.
    limited = objective.build("o", {"minimize": "y", "subject_to": {"y": {"at_least": value}}}, ["y"])
    question = Question(space, limited, forest.predict, X, Y, np.arange(len(X)), trees=forest)
    asking.ask(Inverter.of({"kind": "certified", "distance": 1.0}), [question], rng)
    preimage(forest, space, objective.build("o", {"within": {"y": [value - 0.1, value + 0.1]}}, ["y"]), 100)
