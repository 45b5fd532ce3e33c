"""Gaussian processes of rough and summed kernels, and means of several models, as exact searches bound them: against
what scikit-learn predicts."""

import numpy as np
import pytest
import skops.io
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import BaggingRegressor, RandomForestRegressor, VotingRegressor
from sklearn.gaussian_process import GaussianProcessRegressor, kernels
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.svm import SVR, NuSVR

import preimage
from preimage.core.space import Input, Space
from preimage.exact import bounding, covariances, process_model
from preimage.exact.forms import Network, Planes, Process, Total
from preimage.study import user_models
from preimage.surrogates.brought import skops_forms
from preimage.surrogates.brought.categories import Column

from .. import soundness
from ..conftest import refusal

# Networks of a few iterations will do.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RBF, MATERN, WHITE, CONSTANT = kernels.RBF, kernels.Matern, kernels.WhiteKernel, kernels.ConstantKernel
KERNELS = {
    "matern12": lambda r: CONSTANT(r) * MATERN(r, nu=0.5),
    "matern32": lambda r: CONSTANT(r) * MATERN(r, nu=1.5) + WHITE(1e-3),
    "rational": lambda r: kernels.RationalQuadratic(r, alpha=r**2),
    "endless": lambda r: MATERN(r, nu=np.inf),
    "sum": lambda r: CONSTANT(0.5) * (RBF(r) + WHITE(0.01)) + CONSTANT(r) * MATERN(2 * r, nu=0.5) + CONSTANT(30.0),
    "three": lambda r: RBF(3 * r) + CONSTANT(0.3) * MATERN(r, nu=2.5) + CONSTANT(0.2) * MATERN(r, nu=1.5) + WHITE(1e-4),
}  # fmt: skip


def space_of(rng, d):
    low = rng.normal(size=d) * 10.0 ** rng.integers(-2, 3)
    high = low + 10.0 ** rng.uniform(-2, 3, d)
    return Space(tuple(Input(f"x{j}", float(a), float(b)) for j, (a, b) in enumerate(zip(low, high, strict=True))))


def data_of(rng, space, n):
    X = rng.uniform(space.low, space.high, (n, len(space.low)))
    U = (X - space.low) / (space.high - space.low)
    return X, np.column_stack([np.sin(5 * U[:, 0]) + U.sum(axis=1) ** 2, 50 + 3 * np.cos(4 * U).prod(axis=1)])


def form_of(model, d):
    return skops_forms.form(model, [Column(f"x{j}") for j in range(d)], lambda X: X)


def predicted(model):
    return lambda X: model.predict(X).reshape(len(X), -1)


def process(kernel, **options):
    options = {"alpha": 1e-8, "normalize_y": True, **options}
    return make_pipeline(MinMaxScaler(), GaussianProcessRegressor(kernel, optimizer=None, **options))


def check_process(name, seed, **more):
    rng = np.random.default_rng(seed)
    d, n = int(rng.integers(1, 4)), int(rng.integers(2, 40))
    space = space_of(rng, d)
    X, Y = data_of(rng, space, n)
    model = process(KERNELS[name](10.0 ** rng.uniform(-1, 0.5)), alpha=10.0 ** rng.uniform(-10, -2)).fit(X, Y)
    return soundness.check(form_of(model, d), predicted(model), space, rng, data=X, **more)


@pytest.mark.parametrize("name", KERNELS)
def test_nothing_that_a_process_predicts_is_beyond_its_bounds(name):
    assert sum(check_process(name, seed, boxes=15) for seed in range(2)) > 2000


@pytest.mark.long
@pytest.mark.parametrize("name", KERNELS)
def test_nothing_is_beyond_the_bounds_of_many_processes(name):
    assert sum(check_process(name, seed, boxes=40, each=60, rounds=6) for seed in range(40)) > 400_000


@pytest.mark.parametrize("name", covariances.CODES)
def test_expansions_of_covariances_miss_no_more_than_is_said(name):
    """Against the kernel's own matrix: the norm of a sum of three kernel functions, two of them next to each other."""
    for a in (0.3, 2.0, 40.0)[: 3 if name == "rational" else 1]:
        code, first = covariances.CODES[name], name != "matern12"
        for r in 10.0 ** np.linspace(-2, 0.6, 20):
            h = 1e-3 if first else 0.0  # the slope as a difference, which adds what a second order is
            points = np.array([r, 0.0, h, -h]) if first else np.array([r, 0.0])
            weights = np.array([1, -1, -r / (2 * h), r / (2 * h)]) if first else np.array([1.0, -1])
            K = covariances.of_rows(name, a, np.subtract.outer(points, points) ** 2)
            norm = np.sqrt(max(weights @ K @ weights, 0))
            assert norm <= covariances.missed(code, a, r * r) * 1.01 + 3e-3 * r
        q = np.linspace(1e-3, 9, 200)
        value = np.array([covariances.shape(code, a, v) for v in q])
        np.testing.assert_allclose(value, covariances.of_rows(name, a, q), rtol=1e-12)
        np.testing.assert_allclose(
            [covariances.fall(code, a, v) for v in q],
            [(covariances.shape(code, a, v - 1e-6) - covariances.shape(code, a, v + 1e-6)) / 2e-6 for v in q],
            rtol=1e-5,
        )


def test_a_planted_fault_is_caught(monkeypatch):
    own = process_model.processes
    monkeypatch.setattr(
        process_model, "processes", lambda form, used: own(form, used)._replace(rows=1.001 * own(form, used).rows)
    )
    caught = 0
    for name in KERNELS:
        try:
            check_process(name, 0, boxes=15)
        except AssertionError:
            caught += 1
    assert caught > 3


def _far_away():
    """Compare processes far from 0, where scalers round points by much of their distances."""
    space = Space((Input("a", 1e7, 1e7 + 3), Input("b", -1e6, -1e6 + 0.1)))
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X, Y = data_of(rng, space, 12)
        for name in ("endless", "matern12", "matern32"):
            model = process(KERNELS[name](0.3)).fit(X, Y)
            soundness.check(form_of(model, 2), predicted(model), space, rng, data=X, boxes=10, tight=False)


def test_what_scalers_round_far_from_0_is_in_the_bounds(monkeypatch):
    _far_away()
    monkeypatch.setattr(process_model, "_away", lambda form: np.zeros(form.rows.shape[2]))
    with pytest.raises(AssertionError):
        _far_away()


def mlp(seed, *layers, **options):
    net = MLPRegressor(hidden_layer_sizes=layers or (6,), max_iter=40, random_state=seed, **options)
    return make_pipeline(StandardScaler(), net)


MEANS = {
    "vectors": lambda: make_pipeline(StandardScaler(), SVR(C=50.0, epsilon=0.05)),
    "bagged vectors": lambda: BaggingRegressor(make_pipeline(MinMaxScaler(), NuSVR(gamma=2.0)), 3, random_state=1),
    "networks": lambda: VotingRegressor(
        [("a", mlp(0, 8, 5, activation="tanh")), ("b", mlp(1)), ("c", Ridge())], weights=[2, 0.5, 1]
    ),
    "planes": lambda: VotingRegressor([("a", make_pipeline(StandardScaler(), Ridge())), ("b", LinearRegression())]),
    "processes": lambda: VotingRegressor(
        [("a", process(MATERN(0.5, nu=1.5))), ("b", make_pipeline(StandardScaler(), process(RBF(0.7) + WHITE(0.1))))]
    ),
    "mixed": lambda: VotingRegressor([("a", mlp(0)), ("b", process(RBF(0.7))), ("c", Ridge())], weights=[1, 2, 1]),
    "bagged": lambda: make_pipeline(StandardScaler(), BaggingRegressor(mlp(0, 7), 4, max_features=2, random_state=1)),
    "bagged processes": lambda: BaggingRegressor(process(MATERN(0.5, nu=0.5)), 3, max_features=2, random_state=1),
    "targets": lambda: TransformedTargetRegressor(
        VotingRegressor([("a", mlp(0)), ("b", TransformedTargetRegressor(Ridge(), transformer=MinMaxScaler()))]),
        transformer=StandardScaler(),
    ),
}
FORMS = {
    **dict.fromkeys(("vectors", "bagged vectors", "processes", "bagged processes"), Process),
    **{"planes": Planes, "mixed": Total},
}


@pytest.mark.parametrize("name", MEANS)
def test_nothing_that_a_mean_predicts_is_beyond_its_bounds(name):
    rng = np.random.default_rng(3)
    space = space_of(rng, 3)
    X, Y = data_of(rng, space, 40)
    model = MEANS[name]().fit(X, Y[:, 0])
    form = form_of(model, 3)
    assert isinstance(form, FORMS.get(name, Network))
    assert soundness.check(form, predicted(model), space, rng, data=X, boxes=15) > 1000
    turned = form.of_inputs([2, 0, 1])
    other = Space(tuple(space.inputs[k] for k in (1, 2, 0)))
    assert soundness.check(turned, lambda P: predicted(model)(P[:, [2, 0, 1]]), other, rng, boxes=5) > 500


@pytest.mark.long
@pytest.mark.parametrize("name", MEANS)
def test_nothing_is_beyond_the_bounds_of_many_means(name):
    compared = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        space = space_of(rng, 3)
        X, Y = data_of(rng, space, 40)
        model = MEANS[name]().fit(X, Y[:, 0])
        compared += soundness.check(
            form_of(model, 3), predicted(model), space, rng, data=X, boxes=40, each=60, rounds=6
        )
    assert compared > 100_000


@pytest.mark.parametrize("name", ["matern12", "matern32", "sum", "mixed", "vectors"])
def test_the_optimum_of_a_file_is_proven(name, tmp_path):
    rng = np.random.default_rng(5)
    space = Space((Input("a", 0.0, 1.0), Input("b", 0.0, 1.0)))
    X, Y = data_of(rng, space, 30)
    model = (process(KERNELS[name](0.5), alpha=1e-4) if name in KERNELS else MEANS[name]()).fit(X, Y[:, 0])
    skops.io.dump(model, tmp_path / "m.skops")
    span = float(np.ptp(Y[:, 0]))
    proof = preimage.certify(
        tmp_path / "m.skops", {"a": (0, 1), "b": (0, 1)}, {"minimize": "y"}, gap=2e-3 * span, outputs=["y"]
    )
    a, b = np.meshgrid(np.linspace(0, 1, 201), np.linspace(0, 1, 201))
    y = model.predict(np.vstack([np.column_stack([a.ravel(), b.ravel()]), X]))
    assert proof.status == "proven"
    assert (
        proof.bound <= y.min() and proof.value <= y.min() + 1e-4 * span and proof.value - proof.bound <= 2.1e-3 * span
    )


def test_a_mean_behind_an_encoder_is_bounded_value_by_value():
    rng = np.random.default_rng(2)
    kind = rng.integers(0, 2, 40)
    table = np.column_stack([rng.random((40, 2)).astype(object), np.array(["soft", "hard"], object)[kind]])
    front = ColumnTransformer([("n", StandardScaler(), [0, 1]), ("c", OneHotEncoder(), [2])])
    parts = [("a", process(RBF(1.0) + MATERN(2.0, nu=0.5))), ("b", Ridge(0.1))]
    model = make_pipeline(front, VotingRegressor(parts)).fit(table, table[:, 0].astype(float) + kind)
    space = Space((Input("a", 0.0, 1.0), Input("b", 0.0, 1.0), Input("c", 0, 1, categories=("hard", "soft"))))
    columns = [Column("a"), Column("b"), Column("c", ("hard", "soft"))]

    def table_of(P):
        return np.column_stack([P[:, :2].astype(object), np.array(["hard", "soft"], object)[P[:, 2].astype(int)]])

    form = skops_forms.form(model, columns, table_of)
    ends = soundness.ends_of(1)
    bounded = bounding.box_model(form, space, ends, lambda P: model.predict(table_of(P))[:, None])
    start = np.column_stack([rng.random((30, 2)), rng.integers(0, 2, 30)])
    end = np.column_stack([np.minimum(start[:, :2] + rng.random((30, 1)), 1), np.maximum(start[:, 2], 1)])
    own, _ = bounded.bound(start, end, bounded.fresh(30))
    for a, b, (low, high) in zip(start, end, own, strict=True):
        P = np.column_stack([rng.uniform(a[:2], b[:2], (50, 2)), rng.integers(a[2], b[2] + 1, 50)])
        y = model.predict(table_of(P))
        assert low <= y.min() and y.max() <= high


def test_what_has_no_bounds_is_refused_by_name():
    X, y = np.random.default_rng(0).random((20, 2)), np.arange(20.0)
    forest = VotingRegressor([("a", RandomForestRegressor(3)), ("b", Ridge())]).fit(X, y)
    assert "RandomForestRegressor has no proven bounds; expected trees or one of" in refusal(form_of, forest, 2)
    assert "SVR of the kernel poly has no proven bounds" in refusal(form_of, SVR(kernel="poly").fit(X, y), 2)
    noise = process(WHITE(1.0) * RBF(1.0)).fit(X, y)
    assert "without distances" in refusal(form_of, noise, 2)


def test_a_study_knows_what_a_mean_is_to_exact_searches(tmp_path):
    rng = np.random.default_rng(3)
    X = rng.random((20, 3))

    def known(model):
        skops.io.dump(model.fit(X, X.sum(axis=1)), tmp_path / "m.skops")
        entry = user_models.completed({"kind": "model", "path": str(tmp_path / "m.skops")})
        return {key: entry[key] for key in ("made_of_trees", "form", "unbounded") if key in entry}

    assert known(MEANS["bagged"]()) == {"form": "network"}
    assert known(MEANS["processes"]()) == {"form": "process"}
    assert known(MEANS["mixed"]()) == {"form": "total"}
    assert known(MEANS["vectors"]()) == {"form": "process"}
    assert known(SVR(kernel="poly"))["unbounded"] == "SVR of another kernel than rbf has no proven bounds"
    assert known(BaggingRegressor(n_estimators=3)) == {"made_of_trees": True}
    mixed = VotingRegressor([("a", RandomForestRegressor(3)), ("b", Ridge())])
    assert known(mixed)["unbounded"].startswith("VotingRegressor of trees beside other models")
