"""Proven optima are those that dtai-veritas proves, where it finishes (it is in the extra `peers`; skipped without)."""

import contextlib
import io

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from preimage.core.space import Input, Space

from .test_forest_certificates import ask

veritas = pytest.importorskip("veritas", reason="dtai-veritas is not installed (extra `peers`)")
TREES = 10
SECONDS = 20


def proven_by_the_peer(model, low, high, least):
    """Return the optimum; None where the peer does not finish."""
    with contextlib.redirect_stdout(io.StringIO()):
        trees = veritas.get_addtree(model)
    # Its intervals are half-open on the right.
    box = [
        veritas.Interval(float(np.float32(a)), float(np.nextafter(np.float32(b), np.float32(np.inf))))
        for a, b in zip(low, high, strict=True)
    ]
    config = veritas.Config(veritas.HeuristicType.MIN_OUTPUT if least else veritas.HeuristicType.MAX_OUTPUT)
    config.stop_when_optimal = True
    search = config.get_search(trees, box)
    search.step_for(SECONDS, 100)
    # Its sums are over trees: the forest's output is their mean.
    return search.get_solution(0).output / TREES if search.is_optimal() else None


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("sense", ["minimize", "maximize"])
def test_optima_agree(seed, sense):
    rng = np.random.default_rng(seed)
    d = 1 + seed % 4
    X = rng.uniform(-10, 10, (300, d))
    Y = (X**2).sum(axis=1, keepdims=True) + rng.normal(size=(300, 1))
    model = RandomForestRegressor(TREES, random_state=seed, n_jobs=1).fit(X, Y[:, 0])
    space = Space(tuple(Input(f"x{j}", -8, 7.5) for j in range(d)))
    _, answer, predicted = ask("certified", model, space, {sense: "y0"}, X, Y)
    theirs = proven_by_the_peer(model, space.low, space.high, sense == "minimize")
    if theirs is None:
        pytest.skip("the peer did not finish")
    assert answer.certificate["closed"]
    # Leaves are float32 over there.
    assert predicted[0, 0] == pytest.approx(theirs, rel=1e-5, abs=1e-5)
