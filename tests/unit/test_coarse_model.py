"""Inverting a model that computes in single precision: differences are taken above its rounding."""

import numpy as np
import pytest

from preimage.core import objective
from preimage.core.space import Input, Space
from preimage.inversion import asking
from preimage.inversion.gradients import Line
from preimage.inversion.question import Question

from ..conftest import inverter
from ..own_models import INPUTS, OUTPUTS, W1, W2, X, by_hand


def coarse_question(resolution):
    """A smooth function in the arithmetic of float32."""
    space = Space(tuple(Input(n, -1.0, 1.0) for n in INPUTS))
    wanted = objective.build("o", {"target": {"strength": 0.3, "slump": -0.4}}, OUTPUTS)

    def predict(points):
        return (np.tanh(points.astype(np.float32) @ W1.astype(np.float32)) @ W2.astype(np.float32)).astype(float)

    return Question(space, wanted, predict, X, by_hand(X), np.arange(40), resolution=resolution)


@pytest.mark.parametrize(("gradient", "error"), [("2-point", 2e-2), ("3-point", 2e-3)])
def test_finite_differences_of_a_float32_model_are_taken_above_its_rounding(gradient, error):
    question = coarse_question(float(np.finfo(np.float32).eps))
    exact = coarse_question(float(np.finfo(float).eps))
    exact.predict = by_hand
    for x in (X[0], np.array([-1.0, 1.0, 0.0])):
        line, reference = Line(question, x), Line(exact, x)
        function, has_slope = line.for_scipy(gradient)
        value, slope = function(line.start)
        h = 1e-6
        inner = np.clip(reference.start, h, 1 - h)
        central = [(reference.loss(inner + d) - reference.loss(inner - d)) / (2 * h) for d in h * np.eye(3)]
        # A product of matrices may round a row alone otherwise than among others.
        assert has_slope is True and value == pytest.approx(line.loss(line.start), rel=1e-6)
        np.testing.assert_allclose(slope, central, rtol=error, atol=error)
        assert line.evaluations == 1 + (len(slope) + 1 if gradient == "2-point" else 2 * len(slope) + 1)


def test_multistart_on_a_float32_model_goes_down_to_its_rounding_where_scipys_steps_see_noise():
    def median_loss(gradient, dtype):
        question = coarse_question(float(np.finfo(dtype).eps))
        options = {"starts": 10, "gradient": gradient}
        ((_, outputs),) = asking.ask(inverter("multistart", options), [question], np.random.default_rng(0))
        return np.median(((outputs - [0.3, -0.4]) ** 2).mean(axis=1))

    assert median_loss("3-point", np.float32) < 1e-12
    assert median_loss("2-point", np.float32) < 1e-10
    assert median_loss("2-point", np.float64) > 1e-6
