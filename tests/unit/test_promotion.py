"""From a trained surrogate to champion or challenger, on a registry of this test's own."""

from dataclasses import replace

import numpy as np
import pytest

from preimage.data.rows import Rows
from preimage.relearning.promotion import Challenger, relearned
from preimage.surrogates import random_forest
from preimage.surrogates.kinds.random_forest import RandomForest
from preimage.tracking.registry import CHALLENGER, Registry

from ..conftest import refusal

NAME = "bowl.forest"


def rows(n, seed, inputs=("a", "b")):
    X = np.random.default_rng(seed).uniform(-1, 1, (n, 2))
    return Rows(X, (X**2).sum(axis=1, keepdims=True), np.arange(n), list(inputs), ["y"], np.zeros(2, int))


def challenger(folder, n, seed=0, inputs=("a", "b")):
    """A forest on n rows: more rows, smaller error."""
    train = rows(n, seed, inputs)
    spec = {"trees": 20, "folds": 2}
    trained = RandomForest(**spec).train(train, np.random.default_rng(0))
    path = folder / f"forest{n}.{seed}"
    path.mkdir()
    trained.save(path)
    about = {"kind": "random_forest", "intervals": {"low": [0], "high": [0], "floor": [1]}, "level": 0.9}
    about["test"] = {"y": {"rmse": 0.1}}
    return Challenger(NAME, path, trained.surrogate, about, train, {"round": "0"})


def run(store, new, gate=None, decision=None, **limits):
    return relearned(store, new, gate, limits, np.random.default_rng(0), decision)


def test_the_first_is_champion_and_a_better_one_replaces_it(store, tmp_path):
    first, second = challenger(tmp_path, 30), challenger(tmp_path, 500)
    assert run(store, first)["reasons"] == ["the first version"]
    found = run(store, second, rows(200, 9))
    assert found["promoted"] and found["champion_before"] == "1" and found["comparison"]["high"] < 1
    assert store.alias(NAME).version == "2"
    # Again, without anything new: nothing is registered, nothing moves.
    again = run(store, second, rows(200, 9))
    assert {**again, "comparison": found["comparison"]} == found and store.version(NAME, "3") is None


def test_a_worse_one_is_challenger_with_its_reasons(store, tmp_path):
    run(store, challenger(tmp_path, 500))
    found = run(store, challenger(tmp_path, 30), rows(200, 9))
    assert not found["promoted"] and "it may be no better" in found["reasons"][0]
    assert store.alias(NAME).version == "1" and store.alias(NAME, CHALLENGER).version == "2"


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"error_at_most": 1e-6}, "threshold check failed"),
        ({"least_absolute_change": 100.0}, "minimum absolute change check failed"),
        ({"least_relative_change": 0.99}, "minimum relative change check failed"),
    ],
)
def test_the_studys_thresholds_are_mlflows(store, tmp_path, limits, words):
    run(store, challenger(tmp_path, 30))
    found = run(store, challenger(tmp_path, 500), rows(200, 9), **limits)
    assert not found["promoted"] and words in found["reasons"][0]


def test_without_gate_rows_or_reason_nothing_is_promoted(store, tmp_path):
    run(store, challenger(tmp_path, 30))
    better = challenger(tmp_path, 500)
    assert "0 gate rows are too few" in run(store, better)["reasons"][0]
    said = run(store, better, rows(200, 9), {"relearn": False})
    assert not said["promoted"] and "no reason to train again" in said["reasons"][0]
    assert store.alias(NAME).version == "1"


def crossed(new, error, last_row):
    """A challenger whose cross-validated predictions are off by so much, in turn up and down."""
    sign = np.where(np.arange(len(new.train.Y)) % 2, 1, -1)[:, None]
    return replace(new, crossed=new.train.Y + error * sign, last_row=last_row)


def test_where_all_rows_train_each_is_predicted_by_models_that_never_saw_it(store, tmp_path):
    """The champion's word on the rows after it is its own, on those before that of its cross-validation."""
    first = crossed(challenger(tmp_path, 30), 0.2, 29)
    second = crossed(challenger(tmp_path, 60), 0.1, 59)
    run(store, first)
    found = run(store, second, rows(0, 1))["comparison"]
    np.testing.assert_array_equal(first.train.Y[:5], second.train.Y[:5])
    old = np.r_[np.full(30, 0.2), np.abs(first.model.predict(second.train.X[30:]) - second.train.Y[30:])[:, 0]]
    scale = second.train.Y.std()
    assert found["crossed"] and found["rows"] == 60
    assert found["champion"] == pytest.approx(np.sqrt((old**2).mean()) / scale)
    assert found["challenger"] == pytest.approx(0.1 / scale)


def test_a_row_that_was_changed_since_is_not_compared_by(store, tmp_path):
    run(store, crossed(challenger(tmp_path, 30), 0.2, 29))
    second = crossed(challenger(tmp_path, 60), 0.1, 59)
    second.train.Y[:3] += 1
    assert run(store, second)["comparison"]["rows"] == 57


def test_a_champion_of_other_outputs_is_refused(store, tmp_path):
    run(store, challenger(tmp_path, 30))
    new = challenger(tmp_path, 60)
    said = refusal(run, store, replace(new, train=replace(new.train, outputs=["z"])), rows(200, 9))
    assert f"models:/{NAME}/1: was trained on another space: its outputs are ['y'], the study's ['z']" in said
    assert store.alias(NAME).version == "1" and store.alias(NAME, CHALLENGER) is None


def test_after_a_deleted_champion_nothing_is_promoted_until_somebody_says_who_is_next(store, tmp_path):
    for n in (30, 500):
        run(store, challenger(tmp_path, n), rows(200, 9))
    store.client.delete_model_version(NAME, "2")
    third = challenger(tmp_path, 60)
    assert "points to version 2, which was deleted" in refusal(run, store, third, rows(200, 9))
    store.rollback(NAME, "1", "version 2 is no more")
    assert run(store, third, rows(200, 9))["champion_before"] == "1"


def test_a_version_that_was_moved_back_from_is_not_put_up_again(store, tmp_path):
    """A rollback says why; running the same relearning once more does not overrule it."""
    run(store, challenger(tmp_path, 30))
    second = challenger(tmp_path, 500)
    said = run(store, second, rows(200, 9))
    store.rollback(NAME, "1", "a wrong unit")
    assert run(store, second, rows(200, 9)) == said and store.alias(NAME).version == "1"


def test_a_champion_made_by_hand_is_left_in_peace(store, tmp_path):
    first, second = challenger(tmp_path, 500), challenger(tmp_path, 30)
    run(store, first), run(store, second, rows(200, 9))
    store.client.set_registered_model_alias(NAME, "champion", "2")
    said = run(store, second, rows(200, 9))
    assert said["promoted"] and said["reasons"] == ["made champion by hand"]


def test_a_champion_that_changed_while_comparing_is_compared_with_again(store, tmp_path, monkeypatch):
    run(store, challenger(tmp_path, 30))
    rival, late = challenger(tmp_path, 500), challenger(tmp_path, 60)
    promote = Registry.promote

    def overtaken(self, *arguments):
        monkeypatch.setattr(Registry, "promote", promote)
        assert run(store, rival, rows(200, 9))["promoted"]
        return promote(self, *arguments)

    monkeypatch.setattr(Registry, "promote", overtaken)
    found = run(store, late, rows(200, 9))
    # Better than the first champion, but not than the one that was promoted meanwhile.
    assert not found["promoted"] and found["champion_before"] != "1"
    assert store.fetch(f"models:/{NAME}@champion", tmp_path / "copy")[0]["kind"] == "random_forest"
    assert store.alias(NAME).version == found["champion_before"]


def test_a_champion_of_another_space_is_refused(store, tmp_path):
    run(store, challenger(tmp_path, 30, inputs=("a", "c")))
    said = refusal(run, store, challenger(tmp_path, 60), rows(200, 9))
    assert "was trained on another space: its inputs are ['a', 'c']" in said
    assert store.alias(NAME).version == "1"


def test_a_champion_whose_files_are_of_another_version_is_one_message(store, tmp_path):
    old = challenger(tmp_path, 30)
    (old.folder / random_forest.ARRAYS).unlink()
    np.savez(old.folder / random_forest.ARRAYS, other=np.zeros(1))
    run(store, old)
    said = refusal(run, store, challenger(tmp_path, 60), rows(200, 9))
    assert f"models:/{NAME}/1: its files are damaged, or of another version of this workflow" in said
    assert store.alias(NAME).version == "1"
