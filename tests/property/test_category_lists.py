"""A list of categories in another order changes nothing, and a value without rows is outside the data.

Everything is done twice, with the list as it is and with its values moved about; what is found is compared by label.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preimage.acquisition import batch as acquisition
from preimage.acquisition import searching
from preimage.core import objective, polytope
from preimage.core.candidates import DOMAIN_LIMIT
from preimage.core.domain import Domain
from preimage.core.neighbours import Nearest
from preimage.core.space import Input, Space
from preimage.data.rows import Rows
from preimage.evidence.answer_findings import several_solutions
from preimage.evidence.assess import with_domain
from preimage.evidence.clusters import clusters
from preimage.evidence.model_findings import unsuitable_model
from preimage.inversion import asking, committee
from preimage.inversion.question import Question
from preimage.relearning.acquire import Ask, acquire
from preimage.surrogates.encoding import Encoding
from preimage.surrogates.kinds.gaussian_process import GaussianProcess
from preimage.surrogates.kinds.linear import Linear
from preimage.surrogates.kinds.neural_network import NeuralNetwork

from ..conftest import inverter

LABELS = ("north", "east", "south", "west", "up")
SPACE = Space(
    (
        Input("a", 5.0, 6.0),
        Input("place", 0, 4, categories=LABELS),
        Input("b", -1e-6, 1e-6),
        Input("grade", 0, 2, categories=("x", "y", "z")),
    )
)
ORDERS = [(4, 3, 2, 1, 0), (1, 0, 4, 2, 3), (3, 0, 1, 4, 2)]
SEEDS = st.integers(0, 10_000)
NO_ROW = 4  # the place that no row has


def moved(order):
    """The space with the values of `place` in another order, and the function that recodes points for it."""
    whole = list(SPACE.inputs)
    whole[1] = replace(whole[1], categories=tuple(LABELS[k] for k in order))
    code = np.argsort(order)

    def recode(X):
        X = np.array(X, float)
        X[:, 1] = code[X[:, 1].astype(int)]
        return X

    return Space(tuple(whole)), recode


def by_label(space, X):
    return [tuple(row) for row in np.column_stack(list(space.decode(X).values())).tolist()]


def rows(n=70, seed=0, places=4):
    rng = np.random.default_rng(seed)
    X = np.column_stack(
        [rng.uniform(5, 6, n), rng.integers(0, places, n), rng.uniform(-1e-6, 1e-6, n), rng.integers(0, 3, n)]
    )
    return X.astype(float), truth(X)


def truth(X, labels=LABELS):
    """Two outputs that depend on places by name: without order, and each with a slope of its own."""
    level = dict(zip(LABELS, [3.0, -1.0, 7.0, 0.5, 2.0], strict=True))
    height = np.array([level[labels[int(k)]] for k in X[:, 1]])
    return np.column_stack([height + np.sin(6 * X[:, 0]) + 1e6 * X[:, 2], 1e-3 * height * X[:, 0] + X[:, 3]])


def everywhere(n=200, seed=9):
    return np.column_stack([rows(n, seed, 5)[0]])


# -- models ------------------------------------------------------------------------------------------------------------

NETWORK = NeuralNetwork(
    layers=[6], activation="tanh", learning_rate=0.02, epochs=10, patience=5, validation_fraction=0.2, members=2,
    folds=2,
)  # fmt: skip
MODELS = {
    "gaussian_process": GaussianProcess(kernel="matern52", rows=60, hyperparameter_rows=50, folds=3),
    "linear": Linear(folds=3),
    "neural_network": NETWORK,
}


def trained(kind, space, X, Y, columns=(0, 1, 2, 3)):
    levels = np.array([len(i.categories) for i in space.inputs])
    c = list(columns)
    known = Rows(X[:, c], Y, np.arange(len(X)), [space.names[j] for j in c], ["u", "v"], levels[c])
    return MODELS[kind].train(known, np.random.default_rng(3))


@pytest.fixture(scope="module", params=MODELS)
def model(request):
    return request.param, trained(request.param, SPACE, *rows())


@pytest.mark.parametrize("order", ORDERS)
def test_a_model_is_the_same_whatever_the_order_of_the_list(model, order):
    kind, first = model
    space, recode = moved(order)
    X, Y = rows()
    other = trained(kind, space, recode(X), Y)
    P, far = everywhere(), Y.std(axis=0)
    for method in ("predict", "spread"):
        one, two = (getattr(m.surrogate, method)(Q) for m, Q in ((first, P), (other, recode(P))))
        assert np.abs((one - two) / far).max() < 1e-6
    one, two = (m.surrogate.gradient(Q)[1] for m, Q in ((first, P), (other, recode(P))))
    assert np.abs((one - two) * SPACE.width / far[:, None]).max() < 1e-6
    for one, two in zip(first.out_of_fold, other.out_of_fold, strict=True):
        assert np.abs((one - two) / far).max() < 1e-6


def test_a_model_is_the_same_whatever_the_order_of_its_inputs(model):
    kind, first = model
    X, Y = rows()
    order = [3, 1, 0, 2]
    other, P = trained(kind, SPACE, X, Y, order), everywhere()
    assert np.abs((first.surrogate.predict(P) - other.surrogate.predict(P[:, order])) / Y.std(axis=0)).max() < 1e-4


def test_values_without_rows_leave_a_model_as_it_is(model):
    kind, first = model
    longer = replace(SPACE.inputs[1], categories=("p", *LABELS, "q", "r"), high=7.0)
    space = Space((SPACE.inputs[0], longer, *SPACE.inputs[2:]))
    step = np.array([0, 1, 0, 0])
    X, Y = rows()
    other, P = trained(kind, space, X + step, Y), everywhere()
    one, two = first.surrogate.predict(P), other.surrogate.predict(P + step)
    assert np.abs((one - two) / Y.std(axis=0)).max() < 1e-6
    # All of them are the same to it.
    Q = np.tile(P[:1], (3, 1))
    Q[:, 1] = [0, 6, 7]
    assert np.ptp(other.surrogate.predict(Q), axis=0).max() < 1e-9


def test_any_two_values_are_equally_alike_to_a_gaussian_process():
    """The truth differs between places by chance alone; each length scale stands for a whole input."""
    found = trained("gaussian_process", SPACE, *rows()).surrogate
    source = found.encoding.source
    for h in found.parameters:
        assert all(np.ptp(h.lengths[source == j]) == 0 for j in range(4))


# -- distances ---------------------------------------------------------------------------------------------------------


@given(SEEDS, st.permutations(range(5)))
def test_domain_and_clusters_see_no_order(seed, order):
    space, recode = moved(order)
    X, _ = rows(40, seed)
    P = np.vstack([everywhere(60, seed + 1), X[:10]])
    one = Domain(SPACE.coordinates(X), SPACE.one_hot).score(SPACE.coordinates(P))
    two = Domain(space.coordinates(recode(X)), space.one_hot).score(space.coordinates(recode(P)))
    assert one.tolist() == two.tolist()
    assert clusters(SPACE.coordinates(P)).tolist() == clusters(space.coordinates(recode(P))).tolist()


@given(SEEDS)
def test_the_score_is_a_quantile_of_distances_counted_one_by_one(seed):
    X, _ = rows(30, seed)
    P = np.vstack([rows(20, seed + 1)[0], X[:5]])

    def distance(x, y):
        return np.sqrt(((x[0] - y[0]) ** 2) + ((x[2] - y[2]) / 2e-6) ** 2 + (x[1] != y[1]) + (x[3] != y[3]))

    usual = [sorted(distance(x, y) for y in X)[5] for x in X]
    found = Domain(SPACE.coordinates(X), SPACE.one_hot).score(SPACE.coordinates(P))
    for p, score in zip(P, found, strict=True):
        away = sorted(distance(p, y) for y in X)
        kth = away[5] if away[0] == 0 else away[4]
        assert score == np.mean([u <= kth + 1e-7 for u in usual])


def test_a_value_without_rows_is_outside_whatever_else_it_has():
    X, _ = rows(200)
    for order in [(0, 1, 2, 3, 4), *ORDERS]:
        space, recode = moved(order)
        P = X.copy()
        P[::2, 1] = NO_ROW
        points = {f"x.{name}": column for name, column in space.decode(recode(P)).items()}
        found = with_domain(pd.DataFrame({**points, "predicted_loss": 0.0}), space, recode(X))
        assert (found["domain_score"][::2] == 1).all() and not found["in_domain"][::2].any()
        assert found["in_domain"][1::2].mean() > 0.8


def test_a_value_without_rows_is_outside_though_rows_are_lonelier_still():
    """Each of ten places has one row: any two are 1 apart, and so is a new place from all of them."""
    space = Space((Input("p", 0, 10, categories=tuple("abcdefghijk")), Input("a", 0.0, 1.0)))
    X = np.column_stack([np.arange(10.0), np.linspace(0, 1, 10)])
    domain = Domain(space.coordinates(X), space.one_hot)
    assert domain.score(space.coordinates(np.array([[10.0, 0.5]]))).tolist() == [1]
    assert domain.score(space.coordinates(np.array([[3.0, 0.5]])))[0] < 1


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_off_a_constant_column_is_as_far_in_any_unit(scale):
    """The rows have one pressure; an objective fixes another, outside of what the space knows."""
    space = Space((Input("a", 0.0, 1.0), Input("pressure", 3 * scale, 3 * scale)))
    a = np.random.default_rng(0).random(100)
    X = np.column_stack([a, np.full(100, 3 * scale)])
    domain = Domain(space.coordinates(X), space.one_hot)
    P = np.column_stack([a, np.full(100, 4 * scale)])
    assert (domain.score(space.coordinates(P)) > DOMAIN_LIMIT).all()
    assert domain.score(space.coordinates(X)).mean() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("offset", [0, 1e3, 1e6])
def test_an_offset_of_many_ranges_leaves_the_score_as_it_is(offset):
    """On a grid many distances are equal, and a candidate is a row up to the rounding of its coordinates."""
    grid = np.stack(np.meshgrid(*[np.arange(6) / 10] * 3), axis=-1).reshape(-1, 3)
    P = np.vstack([grid[:40], np.random.default_rng(0).random((40, 3))])
    known = [Domain(grid).score(P)]
    space = Space(tuple(Input(f"x{j}", offset, offset + 1.0) for j in range(3)))
    known.append(Domain(space.coordinates(grid + offset)).score(space.coordinates(P + offset)))
    assert known[0].tolist() == known[1].tolist()


def test_of_many_rows_the_same_ones_are_taken_whatever_their_order(monkeypatch):
    monkeypatch.setattr("preimage.core.domain.REFERENCE_ROWS", 50)
    X, _ = rows(400, 5)
    P = everywhere()
    one = Domain(SPACE.coordinates(X), SPACE.one_hot).score(SPACE.coordinates(P))
    for order in ORDERS:
        space, recode = moved(order)
        Q = recode(X)[np.random.default_rng(1).permutation(len(X))]
        assert Domain(space.coordinates(Q), space.one_hot).score(space.coordinates(recode(P))).tolist() == one.tolist()


# -- neighbours --------------------------------------------------------------------------------------------------------


@given(SEEDS, st.integers(1, 12))
def test_rows_that_are_equally_near_count_equally(seed, k):
    """Against a sum over all rows; on whole numbers, where most distances are shared."""
    rng = np.random.default_rng(seed)
    R, V, P = rng.integers(0, 3, (25, 2)).astype(float), rng.random((25, 2)), rng.integers(0, 3, (6, 2)).astype(float)

    def expected(away):
        r = np.sort(away)[k - 1]
        weight = (away < r) + (away == r) * (k - (away < r).sum()) / (away == r).sum()
        return weight / k

    found = Nearest(R, V, k)
    by_hand = np.array([expected(((R - p) ** 2).sum(axis=1)) @ V for p in P])
    np.testing.assert_allclose(found.mean(P), by_hand, rtol=1e-12)
    others = [np.where(np.arange(25) == j, np.inf, ((R - R[j]) ** 2).sum(axis=1)) for j in range(25)]
    np.testing.assert_allclose(
        found.of_the_others(np.arange(25)), np.array([expected(o) @ V for o in others]), rtol=1e-12
    )


@pytest.mark.parametrize("order", ORDERS)
def test_judges_findings_and_batches_see_no_order(order, monkeypatch):
    monkeypatch.setattr(searching, "SWEEPS", 4)
    monkeypatch.setattr(acquisition, "MOST", 1)
    space, recode = moved(order)
    X, Y = rows(60)
    X[:, [0, 2]] = X[0, [0, 2]]  # nothing but categories: neighbours are tied
    X[:30, 0] += 0.25
    Y = truth(X)
    P = everywhere(50)
    wanted = objective.build("o", {"minimize": "u"}, ["u", "v"])
    found = []
    for s, code in ((SPACE, lambda A: A), (space, recode)):
        R, Q = code(X), code(P)

        nearest = committee._nearest(s.coordinates(R), Y, 7, s)
        batch = acquire([Ask(s, wanted, Q[:20])], R, Y, 10, 0.5, np.random.default_rng(0))
        residual = Y[:, 0] - Y[:, 0].mean()
        levels = np.array([len(i.categories) for i in s.inputs])
        finding = unsuitable_model(
            s.scaled(R), residual, 1.0, levels, np.random.default_rng(0), places=s.coordinates(R)
        )
        far = committee.Committee((), Domain(s.coordinates(R), s.one_hot), 0.9, s).far(Q)
        found.append([
            np.hstack([nearest.predict(Q)[0].ravel(), nearest.error, finding.measured]), far.tolist(),
            by_label(s, batch.X), batch.why,
        ])  # fmt: skip
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-6, atol=1e-9)
    assert found[0][1:] == found[1][1:]


def test_answers_of_two_categories_are_far_apart_however_near_in_the_list():
    space = Space((Input("p", 0, 9, categories=tuple("abcdefghij")), Input("a", 0.0, 1.0)))
    good = np.array([[3.0, 0.5], [4.0, 0.5]])
    found = several_solutions(space.scaled(good), space.free, 2, None, space.categorical)
    assert found.measured == 1 and found.verdict == "found"
    assert clusters(space.coordinates(good)).tolist() == [0, 1]


# -- searches ----------------------------------------------------------------------------------------------------------

OPTIONS = {
    "random": {"evaluations": 40},
    "hyperopt": {"evaluations": 30},
    "evolution": {"evaluations": 200},
    "cmaes": {"evaluations": 150},
    "lookup": {"rows": 5},
    "multistart": {"starts": 4},
}


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_search_finds_the_same_whatever_the_order_of_the_list(kind):
    X, Y = rows(40)
    wanted = objective.build("o", {"target": {"u": 4.0}}, ["u", "v"], [1.0, 1.0], [1.0, 1.0])
    found = []
    for s, code in [(SPACE, lambda A: A), *(moved(order) for order in ORDERS)]:
        labels = s.inputs[1].categories
        q = Question(s, wanted, lambda A, labels=labels: truth(A, labels), code(X), Y, np.arange(40), on_simulator=True)
        answer, _ = asking.ask(inverter(kind, OPTIONS[kind]), [q], np.random.default_rng(0))[0]
        found.append(by_label(s, answer.X))
    assert all(f == found[0] for f in found[1:])


@pytest.mark.parametrize("scheme", ["uniform", "latin_hypercube", "clustered"])
def test_draws_are_the_same_whatever_the_order_of_the_list(scheme):
    one = by_label(SPACE, polytope.sample(SPACE, 300, np.random.default_rng(0), scheme))
    for order in ORDERS:
        space, _ = moved(order)
        assert by_label(space, polytope.sample(space, 300, np.random.default_rng(0), scheme)) == one


@given(SEEDS, st.permutations(range(5)), st.sampled_from([None, 0.0, 3.0]))
def test_places_by_name_and_codes_undo_each_other(seed, order, fixed):
    space, _ = moved(order)
    space = space if fixed is None else space.fix({"place": space.inputs[1].categories[int(fixed)]})
    X = polytope.sample(space, 20, np.random.default_rng(seed))
    assert space.contains(X).all()
    assert np.array_equal(space.codes(space.places(X)), X)


def test_values_that_first_appear_late_are_in_no_order_of_the_list():
    """In the first rows that columns are compared by, these are all 0."""
    late = np.r_[np.zeros(150), [2.0, 1.0, 4.0, 3.0]][:, None]
    encoding = Encoding.of(late, np.array([6]))
    assert encoding.in_order_of_rows(encoding(late)).tolist() == [0, 2, 1, 4, 3]
