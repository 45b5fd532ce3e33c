"""What is found and proven of a forest is the same in any unit, from any origin, and for any order of a list."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from preimage.core import objective
from preimage.core.space import Input, Space
from preimage.inversion import asking
from preimage.inversion.question import Question
from preimage.trees import standardised
from preimage.trees.preimage import preimage

from ..conftest import inverter

OPTIONS = {"boxes": 10**6, "gap": 0.0, "memory": 200, "starts": 4}


def rows():
    """y = 3a - b, noise-free."""
    X = np.random.default_rng(0).random((120, 2))
    return X, 3 * X[:, :1] - X[:, 1:]


def forest(X, Y, levels=(0, 0)):
    return standardised.fit(RandomForestRegressor(20, random_state=0), X, Y, np.array(levels)).forest


def space_of(X):
    return Space(tuple(Input(n, a, b) for n, a, b in zip("ab", X.min(axis=0), X.max(axis=0), strict=True)))


def asked(X, Y, entry, space=None, levels=(0, 0), **options):
    """Return the answer of the certified search, and whether it meets the objective."""
    trees, space = forest(X, Y, levels), space or space_of(X)
    wanted = objective.build("o", entry, ["y"], Y.std(axis=0), np.ptp(Y, axis=0))
    question = Question(space, wanted, trees.predict, X, Y, np.arange(len(X)), trees=trees)
    ((answer, predicted),) = asking.ask(inverter("certified", OPTIONS | options), [question], np.random.default_rng(0))
    return answer, predicted, wanted.met(predicted, answer.certificate["loss"])


MOVES = [
    *[(times, 0.0, 1.0, 0.0) for times in (1e-9, 1e-6, 1e9)],
    *[(1.0, plus, 1.0, 0.0) for plus in (-1e6, 1e6)],
    *[(1.0, 0.0, times, 0.0) for times in (1e-12, 1e-9, 1e12)],
    *[(1.0, 0.0, 1.0, plus) for plus in (-1e6, 1e6)],
    (1e-6, 0.3, 1e-9, 1e-4),
]


@pytest.mark.some(4)
@pytest.mark.parametrize("options", [{}, {"isolation": 0.55}])
@pytest.mark.parametrize("kind", ["maximize", "target", "within", "impossible"])
@pytest.mark.parametrize("move", MOVES)
def test_the_certified_answer_is_the_same_in_any_unit(move, kind, options):
    times, plus, y_times, y_plus = move
    X, Y = rows()

    def entry(of, size):
        return {
            "maximize": {"maximize": "y"},
            "target": {"target": {"y": of(1.0)}, "tolerance": 0.1 * size},
            "within": {"within": {"y": [of(2.5), of(2.6)]}},
            "impossible": {"within": {"y": [of(4.0), of(5.0)]}},
        }[kind]

    def moved(y):
        return y * y_times + y_plus

    plain, _, met = asked(X, Y, entry(lambda y: y, 1.0), **options)
    ours, _, ours_met = asked(X * times + plus, moved(Y), entry(moved, y_times), **options)
    assert ours.certificate["feasible"] == plain.certificate["feasible"] == ("no" if kind == "impossible" else "yes")
    assert ours.certificate["closed"] and plain.certificate["closed"] and np.array_equal(met, ours_met)
    assert np.allclose((ours.X - plus) / times, plain.X, rtol=0, atol=1e-6)


def test_metres_have_the_preimage_of_micrometres_with_the_rows_that_meet_it():
    X, Y = rows()
    band = objective.build("o", {"within": {"y": [1.9, 2.1]}}, ["y"])
    found = []
    for times in (1.0, 1e-6):
        trees = forest(X * times, Y)
        whole = preimage(trees, space_of(X * times), band, 10**6)
        assert whole.certain.all() and whole.stopped == "closed"
        meet = (np.abs(trees.predict(X * times)[:, 0] - 2) <= 0.1) & (np.abs(Y[:, 0] - 2) <= 0.1)
        inside = (X[:, None] * times >= whole.low) & (X[:, None] * times <= whole.high)
        assert meet.sum() > 2 and inside.all(axis=2).any(axis=1)[meet].all()
        found.append(whole.share.sum())
    # The true share is a strip 0.2 / 3 wide.
    assert found[0] == pytest.approx(found[1], rel=1e-5) and found[0] == pytest.approx(0.2 / 3, rel=0.5)


@pytest.mark.parametrize("limits", [{}, {"isolation": 0.55}])
def test_the_order_of_a_category_s_values_changes_no_answer(limits):
    rng = np.random.default_rng(0)
    X = np.c_[rng.random(200), rng.integers(5, size=200)].astype(float)
    Y = (np.array([3.0, 1.0, 2.0, 0.0, 2.5])[X[:, 1].astype(int)] * X[:, 0])[:, None]
    labels = ["p", "q", "r", "s", "t"]
    answers = []
    for place in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 4, 1, 0, 3]):
        listed = [labels[place.index(k)] for k in range(5)]
        Z = np.c_[X[:, 0], np.array(place)[X[:, 1].astype(int)]]
        space = Space((Input("a", 0.0, 1.0), Input("b", 0, 4, categories=tuple(listed))))
        answer, predicted, _ = asked(Z, Y, {"maximize": "y"}, space, (0, 5), **limits)
        assert answer.certificate["closed"]
        answers.append((answer.X[0, 0], listed[int(answer.X[0, 1])], predicted[0, 0]))
    assert answers[0] == answers[1] == answers[2] and answers[0][1] == "p"
