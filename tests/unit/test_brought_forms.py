"""Networks, processes and linear models of a user's own as exact searches bound them, against their own predictions."""

from functools import cache

import numpy as np
import pytest
import skops.io
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.gaussian_process import GaussianProcessRegressor, kernels
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, PolynomialFeatures, StandardScaler

import preimage
from preimage.core.space import Input, Space
from preimage.exact import bounding
from preimage.exact.model import Side
from preimage.study import user_models
from preimage.surrogates.model import Opened

from ..conftest import refusal
from ..own_models import keras

# Networks of a few iterations will do.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
# Far from 0, as temperatures in kelvin are, and of different sizes.
LOW, HIGH = np.array([300.0, -0.02, 0.0]), np.array([340.0, 0.03, 5e4])
NAMES, OUTPUTS = ["a", "b", "c"], ["y", "z"]
SPACE = Space(tuple(Input(n, low, high) for n, low, high in zip(NAMES, LOW, HIGH, strict=True)))
ENDS = [Side(weights, sign) for weights in ((1.0, 0.0), (0.0, 1.0), (1.0, -2.0)) for sign in (-1.0, 1.0)]
RNG = np.random.default_rng(0)
X = RNG.uniform(LOW, HIGH, (60, 3))
U = (X - LOW) / (HIGH - LOW)
Y = np.column_stack([np.sin(4 * U[:, 0]) * U[:, 1] + U[:, 2], 50 + U[:, 0] ** 2 - U[:, 1]])
LABELS = ("soft", "hard")


def _normalised(*layers):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Normalization(), *layers, keras.layers.Dense(2)])
    model.layers[0].adapt(X)
    return model


def _batches():
    own = keras.layers.BatchNormalization()
    model = _normalised(keras.layers.Dense(6, "relu"), keras.layers.Dropout(0.2), own, keras.layers.Dense(5, "tanh"))
    own.set_weights([np.full(6, 1.5), np.full(6, -0.2), np.linspace(-1, 1, 6), np.linspace(0.1, 2, 6)])
    return model


def _graph():
    """One tensor a column, two heads of one hidden layer, and an activation behind one of them."""
    keras.utils.set_random_seed(4)
    ends = [keras.Input((1,), name=n) for n in NAMES]
    scaled = keras.layers.Concatenate()(
        [
            keras.layers.Rescaling(1 / (h - lo), -lo / (h - lo))(e)
            for e, lo, h in zip(ends, LOW.tolist(), HIGH.tolist(), strict=True)
        ]
    )
    hidden = keras.layers.Activation("silu")(keras.layers.Dense(7)(scaled))
    first, second = keras.layers.Dense(1)(hidden), keras.layers.Dense(1, name="z")(hidden)
    both = keras.layers.Add(name="y")([first, second])
    return keras.Model(ends, [both, second])


def _residual():
    """Branches with activations of their own, around which others lead."""
    keras.utils.set_random_seed(5)
    start = keras.Input((3,))
    scaled = keras.layers.Normalization()
    scaled.adapt(X)
    first = keras.layers.Dense(6, "leaky_relu")(scaled(start))
    second = keras.layers.PReLU(alpha_initializer=keras.initializers.RandomUniform(-0.3, 0.3))(
        keras.layers.Dense(6)(keras.layers.Dense(4, "mish")(first))
    )
    both = keras.layers.Concatenate()([keras.layers.Add()([first, second]), scaled(start), second])
    return keras.Model(start, keras.layers.Dense(2)(both))


BENT = (
    *("leaky_relu", "relu6", "hard_sigmoid", "hard_silu", "hard_tanh", "softsign", "mish", "log_sigmoid", "celu"),
    keras.layers.LeakyReLU(0.3), keras.layers.ReLU(4.0, 0.1), keras.layers.ELU(0.5),
)  # fmt: skip


def _bent():
    """Three neurons behind each of the activations that only models of a user's own have."""
    keras.utils.set_random_seed(6)
    start, scaled = keras.Input((3,)), keras.layers.Normalization()
    scaled.adapt(X)
    own = [a if not isinstance(a, str) else keras.layers.Activation(a) for a in BENT]
    hidden = [a(keras.layers.Rescaling(3.0)(keras.layers.Dense(3)(scaled(start)))) for a in own]
    return keras.Model(start, keras.layers.Dense(2)(keras.layers.Concatenate()(hidden)))


KERAS = {
    "residual": _residual,
    "bent": _bent,
    "mixed": lambda: _normalised(*(keras.layers.Dense(n, act) for n, act in ((8, "gelu"), (4, None), (6, "softplus")))),
    "sigmoid": lambda: _normalised(keras.layers.Dense(8, "sigmoid"), keras.layers.ELU()),
    "batches": _batches,
    "graph": _graph,
}  # fmt: skip
NOISY = kernels.ConstantKernel(2.0) * kernels.RBF([0.4, 0.7, 0.9]) + kernels.WhiteKernel(1e-3)


def _mlp(*layers, **options):
    return MLPRegressor(hidden_layer_sizes=layers, max_iter=60, **options)


SKLEARN = {
    "mlp": lambda: make_pipeline(StandardScaler(), _mlp(8, 6, activation="tanh")),
    "logistic": lambda: make_pipeline(MinMaxScaler(), _mlp(7, activation="logistic")),
    "rbf": lambda: make_pipeline(
        MinMaxScaler(), GaussianProcessRegressor(NOISY, normalize_y=True, optimizer=None, alpha=1e-8)
    ),
    "matern": lambda: make_pipeline(
        StandardScaler(),
        GaussianProcessRegressor(kernels.Matern(1.5, nu=2.5) + kernels.ConstantKernel(0.5), optimizer=None, alpha=1e-4),
    ),
    "ridge": lambda: TransformedTargetRegressor(make_pipeline(StandardScaler(), Ridge()), transformer=StandardScaler()),
    "targets": lambda: TransformedTargetRegressor(
        make_pipeline(StandardScaler(), _mlp(6)),
        transformer=StandardScaler(),
    ),
}


@cache
def fitted(name):
    return KERAS[name]() if name in KERAS else SKLEARN[name]().fit(X, Y)


def written(name, folder):
    """Return the file of a model."""
    path = folder / f"{name}.{'keras' if name in KERAS else 'skops'}"
    if name in KERAS:
        fitted(name).save(path)
    else:
        skops.io.dump(fitted(name), path)
    return str(path)


def opened(path, inputs=NAMES, outputs=OUTPUTS):
    """Return a model of a file as a study takes it, with its columns in another order than the file's where stated."""
    spec = user_models.completed({"kind": "model", "path": path})
    return Opened({**spec, "inputs": NAMES, "outputs": OUTPUTS}).of(
        inputs, outputs, X[:5, [NAMES.index(n) for n in inputs]]
    )


@pytest.mark.parametrize("name", [*KERAS, *SKLEARN])
def test_nothing_that_a_model_predicts_is_beyond_its_bounds(name, tmp_path):
    model = opened(written(name, tmp_path))
    rng = np.random.default_rng(1)
    bounded = bounding.box_model(model.exact_form(), SPACE, ENDS, model.predict)
    half = (HIGH - LOW) * 10.0 ** rng.uniform(-9, -0.3, (25, 1))
    middle = rng.uniform(LOW, HIGH, (25, 3))
    start = np.vstack([LOW, np.clip(middle - half, LOW, HIGH), middle])
    end = np.vstack([HIGH, np.clip(middle + half, LOW, HIGH), middle])
    state = bounded.fresh(len(start))
    ends, _ = bounded.bound(start, end, state)
    P = start[:, None] + np.vstack([rng.random((40, 3)), rng.integers(0, 2, (8, 3))]) * (end - start)[:, None]
    P = np.clip(P, start[:, None], end[:, None])
    values = model.predict(P.reshape(-1, 3)) @ np.array([side.weights for side in ENDS]).T
    beyond = bounded.sign * (ends[:, None] - values.reshape(*P.shape[:2], -1))
    assert (beyond >= 0).all()
    # At a point they are what is predicted, but for rounding.
    assert beyond[-25:].max() <= 1e-8 * np.abs(values).max()
    assert (bounding.reach(model.exact_form(), SPACE) >= np.abs(model.predict(P.reshape(-1, 3))).max(axis=0)).all()


@pytest.mark.parametrize("name", ["mixed", "graph", "mlp", "matern", "ridge"])
def test_the_optimum_of_a_file_is_proven(name, tmp_path):
    path = written(name, tmp_path)
    space = {"a": (LOW[0], HIGH[0]), "b": {"fixed": 0.01}, "c": (LOW[2], HIGH[2])}
    names = {"inputs": NAMES, "outputs": OUTPUTS}
    proof = preimage.certify(path, space, {"minimize": "y"}, **names)
    a, c = np.meshgrid(np.linspace(LOW[0], HIGH[0], 161), np.linspace(LOW[2], HIGH[2], 161))
    y = opened(path).predict(np.column_stack([a.ravel(), np.full(a.size, 0.01), c.ravel()]))[:, 0]
    assert proof.status == "proven"
    assert proof.bound <= y.min() and y.min() - 0.01 * np.ptp(y) <= proof.value <= y.min() + 1e-9 * np.ptp(y)


def test_inputs_and_outputs_may_stand_in_another_order(tmp_path):
    path = written("mlp", tmp_path)
    model, plain = opened(path, ["c", "a", "b"], ["z", "y"]), opened(path)
    turned = Space(tuple(SPACE.inputs[NAMES.index(n)] for n in ("c", "a", "b")))
    own = bounding.box_model(model.exact_form(), turned, [Side((0.0, 1.0), 1.0)], model.predict)
    first = bounding.box_model(plain.exact_form(), SPACE, [Side((1.0, 0.0), 1.0)], plain.predict)
    ends = [m.bound(s.low[None], s.high[None], m.fresh(1))[0] for m, s in ((own, turned), (first, SPACE))]
    assert ends[0] == pytest.approx(ends[1], rel=1e-12)


def test_a_category_behind_an_encoder_is_bounded_value_by_value(tmp_path):
    kind = RNG.integers(0, 2, len(X))
    table = np.column_stack([X[:, :2].astype(object), np.array(LABELS, object)[kind]])
    front = ColumnTransformer([("n", StandardScaler(), [0, 1]), ("c", OneHotEncoder(), [2])])
    model = make_pipeline(front, Ridge(0.1)).fit(table, Y[:, 0] + kind)
    skops.io.dump(model, tmp_path / "m.skops")
    space = {"a": (LOW[0], HIGH[0]), "b": (LOW[1], HIGH[1]), "c": {"categories": list(LABELS)}}
    proof = preimage.certify(tmp_path / "m.skops", space, {"maximize": "y"})
    corners = [[a, b, c] for a in (LOW[0], HIGH[0]) for b in (LOW[1], HIGH[1]) for c in LABELS]
    best = model.predict(np.array(corners, object)).max()
    assert proof.status == "proven" and proof.value == pytest.approx(best, rel=1e-12) and proof.bound >= best


@pytest.mark.parametrize(
    "layer, said",
    [
        (lambda: keras.layers.UnitNormalization(), "(UnitNormalization) has no proven bounds; supported: Dense"),
        (lambda: keras.layers.Dense(4, "softmax"), "activation 'softmax' has no proven bounds; supported: relu"),
        (lambda: keras.layers.ReLU(threshold=0.5), "(ReLU) has the threshold 0.5, expected none"),
    ],
)
def test_a_layer_without_bounds_is_refused_by_name(layer, said, tmp_path):
    _normalised(keras.layers.Dense(4), layer()).save(tmp_path / "m.keras")
    space = {n: (low, high) for n, low, high in zip(NAMES, LOW, HIGH, strict=True)}
    words = refusal(preimage.certify, tmp_path / "m.keras", space, {"minimize": "y"}, outputs=OUTPUTS)
    assert said in words


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: GaussianProcessRegressor(kernels.DotProduct(), alpha=0.1, optimizer=None), "kernel DotProduct"),
        (lambda: GaussianProcessRegressor(kernels.RBF() * kernels.RBF(2.0), optimizer=None), "kernel RBF"),
        (lambda: GaussianProcessRegressor(kernels.Matern(nu=0.7), optimizer=None), "kernel Matern"),
        (lambda: KNeighborsRegressor(), "KNeighborsRegressor has no proven bounds; expected"),
        (lambda: make_pipeline(PolynomialFeatures(), Ridge()), "PolynomialFeatures before the model has no proven"),
    ],
)
def test_a_model_without_bounds_is_refused_by_name(make, said, tmp_path):
    skops.io.dump(make().fit(U, Y), tmp_path / "m.skops")
    space = dict.fromkeys(NAMES, (0, 1))
    assert said in refusal(preimage.certify, tmp_path / "m.skops", space, {"minimize": "y"}, outputs=OUTPUTS)


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    model = Ridge().fit(U, Y[:, 0])
    model.coef_[1] = np.nan
    skops.io.dump(model, tmp_path / "m.skops")
    words = refusal(preimage.certify, tmp_path / "m.skops", dict.fromkeys(NAMES, (0, 1)), {"minimize": "y"})
    assert "nan" in words


def test_a_study_knows_what_a_file_is_to_exact_searches(tmp_path):
    def known(path):
        entry = user_models.completed({"kind": "model", "path": path})
        return {key: entry[key] for key in ("made_of_trees", "form", "unbounded") if key in entry}

    found = {name: known(written(name, tmp_path)) for name in ("mixed", "graph", "mlp", "rbf", "ridge")}
    networks, rest = {"form": "network"}, {"rbf": {"form": "process"}, "ridge": {"form": "planes"}}
    assert found == {"mixed": networks, "graph": networks, "mlp": networks, **rest}
    _normalised(keras.layers.UnitNormalization(name="mine")).save(tmp_path / "own.keras")
    assert known(str(tmp_path / "own.keras"))["unbounded"].startswith("layer 'mine' (UnitNormalization)")
