"""The order of rows and inputs depends on what they hold, and on nothing else."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preimage.core import canonical

INPUTS, OUTPUTS = ["a", "b", "grid", "kind"], ["y", "z"]


def table(seed, n=40):
    rng = np.random.default_rng(seed)
    kind = rng.choice(["r", "s", "t"], n)
    a, b, grid = rng.uniform(size=n), rng.normal(size=n), rng.integers(0, 3, n).astype(float)
    y = a - b + grid * (kind == "s")
    return pa.table({"a": a, "b": b, "grid": grid, "kind": kind, "y": y, "z": a * b})


def order(found, inputs=INPUTS, outputs=OUTPUTS):
    return canonical.row_order(found, inputs, outputs, np.random.default_rng(3))


@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_sorting_the_table_otherwise_changes_nothing(seed, random):
    found = table(seed)
    moved = list(range(len(found)))
    random.shuffle(moved)
    inputs, outputs = random.sample(INPUTS, 4), random.sample(OUTPUTS, 2)
    again = found.take(moved).select([*outputs, *inputs])
    assert found.take(order(found)).equals(again.take(order(again, inputs, outputs)).select(found.column_names))


@given(st.integers(0, 10**6), st.sampled_from([2.0**-40, 1e-9, 3.7e8]), st.sampled_from([0.0, -5.0, 1e6]))
def test_units_and_offsets_change_nothing(seed, scale, shift):
    found = table(seed)
    moved = {name: (found[name].to_numpy() + shift) * scale for name in ("a", "b", "grid", "y", "z")}
    again = pa.table({**moved, "kind": found["kind"]})
    assert order(found).tolist() == order(again).tolist()


def test_names_of_categories_change_nothing():
    found = table(5)
    renamed = [{"r": "z", "s": "y", "t": "x"}[v] for v in found["kind"].to_pylist()]
    at = found.schema.get_field_index("kind")
    assert order(found).tolist() == order(found.set_column(at, "kind", [renamed])).tolist()


def test_the_order_is_random_and_every_row_is_in_it():
    found = table(7)
    assert sorted(order(found)) == list(range(40))
    sorted_by_y = found["y"].to_numpy()[order(found)]
    assert abs(np.corrcoef(sorted_by_y, np.arange(40))[0, 1]) < 0.5
    assert order(found.slice(0, 0)).tolist() == []


@pytest.mark.parametrize("values", [[1.0] * 10, [0.0, 1.0] * 5])
def test_columns_that_say_nothing_are_no_obstacle(values):
    found = pa.table({"a": values, "y": np.arange(10.0)})
    assert sorted(order(found, ["a"], ["y"])) == list(range(10))


@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_inputs_in_another_order_end_in_the_same(seed, random):
    rng = np.random.default_rng(seed)
    X, Y = rng.uniform(size=(30, 4)), rng.normal(size=(30, 2))
    X[:, 3] = rng.integers(0, 3, 30)
    levels = np.array([0, 0, 0, 3])
    columns, rows = random.sample(range(4), 4), random.sample(range(30), 30)
    coded = X.copy()
    coded[:, 3] = np.array([2, 0, 1])[X[:, 3].astype(int)]
    again = canonical.input_order(coded[np.ix_(rows, columns)] * 8, Y[rows][:, ::-1], levels[columns])
    assert np.array(columns)[again].tolist() == canonical.input_order(X, Y, levels).tolist()


def test_categories_in_another_order_end_in_the_same():
    rng = np.random.default_rng(0)
    codes, Y = rng.integers(0, 3, 40), rng.normal(size=(40, 1))
    place = np.array([3, 1, 0])  # code 2 of the second list has no rows
    first = canonical.category_order(codes, Y, 3)
    again = canonical.category_order(place[codes], Y, 4)
    assert again[-1] == 2 and again[:3].tolist() == place[first].tolist()
