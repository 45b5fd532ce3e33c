"""Rows judged by models that never saw them."""

import numpy as np
import pytest

from preimage.data.rows import Rows, together
from preimage.study import reading
from preimage.support.errors import StudyError
from preimage.surrogates import intervals, judging, linear


def table(n=40, repeats=2):
    rng = np.random.default_rng(0)
    X = np.repeat(rng.uniform(size=(n // repeats, 2)), repeats, axis=0)
    return Rows.plain(X, X @ [[2.0], [-1.0]] + rng.normal(0, 0.1, (n, 1)))


class Remembers:
    """A way of training that notes which rows it has seen, and whose models give the mean of those."""

    def __init__(self):
        self.seen = []

    def __call__(self, rows):
        self.seen.append(set(rows.numbers.tolist()))
        trained = linear.train(rows, {"kind": "linear", "folds": 3, "penalty": 0.0}, np.random.default_rng(0))
        return trained


def test_every_row_is_judged_by_a_model_that_saw_neither_it_nor_its_repeats():
    rows, train = table(), Remembers()
    found = judging.cross_validated(train, rows, 5, np.random.default_rng(1))
    assert len(train.seen) == 5 and all(len(seen) == 32 for seen in train.seen)
    held = [set(range(40)) - seen for seen in train.seen]
    assert set.union(*held) == set(range(40)) and sum(map(len, held)) == 40
    for part in held:
        assert {n // 2 for n in part} == {n // 2 for n in part if n % 2 == 0}, "repeats stay together"
    for part in held:
        rest, mine = (rows.part(np.array(sorted(p))) for p in (set(range(40)) - part, part))
        solved, *_ = np.linalg.lstsq(np.column_stack([rest.X, np.ones(32)]), rest.Y, rcond=None)
        expected = np.column_stack([mine.X, np.ones(8)]) @ solved
        np.testing.assert_allclose(found.predicted[sorted(part)], expected, rtol=1e-6)
    assert (found.low < found.predicted).all() and (found.predicted < found.high).all()
    assert set(found.test.numbers) == held[-1] and set(found.train.numbers) == train.seen[-1]


def test_held_out_rows_are_judged_by_the_model_itself():
    rows = table()
    train, test = rows.part(np.arange(30)), rows.part(np.arange(30, 40))
    trained = linear.train(train, {"kind": "linear", "folds": 3, "penalty": 0.0}, np.random.default_rng(0))
    found = judging.held_out(trained, train, test)
    np.testing.assert_array_equal(found.predicted, trained.surrogate.predict(test.X))
    fitted = intervals.fit(train.Y, *trained.out_of_fold)
    np.testing.assert_array_equal(found.low, fitted.at(found.predicted, trained.surrogate.spread(test.X))[0])


def test_rows_of_several_parts_count_once():
    rows = table()
    both = together([rows.part(np.arange(30)), rows.part(np.arange(20, 40))])
    np.testing.assert_array_equal(both.numbers, np.arange(40))
    np.testing.assert_array_equal(both.Y, rows.Y)


def test_cross_validation_with_rounds_is_refused(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(
        "study: s\nproblem: {simulator: paraboloid, dimension: 2, samples: 40}\nsplit: {method: cross_validation}\n"
        "surrogates: {line: {kind: linear}}\nobjectives: {least: {minimize: y}}\n"
        "inverters: {random: {kind: random, evaluations: 10}}\nrounds: 1\n"
    )
    with pytest.raises(StudyError, match=r"key 'split.method': found cross_validation in a study with rounds"):
        reading.load(path)
