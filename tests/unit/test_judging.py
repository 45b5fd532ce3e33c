"""Rows judged by models that never saw them."""

import numpy as np
import pyarrow as pa
import pytest

from preimage.data import split
from preimage.data.rows import Rows, together
from preimage.study.sections import Split
from preimage.surrogates import intervals, judging
from preimage.surrogates.kinds.linear import Linear


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
        trained = Linear(folds=3, penalty=0.0).train(rows, np.random.default_rng(0))
        return trained


def test_every_row_is_judged_by_a_model_that_saw_neither_it_nor_its_repeats():
    rows, train = table(), Remembers()
    found = judging.cross_validated(train, rows, [split.folds(rows.group, 5, np.random.default_rng(1))])
    (said,) = found.said
    assert len(train.seen) == 5 and all(len(seen) == 32 for seen in train.seen)
    held = [set(range(40)) - seen for seen in train.seen]
    assert set.union(*held) == set(range(40)) and sum(map(len, held)) == 40
    for part in held:
        assert {n // 2 for n in part} == {n // 2 for n in part if n % 2 == 0}, "repeats stay together"
    for part in held:
        rest, mine = (rows.part(np.array(sorted(p))) for p in (set(range(40)) - part, part))
        solved, *_ = np.linalg.lstsq(np.column_stack([rest.X, np.ones(32)]), rest.Y, rcond=None)
        expected = np.column_stack([mine.X, np.ones(8)]) @ solved
        np.testing.assert_allclose(said.predicted[sorted(part)], expected, rtol=1e-6)
    assert (said.low < said.predicted).all() and (said.predicted < said.high).all()
    assert set(found.test.numbers) == held[-1] and set(found.train.numbers) == train.seen[-1]


def test_held_out_rows_are_judged_by_the_model_itself():
    rows = table()
    train, test = rows.part(np.arange(30)), rows.part(np.arange(30, 40))
    trained = Linear(folds=3, penalty=0.0).train(train, np.random.default_rng(0))
    found = judging.held_out(trained, train, test)
    (said,) = found.said
    np.testing.assert_array_equal(said.predicted, trained.surrogate.predict(test.X))
    fitted = intervals.fit(train.Y, *trained.out_of_fold)
    np.testing.assert_array_equal(said.low, fitted.at(said.predicted, trained.surrogate.spread(test.X))[0])


def test_rows_of_several_parts_count_once():
    rows = table()
    both = together([rows.part(np.arange(30)), rows.part(np.arange(20, 40))])
    np.testing.assert_array_equal(both.numbers, np.arange(40))
    np.testing.assert_array_equal(both.Y, rows.Y)


def test_repeats_are_averaged_and_counted():
    rows, train, told = table(), Remembers(), []
    rngs = [np.random.default_rng(k) for k in (1, 2)]
    found = judging.cross_validated(train, rows, [split.folds(rows.group, 5, rng) for rng in rngs], told.append)
    assert told == list(range(1, 11))
    alone = [
        judging.cross_validated(Remembers(), rows, [split.folds(rows.group, 5, np.random.default_rng(k))])
        for k in (1, 2)
    ]
    assert not np.array_equal(alone[0].said[0].predicted, alone[1].said[0].predicted)
    for mine, whole in zip(found.said, alone, strict=True):
        np.testing.assert_array_equal(mine.predicted, whole.said[0].predicted)
    for name in ("rmse", "r2", "mae"):
        expected = np.mean([one.scores(rows)["y0"][name] for one in alone])
        assert found.scores(rows)["y0"][name] == pytest.approx(expected, rel=1e-12)
    assert found.coverage(rows) == pytest.approx(np.mean([one.coverage(rows) for one in alone], axis=0))


def test_few_distinct_rows_all_train_where_no_method_is_named():
    assert f"below {split.SMALL} distinct rows" in Split.model_fields["method"].description
    for distinct, method in ((split.SMALL - 1, split.CROSS_VALIDATION), (split.SMALL, split.HOLD_OUT)):
        values = np.r_[np.arange(distinct), np.arange(50)] * 1.0  # repeats don't count
        assert split.method_for(pa.table({"a": values, "y": -values}), ["a"]) == method


def test_batches_stay_together_and_the_first_keeps_its_folds():
    group = np.r_[np.arange(20), np.arange(20, 26), [3, 3, 26, 27], np.arange(28, 34)]
    batch = np.repeat([0, 1, 2, 3], [20, 6, 4, 6])
    fold = split.folds_of_batches(group, batch, 5, np.random.default_rng(7))
    np.testing.assert_array_equal(fold[:20], split.folds(group[:20], 5, np.random.default_rng(7)))
    assert (fold[20:26] == 0).all() and (fold[26:28] == fold[3]).all()
    assert (fold[28:30] == 1).all() and (fold[30:] == 2).all()
