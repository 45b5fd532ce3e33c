"""Further files of a table: what is refused, what is left out, what is only mentioned."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from preimage import study
from preimage.core.space import Input, Space
from preimage.data import named, new_rows, tables
from preimage.relearning import batch
from preimage.study import data_checks

from ..conftest import refusal

FIRST = tables.with_units(
    pa.table({"a": [0.0, 1.0, 2.0], "b": [0.0, 0.0, 1.0], "y": [1.0, 2.0, 3.0]}), {"a": "kg", "y": "MPa"}
)
SPACE = Space((Input("a", 0.0, 2.0), Input("b", 0.0, 1.0)))


def read(path, **spec):
    return new_rows.read(str(path), FIRST, ["a", "b"], spec, {})


def csv(folder, text, name="new.csv"):
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_columns_come_in_the_first_tables_order_with_its_types_and_units(tmp_path):
    found = read(csv(tmp_path, "y,b,a\n5,1,2\n6,0,3\n")).table
    assert found.column_names == ["a", "b", "y"]
    assert found["a"].to_pylist() == [2.0, 3.0] and found["y"].to_pylist() == [5.0, 6.0]
    assert tables.units_of(found) == {"a": "kg", "y": "MPa"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "no column 'y'"),
        ("a,bb,y\n1,2,3\n", "no column 'b', which the first table has; did you mean 'bb'?"),
        ("a,b,y,z\n1,2,3,4\n", "column 'z' is not in the first table"),
        ("a,b,y\n1,x,3\n", "found 'x', expected a number"),
        ("a,b,y\n1,2,3\n1,,3\n4,5,\n", "2 rows with empty cells (row 2, 3); complete or remove them"),
    ],
)
def test_other_columns_and_cells_are_refused(tmp_path, text, words):
    said = refusal(read, csv(tmp_path, text))
    assert words in said and "new.csv" in said


def test_another_unit_is_refused(tmp_path):
    other = tables.with_units(FIRST, {"a": "g"})
    tables.write(tmp_path / "g.parquet", other)
    assert "column 'a': found unit g, expected kg as in the first table" in refusal(read, tmp_path / "g.parquet")


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (pa.array(["1", "x"]), "column 'b', row 2: found 'x', expected a number"),
        (pa.array([True, False]), "expected a number"),
        (pa.array([0, 1], pa.timestamp("s")), "expected a number"),
        (pa.array([[1.0], [2.0]]), "expected a number"),
        (pa.array([1.0, np.inf]), "column 'b', row 2: found inf, expected a finite number"),
    ],
    ids=["text", "truth", "time", "lists", "infinite"],
)
def test_another_type_is_refused(tmp_path, column, words):
    tables.write(tmp_path / "t.parquet", pa.table({"a": [1.0, 2.0], "b": column, "y": [1.0, 2.0]}))
    said = refusal(read, tmp_path / "t.parquet")
    assert "t.parquet" in said and "column 'b'" in said and words in said


def test_whole_numbers_for_numbers_are_no_other_type(tmp_path):
    tables.write(tmp_path / "i.parquet", pa.table({"a": [1, 2], "b": [0, 1], "y": [3, 4]}))
    assert read(tmp_path / "i.parquet").table.schema.types == [pa.float64()] * 3


def test_a_value_that_its_category_does_not_have_is_refused(tmp_path):
    first = pa.table({"a": ["red", "blue"], "y": [1.0, 2.0]})
    category = {"a": {"categories": ["red", "blue"]}}
    path = csv(tmp_path, "a,y\nred,1\ngrene,2\n")
    said = refusal(new_rows.read, str(path), first, ["a"], {}, category)
    assert "new.csv, column 'a', row 2" in said and "grene" in said and "red" in said


def test_what_is_outside_trains_as_it_was_measured():
    """Kept, counted, and never moved to the bound, on the way into training and gate."""
    far = pa.table({"a": [-50.0, 1e6, 0.5], "b": [0.5, -3.0, 0.25], "y": [1.0, 2.0, 3.0]})
    kept = new_rows.keep(new_rows.Read(far), FIRST, FIRST.slice(3), ["a", "b"], SPACE)
    assert kept.outside == 2 and kept.table.equals(far)
    train = batch.numbered_after(FIRST, 0)
    new = batch.numbered_after(kept.table, 3)
    after, gate = batch.shared(train, train.slice(0, 0), new, ["a", "b"], 0.5, np.random.default_rng(0))
    both = pa.concat_tables([after.slice(3), gate]).sort_by(tables.ROW)
    assert both.drop_columns([tables.ROW]).equals(far)


def test_incomplete_rows_are_left_out_where_the_study_says_so(tmp_path):
    found = read(csv(tmp_path, "a,b,y\n1,2,3\n1,,3\n4,5,nan\n7,8,9\n"), incomplete="leave_out")
    assert found.table["a"].to_pylist() == [1.0, 7.0] and list(found.incomplete) == [2, 3]
    said = new_rows.keep(found, FIRST, FIRST.slice(3), ["a", "b"], SPACE).sentences("f.csv")
    assert "f.csv: 2 rows with empty cells (row 2, 3), left out" in said
    nothing = csv(tmp_path, "a,b,y\n1,,3\n")
    assert "every row has empty cells" in refusal(read, nothing, incomplete="leave_out")


def test_a_bad_cell_is_named_by_its_row_in_the_file_also_after_rows_that_were_left_out(tmp_path):
    said = refusal(read, csv(tmp_path, "a,b,y\n1,2,3\n1,,3\n4,5,6\n1,inf,3\n"), incomplete="leave_out")
    assert "column 'b', row 4 (line 5): found inf" in said


def test_parquet_with_nan_is_incomplete_too(tmp_path):
    tables.write(tmp_path / "n.parquet", pa.table({"a": [1.0, np.nan], "b": [1.0, 1.0], "y": [None, 2.0]}))
    assert "row 1, 2" in refusal(read, tmp_path / "n.parquet")


def test_repeats_and_leaks_are_left_out_and_what_is_outside_is_kept():
    new = pa.table({
        "a": [0.0, 2.0, 1.0, 9.0, 9.0], "b": [0.0, 1.0, 0.0, 0.5, 0.5], "y": [1.0, 7.0, 2.5, 4.0, 4.0]
    })  # fmt: skip
    held = FIRST.slice(2)  # (2, 1) -> 3
    kept = new_rows.keep(new_rows.Read(new), FIRST, held, ["a", "b"], SPACE)
    # Row 1 is known; row 2 has the inputs of a test row; row 3 repeats the inputs of a training row, with another
    # outcome, and stays; rows 4 and 5 are outside the bounds, and one of them repeats the other.
    assert (kept.known, kept.held_out, kept.outside) == (2, 1, 1)
    assert kept.table.to_pylist() == [{"a": 1.0, "b": 0.0, "y": 2.5}, {"a": 9.0, "b": 0.5, "y": 4.0}]
    assert kept.sentences("f.csv") == [
        "f.csv: 2 rows already known, left out",
        "f.csv: 1 row with the inputs of held-out test or gate rows, left out",
        "f.csv: 1 row outside the study's bounds, kept",
    ]


def test_a_folder_gives_its_tables_by_name(tmp_path):
    for name in ("2.csv", "1.parquet", "notes.md", ".hidden.csv"):
        (tmp_path / name).write_text("")
    assert named.new_files({"new": str(tmp_path)}) == [str(tmp_path / "1.parquet"), str(tmp_path / "2.csv")]
    assert named.new_files({"new": ["b.csv", "a.csv"]}) == ["b.csv", "a.csv"] and named.new_files({}) == []
    assert "no such folder" in refusal(named.new_files, {"new": str(tmp_path / "none")})
    (tmp_path / "empty").mkdir()
    assert "no table in this folder" in refusal(named.new_files, {"new": str(tmp_path / "empty")})


def numbered(n, first=1, seed=0, repeats=1):
    rng = np.random.default_rng(seed)
    a = np.repeat(rng.random(n // repeats), repeats)
    return batch.numbered_after(pa.table({"a": a, "y": rng.random(n)}), first - 1)


def test_the_gate_gets_its_share_and_rows_of_equal_inputs_stay_together():
    train, new = numbered(20), numbered(300, 21, 1, repeats=3)
    new = pa.concat_tables([new, numbered(20, 321)])  # the inputs of the training rows once more
    gate, total = train.slice(0, 0), 0
    for seed in range(20):
        after, held = batch.shared(train, gate, new, ["a"], 0.2, np.random.default_rng(seed))
        assert len(after) + len(held) == 340
        inputs = set(held["a"].to_pylist())
        assert inputs.isdisjoint(after["a"].to_pylist())
        total += len(held) / 20
    assert total == pytest.approx(0.2 * 120 * 3, rel=0.05)  # of 120 distinct inputs, 100 may be gated, 3 rows each


def test_nothing_new_changes_nothing():
    train = numbered(5)
    after, held = batch.shared(train, train.slice(0, 0), train.slice(0, 0), ["a"], 0.5, np.random.default_rng(0))
    assert after == train and len(held) == 0


# -- in a study --------------------------------------------------------------------------------------------------------

TABLE = """
study: s
problem:
  table: {{file: {folder}/one.csv, outputs: [y], new: {new}}}
surrogates: {{forest: {{kind: random_forest}}}}
objectives: {{low: {{minimize: y}}}}
"""


def written(tmp_path, new, rest=""):
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        pd.DataFrame(rng.random((12, 3)), columns=["a", "b", "y"]).to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / "s.yaml").write_text(TABLE.format(folder=tmp_path, new=new) + rest)
    return tmp_path / "s.yaml"


def test_a_round_a_file_by_default(tmp_path):
    found = study.load(written(tmp_path, f"[{tmp_path}/two.csv]"))
    assert found["rounds"] == 1 and data_checks.check(found) == []


def test_new_files_are_checked_before_any_job(tmp_path):
    path = written(tmp_path, f"[{tmp_path}/three.csv]")
    (tmp_path / "three.csv").write_text("a,b,z\n1,2,3\n")
    assert "three.csv: no column 'y'" in refusal(data_checks.check, study.load(path))


def test_rounds_need_something_to_be_made_of(tmp_path, study_file):
    assert "no simulator" in refusal(study.load, written(tmp_path, f"[{tmp_path}/two.csv]", "rounds: 2\n"))
    bare = (
        "study: s\nproblem: {simulator: paraboloid}\nobjectives: {low: {minimize: y}}\ninverters: {r: {kind: random}}\n"
    )
    assert "no surrogate to retrain" in refusal(study.load, study_file(bare + "rounds: 1\n"))
    assert study.load(study_file(bare))["rounds"] == 0
