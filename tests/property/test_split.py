"""Repeats of one experiment never straddle train and test, or two folds."""

import numpy as np
import pyarrow as pa
from hypothesis import assume, given
from hypothesis import strategies as st

from preimage.data.split import folds, group_rows, groups, split

from ..conftest import refusal

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def tables(draw):
    """Return a table of repeated inputs, numbers and text, and its rows as tuples."""
    rng = np.random.default_rng(draw(SEEDS))
    n, values = draw(st.integers(2, 60)), draw(st.integers(1, 6))
    numbers = rng.choice([0.0, -0.0, 1.0, -1.5, 1e-300, 1e300], (n, 2))[:, : draw(st.integers(0, 2))]
    text = rng.choice(list("abcdef")[:values], n)
    columns = {**{f"x{j}": numbers[:, j] for j in range(numbers.shape[1])}, "grade": pa.array(text)}
    return pa.table(columns), [(*(float(v) for v in row), t) for row, t in zip(numbers, text, strict=True)]


def names(table):
    return table.column_names


@given(tables())
def test_groups_are_equal_exactly_where_inputs_are(case):
    table, rows = case
    found = groups(table[name].to_numpy() for name in names(table))
    # Python compares tuples as we mean it: 0.0 == -0.0, and text by its letters.
    assert found.tolist() == [list(dict.fromkeys(rows)).index(row) for row in rows]


@given(tables(), st.floats(0.01, 0.99), SEEDS)
def test_no_input_is_on_both_sides_and_no_row_is_lost(case, fraction, seed):
    table, rows = case
    assume(len(set(rows)) > 1)
    train, test = split(table, names(table), fraction, np.random.default_rng(seed))
    assert sorted([*train, *test]) == list(range(len(rows)))
    assert (np.diff(train) > 0).all() and (np.diff(test) > 0).all()
    assert len(train) and len(test)
    assert not {rows[k] for k in train} & {rows[k] for k in test}
    # The share is as wanted up to half the group at the border, which is kept whole.
    largest = max(rows.count(row) for row in set(rows))
    if fraction * len(rows) <= len(rows) - largest:
        assert abs(len(test) - fraction * len(rows)) <= max(largest / 2, largest - fraction * len(rows)) + 1e-9


@given(tables(), st.integers(2, 8), SEEDS)
def test_no_input_is_in_two_folds_and_folds_are_of_one_size(case, k, seed):
    table, rows = case
    assume(len(set(rows)) > 1)
    group = groups(table[name].to_numpy() for name in names(table))
    fold = folds(group, k, np.random.default_rng(seed))
    by_row = {}
    for row, number in zip(rows, fold, strict=True):
        assert by_row.setdefault(row, number) == number
    count = np.bincount(list(by_row.values()))
    assert len(count) == min(k, len(set(rows))) and count.max() - count.min() <= 1


def test_the_same_seed_gives_the_same_split_and_another_another():
    table = pa.table({"x": np.arange(50.0)})
    first, again, other = (split(table, ["x"], 0.3, np.random.default_rng(s))[1].tolist() for s in (1, 1, 2))
    assert first == again != other
    assert len(first) == len(other) == 15
    group = np.arange(50)
    first, again, other = (folds(group, 5, np.random.default_rng(s)).tolist() for s in (1, 1, 2))
    assert first == again != other


def test_every_group_has_the_same_chance_to_be_held_out():
    table = pa.table({"x": np.repeat(np.arange(20.0), 3)})
    held = np.zeros(60)
    for seed in range(400):
        held[split(table, ["x"], 0.25, np.random.default_rng(seed))[1]] += 1
    # 5 of 20 groups each time: 100 expected, sd 8.7.
    assert held.min() > 60 and held.max() < 140


def test_minus_zero_is_zero():
    assert group_rows(np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, -1.0]])).tolist() == [0, 0, 1]


def test_columns_are_not_mixed_up():
    assert group_rows(np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0], [3.0, 3.0]])).tolist() == [0, 1, 0, 2]


def test_the_outputs_play_no_part():
    table = pa.table({"x": [1.0, 1.0, 2.0], "y": [1.0, 2.0, 3.0]})
    for seed in range(10):
        train, test = split(table, ["x"], 0.5, np.random.default_rng(seed))
        assert {tuple(train), tuple(test)} == {(0, 1), (2,)}


def test_one_input_alone_cannot_be_held_out():
    rng = np.random.default_rng(0)
    table = pa.table({"x": np.ones(20)})
    assert "every row has the same inputs" in refusal(split, table, ["x"], 0.3, rng)
    assert "every training row has the same inputs" in refusal(folds, np.zeros(20, int), 5, rng)


def test_a_high_fraction_leaves_something_to_train_on():
    table = pa.table({"x": np.repeat([1.0, 2.0, 3.0], [1, 1, 18])})
    for seed in range(10):
        train, test = split(table, ["x"], 0.99, np.random.default_rng(seed))
        assert len(train) and len(test)
