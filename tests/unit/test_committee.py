"""The committee: its loss against sums by hand, its judges' errors, and what it makes of a model that is wrong."""

import numpy as np
import pytest

from preimage.core import objective
from preimage.core.domain import Domain
from preimage.core.space import Input, Space
from preimage.inversion import committee
from preimage.inversion.committee import Committee, Judge
from preimage.inversion.question import Answer, Question
from preimage.inversion.table import frame

SPACE = Space((Input("a", 0.0, 1.0), Input("b", 0.0, 1.0)))
LEVELS = np.zeros(2, int)


def truth(X):
    return np.column_stack([X[:, 0] + X[:, 1], X[:, 0] - X[:, 1]])


class Model:
    """Right on the lower half; above it, it promises what is not there."""

    def predict(self, X):
        return truth(X) + np.where(X[:, :1] > 0.5, 0.5, 0.0)


def question(entry, n=400):
    X = np.random.default_rng(0).random((n, 2))
    wanted = objective.build("o", entry, ["y", "z"])
    return Question(SPACE, wanted, Model().predict, X, truth(X), np.arange(n))


def fixed(outputs, error):
    return Judge(lambda X: np.array(outputs, float)[:, None, :].repeat(len(X), axis=1), np.array(error, float))


def of(*judges, limit=1.0):
    return Committee(judges, Domain(np.random.default_rng(0).random((50, 2))), limit, SPACE)


def test_the_loss_weighs_each_judge_by_its_squared_error_and_members_as_one():
    made = of(fixed([[1.0, 0.0], [3.0, 0.0]], [0.5, 9.0]), fixed([[6.0, 0.0]], [1.0, 9.0]))
    wanted = objective.build("o", {"target": {"y": 2.0}}, ["y", "z"])
    w = np.array([1 / (0.25 * 2), 1 / (0.25 * 2), 1 / 1.0])
    expected = (w * [1.0, 1.0, 16.0]).sum() / w.sum()
    assert made.loss(wanted, np.zeros((3, 2))) == pytest.approx([expected] * 3, rel=1e-14)


def test_to_minimise_disagreement_counts_against_a_candidate():
    wanted = objective.build("o", {"minimize": "y"}, ["y", "z"])
    agree, differ = (
        of(fixed([[a, 0.0]], [1, 1]), fixed([[b, 0.0]], [1, 1])).loss(wanted, np.zeros((1, 2)))[0]
        for a, b in ((2.0, 2.0), (1.0, 3.0))
    )
    assert agree == 2.0 and differ == pytest.approx(2.0 + 1.0)


def test_errors_of_the_judges_are_those_on_rows_they_did_not_see():
    q = question({"target": {"y": 1.0}})
    made = committee.assemble(Model(), np.array([0.1, 0.2]), q, LEVELS, {"trees": 100}, np.random.default_rng(0))
    own, trees, nearest = made.judges
    assert own.error.tolist() == [0.1, 0.2]
    new = np.random.default_rng(1).random((2000, 2))
    for judge in (trees, nearest):
        fresh = np.abs(judge.predict(new)[0] - truth(new)).mean(axis=0)
        assert judge.error == pytest.approx(fresh, rel=0.35)


def test_far_points_are_left_out_unless_all_are():
    rows = np.random.default_rng(0).random((200, 2)) * 0.4
    made = Committee((), Domain(rows), 0.9, SPACE)
    assert made.far(np.array([[0.2, 0.2], [0.9, 0.9]])).tolist() == [False, True]
    assert made.far(np.array([[0.9, 0.9], [1.0, 1.0]])).tolist() == [False, False]


def test_what_one_model_promises_falsely_is_ranked_behind_what_all_agree_on():
    q = question({"target": {"y": 1.2, "z": 0.2}})
    false, true = [0.6, 0.1], [0.7, 0.5]  # the model takes the first for (1.2, 1.0), and the second for (1.7, 0.7)
    q = q.wanting(objective.build("o", {"target": {"y": 1.2}}, ["y", "z"]))
    X = np.array([false, true])
    answer = Answer(X, [1, 1], ["ok", "ok"], ["", ""])
    made = committee.assemble(Model(), np.array([0.25, 0.25]), q, LEVELS, {}, np.random.default_rng(0))
    assert frame(answer, q.outputs(X), q, ["y", "z"])["rank"].tolist() == [1, 2]
    assert frame(answer, q.outputs(X), q, ["y", "z"], made)["rank"].tolist() == [2, 1]


def test_rejected_candidates_keep_their_point_and_say_why_but_have_no_rank():
    q = question({"target": {"y": 0.3}})
    q = q.__class__(**{**vars(q), "X": q.X * 0.4, "Y": truth(q.X * 0.4)})
    X = np.array([[0.1, 0.2], [0.95, 0.95]])
    made = committee.assemble(Model(), np.array([0.1, 0.1]), q, LEVELS, {}, np.random.default_rng(0))
    table = frame(Answer(X, [1, 1], ["ok", "ok"], ["", "x"]), q.outputs(X), q, ["y", "z"], made)
    assert table["status"].tolist() == ["ok", "rejected"]
    assert table["x.a"].tolist() == [0.1, 0.95] and np.isnan(table["predicted_loss"][1])
    assert table["rank"].isna().tolist() == [False, True]
    assert table["message"][1].startswith("far from the training rows (domain score above 0.9)")


def test_the_same_seed_gives_the_same_committee():
    q = question({"target": {"y": 1.0}})
    X = np.random.default_rng(5).random((50, 2))
    losses = [
        committee.assemble(Model(), np.ones(2), q, LEVELS, {"trees": 50}, np.random.default_rng(3)).loss(q.objective, X)
        for _ in range(2)
    ]
    assert np.array_equal(*losses)
