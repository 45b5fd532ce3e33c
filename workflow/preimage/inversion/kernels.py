"""The exact searches run once on a tiny model, so that their kernels are compiled before steps need them.

On a cold cache each step that searches exactly would compile the kernels for itself: 20 s of CPU, and as many times as
there are steps at once.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from preimage.core import objective
from preimage.core.space import Input, Linear, Space
from preimage.inversion import asking
from preimage.inversion.base import Inverter
from preimage.inversion.question import Question
from preimage.trees.preimage import preimage
from preimage.trees.tolerance_box import tolerance_box


def compile_trees() -> None:
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


def compile_process() -> None:
    """Compile every kernel that searches on Gaussian processes use."""
    from preimage.surrogates.encoding import Encoding
    from preimage.surrogates.gaussian_process import GaussianProcess
    from preimage.surrogates.kernels import Hyperparameters

    Z, one = np.array([[0.1, 0.9], [0.8, 0.3]]), np.ones(1)
    encoding = Encoding(np.zeros(2, np.int64), np.zeros(2), np.ones(2))
    own = (Hyperparameters(1.0, 1e-3, np.ones(2)),)
    model = GaussianProcess("rbf", encoding, one, one, Z, np.array([[1.0, -1.0]]), own)
    _prove(model.predict, model.gradient, model.exact_form(), Z)


def _prove(predict: Any, gradient: Any, form: Any, X: np.ndarray) -> None:
    """Prove a small output, within a row and a limit, of a model with a form."""
    space = Space((Input("a", 0.0, 1.0), Input("b", 0.0, 1.0)), (Linear((("a", 1.0), ("b", 1.0)), 0.5, 1.5),))
    Y = predict(X)
    limit = {"y": {"at_least": float(Y.min())}}
    wanted = objective.build("o", {"minimize": "y", "subject_to": limit}, ["y"])
    rows = np.arange(len(X))
    question = Question(space, wanted, predict, X, Y, rows, gradient=gradient, form=form)
    asking.ask(Inverter.of({"kind": "certified", "starts": 1}), [question], np.random.default_rng(0))


def compile_network() -> None:
    """Compile every kernel that searches on neural networks use."""
    from preimage.surrogates.neural_network import Form, Network, Parameters

    X, zero, one = np.array([[0.1, 0.9], [0.8, 0.3]]), np.zeros(2), np.ones(2)
    kernels, biases = [np.ones((1, 2, 2)), np.ones((1, 2, 1))], [np.zeros((1, 2)), np.zeros((1, 1))]
    model = Network(Form("selu", (0, 0)), Parameters(zero, one, zero[:1], one[:1], kernels, biases))
    _prove(model.predict, model.gradient, model.exact_form(), X)


def compile_planes() -> None:
    """Compile every kernel that searches on linear models use."""
    from preimage.data.rows import Rows
    from preimage.surrogates import linear

    X = np.array([[0.1, 0.9], [0.8, 0.3], [0.4, 0.6]])
    model = linear.fit(Rows.plain(X, X[:, :1]), 0.0)
    _prove(model.predict, model.gradient, model.exact_form(), X)


def compile_linked() -> None:
    """Compile every kernel that searches on trees with links use."""
    from preimage.exact.linked_trees import LinkedTrees
    from preimage.trees.forest import Nodes, assemble

    leaf, nothing = np.array([1, -1, -1]), np.array([2, -1, -1])
    value = np.array([[0.0], [0.1], [0.9]])
    tree = Nodes(leaf, nothing, np.array([0, 0, 0]), np.array([0.5, 0.0, 0.0]), value)
    form = LinkedTrees.of(assemble([tree], np.zeros(1)), ("exp",), 2)
    X = np.array([[0.1, 0.9], [0.8, 0.3]])
    _prove(form.predict, None, form, X)


COMPILED = {
    "trees": compile_trees,
    "linked": compile_linked,
    "process": compile_process,
    "network": compile_network,
    "planes": compile_planes,
}

if __name__ == "__main__":
    for form in sys.argv[1:] or COMPILED:
        COMPILED[form]()
