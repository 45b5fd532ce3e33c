"""Bounds of networks on boxes, and what is proven of them: nothing that a model predicts is beyond them."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from preimage.core import objective
from preimage.core.space import Input, Linear, Space
from preimage.exact import activations, network_model
from preimage.exact.model import Side
from preimage.inversion import asking
from preimage.inversion.question import Question
from preimage.support import jax_setup
from preimage.surrogates.neural_network import ACTIVATIONS, Form, Network, Parameters

from ..conftest import inverter

jax_setup.enable_double()
LABELS = ("a", "b", "c")
ENDS = (Side((1.0, 0.0), -1.0), Side((1.0, 0.0), 1.0), Side((0.5, -2.0), -1.0), Side((0.5, -2.0), 1.0))
SHAPE = (6, 5)
LAYERS = network_model.layers


def model_of(rng, activation, category=True, members=2):
    """Return a random ensemble of two outputs of two numbers, and a category where that is asked for, and its space."""
    levels = (0, 0, 3)[: 2 + category]
    widths = [2 + 3 * category, *SHAPE, 2]
    kernels = [rng.normal(size=(members, a, b)) * 1.5 / np.sqrt(a) for a, b in pairwise(widths)]
    biases = [rng.normal(size=(members, b)) for b in widths[1:]]
    centre, scale = np.array([1.0, -200.0, 0.0])[: len(levels)], np.array([0.5, 100.0, 1.0])[: len(levels)]
    parameters = Parameters(centre, scale, np.array([3.0, -1e3]), np.array([0.1, 50.0]), kernels, biases)
    inputs = (Input("x0", 0.0, 2.0), Input("x1", -400.0, 0.0))
    more = (Input("x2", 0, 2, categories=LABELS),) if category else ()
    return Network(Form(activation, levels), parameters), Space(inputs + more)


def check(seed, activation, boxes=12):
    """Compare points of random boxes of a random ensemble with their bounds and planes; return how many."""
    rng = np.random.default_rng(seed)
    model, space = model_of(rng, activation)
    bounded = network_model.NetworkModel(model.exact_form(), space, ENDS, model.predict)
    half = (space.high - space.low) * 10.0 ** rng.uniform(-5, -0.3, (boxes, 1))
    middle = rng.uniform(space.low, space.high, (boxes, 3))
    start, end = np.clip(middle - half, space.low, space.high), np.clip(middle + half, space.low, space.high)
    start[:, 2] = np.floor(start[:, 2])
    end[:, 2] = np.where(rng.random(boxes) < 0.5, start[:, 2], np.ceil(end[:, 2]))
    start, end = np.vstack([space.low, start]), np.vstack([space.high, end])
    state = bounded.fresh(len(start))
    ends, _ = bounded.bound(start, end, state)
    planes, slopes = bounded.planes(state)
    U = np.vstack([rng.random((40, 3)), rng.integers(0, 2, (24, 3))])
    P = start[:, None] + U * (end - start)[:, None]
    P[:, :, 2] = np.round(P[:, :, 2])
    Y = model.predict(P.reshape(-1, 3)) @ np.array([side.weights for side in ENDS]).T
    Y = Y.reshape(*P.shape[:2], 4)
    sign = bounded.sign
    assert (sign * (ends[:, None] - Y) >= 0).all(), seed
    beyond = planes[:, None] + np.einsum("npd,nkd->npk", P, slopes) - Y
    assert (sign * beyond >= 0).all(), seed
    return Y.size


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_nothing_is_beyond_the_bounds(activation):
    assert sum(check(seed, activation) for seed in range(3)) > 5000


@pytest.mark.long
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_nothing_is_beyond_the_bounds_of_many_ensembles(activation):
    assert sum(check(seed, activation, 80) for seed in range(60)) > 1_000_000


# Of those of models of a user's own: its function, by JAX, and its parameter.
OTHERS = {
    "linear": (lambda x: x, 0.0),
    "hard": (lambda x: jnp.clip(x, 0, 1), 0.0),
    "softsign": (jax.nn.soft_sign, 0.0),
    "mish": (jax.nn.mish, 0.0),
    "gelu_tanh": (jax.nn.gelu, 0.0),
    "hard_silu": (jax.nn.hard_silu, 0.0),
}
SHAPES = {
    **{name: (function, activations.PARAMETERS.get(name, 0.0)) for name, function in ACTIVATIONS.items()},
    **OTHERS,
    **{f"relu {a}": (lambda x, a=a: jnp.where(x > 0, x, a * x), a) for a in (0.1, -0.5, 2.0)},
    **{f"elu {a}": (lambda x, a=a: jnp.where(x > 0, x, a * jnp.expm1(x)), a) for a in (0.3, -0.5, 2.0)},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_lines_enclose_the_activation_that_the_model_computes(shape):
    rng, code, found = np.random.default_rng(0), activations.CODES[shape.split()[0]], np.empty(4)
    function, own = SHAPES[shape]
    for _ in range(300):
        low = rng.normal() * 10.0 ** rng.uniform(-3, 1)
        high = low + 10.0 ** rng.uniform(-6, 1.5)
        anchor = rng.uniform(low, high)
        activations.lines(code, own, low, high, anchor, np.empty((4, activations.NODES)), found)
        x = np.r_[np.linspace(low, high, 400), np.clip([-3.0, 0.0, 1.0, 3.0], low, high)]
        y = np.asarray(function(x), float)
        off = 1e-14 * (1 + np.abs(x))
        assert (found[0] * x + found[1] <= y + off).all() and (y - off <= found[2] * x + found[3]).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_lines_enclose_the_activation_on_the_oddest_intervals(shape):
    code, found = activations.CODES[shape.split()[0]], np.empty(4)
    function, own = SHAPES[shape]
    for low, high in ((-1e-300, 1e-300), (-1e160, 1e160), (-5.0, 1e200), (-1e200, -1e190), (-2.0, -2.0)):
        x = np.linspace(low / 2, high / 2, 404) * 2
        y, off = np.asarray(function(x), float), 1e-14 * (1 + np.abs(x))
        for anchor in (low, high, 0.0):
            activations.lines(code, own, low, high, anchor, np.empty((4, activations.NODES)), found)
            assert (found[0] * x + found[1] <= y + off).all() and (y - off <= found[2] * x + found[3]).all()


@pytest.mark.parametrize("shape", ["relu", "relu 0.1", "relu -0.5", "selu", "elu", "elu 0.3", "elu 2.0"])
def test_no_line_is_nearer_at_its_anchor_where_the_nearest_are_known(shape):
    rng, code, found = np.random.default_rng(1), activations.CODES[shape.split()[0]], np.empty(4)
    function, own = SHAPES[shape]
    for _ in range(100):
        low = -(10.0 ** rng.uniform(-3, 1))
        high = low + 10.0 ** rng.uniform(-3, 1.5)
        anchor = rng.uniform(low, high)
        activations.lines(code, own, low, high, anchor, np.empty((4, activations.NODES)), found)
        # What lies between two points of the function is between it and each line.
        x = np.r_[np.linspace(low, high, 300), anchor, min(high, 0.0)]
        y = np.asarray(function(x), float)
        left, right = np.nonzero((x[:, None] <= anchor) & (x > anchor))
        share = (anchor - x[left]) / (x[right] - x[left])
        between = y[left] + share * (y[right] - y[left])
        near = 1e-3 * (y.max() - y.min()) + 1e-12
        assert found[0] * anchor + found[1] == pytest.approx(between.min(), abs=near)
        assert found[2] * anchor + found[3] == pytest.approx(between.max(), abs=near)


def test_on_a_wide_interval_nothing_is_beyond_the_ends_of_what_flattens():
    for name in ("tanh", "softsign"):
        found = np.empty(4)
        activations.lines(activations.CODES[name], 0.0, -200.0, 300.0, 0.0, np.empty((4, activations.NODES)), found)
        assert found[1] == pytest.approx(-1, abs=0.01) and found[3] == pytest.approx(1, abs=0.01)
        assert found[0] == found[2] == 0


def test_no_activation_is_left_untried():
    assert {name.split()[0] for name in SHAPES} == set(activations.CODES)


@pytest.mark.parametrize("shape", SHAPES)
def test_slopes_rise_and_fall_no_more_than_is_said(shape):
    code, (function, own) = activations.CODES[shape.split()[0]], SHAPES[shape]
    ends = [-40.0, *(k for k in activations.KINKS[code] if np.isfinite(k)), 40.0]
    for low, high in pairwise(ends):
        x = np.linspace(low + 1e-9, high - 1e-9, 20_001)
        slope = np.array([activations.slope(code, own, v) for v in x])
        np.testing.assert_allclose(slope, jax.jit(jax.vmap(jax.grad(function)))(x), atol=1e-12)
        change, times = np.diff(slope) / np.diff(x), max(1.0, abs(own)) if shape.split()[0] == "elu" else 1.0
        assert change.max() <= times * activations.RISE[code] + times * 1e-6
        assert -change.min() <= activations.FALL[code] + 1e-6 + (own < 0) * abs(own)
        most = activations.steepest(np.array([code]), np.array([own]))
        assert np.abs(slope).max() <= most[0] * (1 + 1e-12)


def test_a_planted_fault_is_caught(monkeypatch):
    monkeypatch.setattr(network_model, "layers", lambda form: LAYERS(form)._replace(biases=0.999 * LAYERS(form).biases))
    with pytest.raises(AssertionError):
        check(0, "tanh")


@pytest.mark.parametrize("activation", ["relu", "selu", "gelu"])
@pytest.mark.parametrize("kind", ["minimize", "maximize", "within"])
def test_what_is_proven_is_that_of_a_dense_grid(activation, kind):
    model, space = model_of(np.random.default_rng(5), activation, category=False)
    row = Linear((("x0", 100.0), ("x1", 1.0)), -np.inf, -150.0)
    space = Space(space.inputs, (row,))
    rng = np.random.default_rng(0)
    X = rng.uniform(space.low, space.high, (50, 2))
    grid = np.stack([a.ravel() for a in np.meshgrid(*(np.linspace(i.low, i.high, 151) for i in space.inputs))], axis=1)
    grid = grid[space.contains(grid)]
    Y, values = model.predict(X), model.predict(grid)
    band = [float(values[:, 0].max() + 0.05), float(values[:, 0].max() + 1)]
    entry = {"within": {"y": band}} if kind == "within" else {kind: "y"}
    wanted = objective.build("o", entry, ["y", "z"], Y.std(axis=0), np.ptp(Y, axis=0))
    asked = Question(
        space, wanted, model.predict, X, Y, np.arange(50), gradient=model.gradient, form=model.exact_form()
    )
    options = inverter("certified", {"starts": 4, "gap": 1e-3 * wanted.loss_unit})
    ((answer, _),) = asking.ask(options, [asked], np.random.default_rng(0))
    proof, loss = answer.certificate, wanted.loss(values)
    assert proof["bound"] <= loss.min() and proof["loss"] <= loss.min()
    assert proof["loss"] - proof["bound"] <= 1e-3 * wanted.loss_unit * (1 + 1e-9)
    assert proof["feasible"] == ("no" if kind == "within" else "yes")
