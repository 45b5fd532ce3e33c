"""Tables of wanted outputs: read, refused, and what is left of the error when more candidates may be tried."""

import numpy as np
import pandas as pd
import pytest

from preimage.core.objective.base import DEFAULT_TOLERANCE
from preimage.data import targets
from preimage.data.setting import RowSummary
from preimage.evidence.best_of import best_of, counts, running_minimum

from ..conftest import refusal

OUTPUTS = ["strength", "slump"]
KNOWN = RowSummary(["a"], OUTPUTS, {}, {"a": (0.0, 1.0)}, [2.0, 4.0], [10.0, 20.0])


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "wanted.csv"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_each_row_is_an_objective_named_by_its_place(file):
    path = file("slump,strength\n1,60\n2,70.5\n")
    found = targets.objectives({"many": {"targets": path, "tolerance": 1}, "one": {"minimize": "slump"}}, KNOWN)
    assert list(found) == ["many.0", "many.1", "one"]
    assert found["many.1"].loss(np.array([[70.5, 4.0]])).tolist() == [(0.5**2 + 0) / 2]
    assert {w.entry for w in found.values()} == {"many", "one"} and found["many.0"].tolerance == (1, 1)


def test_some_outputs_may_be_left_out_and_defaults_are_those_of_a_single_target(file):
    found = targets.objectives({"many": {"targets": file("strength\n60\n"), "scaled": True}}, KNOWN)["many.0"]
    assert found.outputs == ("strength",) and found.scale == (2.0,)
    assert found.tolerance == pytest.approx([DEFAULT_TOLERANCE * 10])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("strenght,slump\n1,2\n", "column 'strenght': no such output, did you mean 'strength'"),
        ("a,slump\n1,2\n", "column 'a': no such output"),
        ("strength,slump\n1,2\n3,\n", "column 'slump', row 2 (line 3): found no value, expected a number"),
        ("strength\nsixty\n", "column 'strength', row 1 (line 2): found 'sixty', expected a number"),
        ("strength,slump\n", "found no rows"),
    ],
)
def test_other_columns_and_cells_that_are_no_numbers_are_refused(file, text, said):
    message = refusal(targets.objectives, {"many": {"targets": file(text)}}, KNOWN)
    assert message.startswith("objectives.many.targets: ") and "wanted.csv" in message
    assert said.replace(", did", "") in message.replace("; did", "").replace(", did", "")


def test_a_missing_file_is_refused_with_the_nearest_name(file):
    path = file("strength\n1\n").replace("wanted", "wantd")
    assert "no such file" in refusal(targets.objectives, {"many": {"targets": path}}, KNOWN)


def test_test_rows_are_spread_evenly_and_no_more_than_there_are():
    Y = np.arange(20.0).reshape(10, 2)
    found = targets.objectives({"many": {"test_rows": 4}}, KNOWN, Y)
    assert [w.low for w in found.values()] == [tuple(Y[k]) for k in (0, 3, 6, 9)]
    assert len(targets.objectives({"many": {"test_rows": 99}}, KNOWN, Y)) == 10


def candidates(rng, sizes=(3, 5, 4)):
    rows = []
    for target, n in enumerate(sizes):
        loss, rank = rng.random(n), rng.permutation(n) + 1
        rows += [
            {"round": 0, "seed": 0, "surrogate": "s", "inverter": "i", "objective": f"many.{target}", "rank": r,
             "simulated_loss": v} for r, v in zip(rank, loss, strict=True)
        ]  # fmt: skip
    return pd.DataFrame(rows).astype({"rank": "Int64"})


def test_what_is_left_is_the_mean_over_targets_of_the_least_among_the_first():
    table = candidates(np.random.default_rng(0))
    found = best_of(table.sample(frac=1, random_state=1)).set_index("T")
    for T in (1, 2, 3):
        first = table[table["rank"] <= T].groupby("objective")["simulated_loss"].min()
        assert found.loc[T, "r"] == pytest.approx(first.mean(), rel=1e-15)
    assert found.index.tolist() == [1, 2, 3] and (found["objective"] == "many").all() and (found["targets"] == 3).all()


def test_rows_without_a_rank_or_a_truth_and_single_objectives_are_left_out():
    table = candidates(np.random.default_rng(0))
    extra = table.assign(objective="one")
    none = table.head(2).assign(rank=pd.array([None, None], dtype="Int64"), objective="many.0", simulated_loss=0.0)
    assert best_of(pd.concat([table, extra, none])).equals(best_of(table))
    assert best_of(table.assign(simulated_loss=np.nan)).empty


def test_counts_double_and_end_at_the_most():
    assert counts(1) == [1] and counts(4) == [1, 2, 4] and counts(5) == [1, 2, 4, 5]
    assert running_minimum(np.array([1, 0, 0]), np.array([1, 2, 1]), np.array([5.0, 1.0, 3.0])).tolist() == [
        [3.0],
        [5.0],
    ]


def test_a_tolerance_of_an_output_that_is_not_wanted_is_refused_by_the_entrys_own_name(file):
    entry = {"targets": file("strength,slump\n60,1\n"), "tolerance": {"slmp": 1}}
    message = refusal(targets.objectives, {"many": entry}, KNOWN)
    assert message == "objectives.many.tolerance: unknown output 'slmp'; did you mean 'slump'?"
