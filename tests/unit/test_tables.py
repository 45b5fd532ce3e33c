"""A user's tables: what is read without fuss."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from preimage.data import dialects, tables

from ..conftest import refusal
from ..table_files import DIALECTS, N, frame, read, read_pair, save, text

pytestmark = pytest.mark.usefixtures("here")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "byte order mark"])
@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_dialects_of_csv_read_as_the_same_table(dialect, mark):
    back, inputs, outputs = read(mark + text(frame(), **dialect).encode())
    pd.testing.assert_frame_equal(back, frame().astype(float))
    assert (inputs, outputs) == (["cement", "water"], ["strength"])


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_a_pair_whose_targets_are_a_single_column_reads_in_every_dialect(dialect):
    x, y = frame()[["cement", "water"]], frame()[["strength"]]
    back, inputs, outputs = read_pair(text(x, **dialect), text(y, **dialect))
    pd.testing.assert_frame_equal(back, frame().astype(float))
    assert (inputs, outputs) == (["cement", "water"], ["strength"])


def test_parquet_and_csv_go_together():
    back, inputs, _ = read_pair(frame()[["cement"]], frame()[["strength"]], features="x.parquet")
    pd.testing.assert_frame_equal(back, frame()[["cement", "strength"]])
    assert inputs == ["cement"]


def test_outputs_come_last_whatever_their_place():
    back, inputs, outputs = read(frame(), outputs=["strength", "cement"])
    assert (list(back), inputs, outputs) == (["water", "strength", "cement"], ["water"], ["strength", "cement"])


def test_titles_may_hold_the_other_signs():
    titled = frame().rename(columns={"cement": "cement, kg/m3", "water": "water; kg/m3"})
    for dialect in ({}, {"sep": ";", "decimal": ","}, {"sep": "\t"}):
        assert read(text(titled, **dialect))[1] == ["cement, kg/m3", "water; kg/m3"]


@pytest.mark.parametrize("title", ["strength; MPa", "strength, MPa"])
def test_the_title_of_a_single_column_may_hold_any_sign(title):
    _, inputs, outputs = read_pair(frame()[["cement"]], title + "\n" + "1.5\n" * N)
    assert (inputs, outputs) == (["cement"], [title])


def test_a_file_whose_decimal_commas_come_late_is_read_all_the_same():
    rows = "1;2;3\n" * 20_000
    back, _, _ = read("cement;water;strength\n" + rows + "1,5;2;3\n")
    assert len(back) == 20_001 and back["cement"].iloc[-1] == 1.5


def test_a_remark_that_looks_like_another_decimal_sign_does_not_mislead():
    lines = "".join(f"1,5;{k}.25;{k}\n" for k in range(N))
    back, inputs, _ = read("remark;cement;strength\n" + lines, ignore=["remark"])
    assert inputs == ["cement"] and back["cement"].tolist() == [k + 0.25 for k in range(N)]


def test_a_remark_with_a_point_does_not_mislead_where_commas_are_decimal():
    lines = "".join(f"1.5;{k},25;{k},5\n" for k in range(N))
    back, _, _ = read("remark;cement;strength\n" + lines, ignore=["remark"])
    assert back["cement"].tolist() == [k + 0.25 for k in range(N)]


def test_whole_numbers_first_and_fractions_later_are_one_column_of_floats():
    lines = "".join(f"{k},{k}\n" for k in range(200_000)) + "0.5,1e-3\n"
    back, _, _ = read("cement,strength\n" + lines)
    assert back.dtypes.tolist() == [float, float] and back.iloc[-1].tolist() == [0.5, 1e-3]


@pytest.mark.parametrize("sep", [",", ";", "\t"])
def test_a_title_longer_than_the_head_is_no_hindrance(sep):
    wide = pd.DataFrame(np.arange(7000.0).reshape(10, 700), columns=["x" * 100 + str(k) for k in range(700)])
    assert len(text(wide.head(0))) > dialects.HEAD
    back, _, _ = read(text(wide, sep=sep), outputs=[wide.columns[0]])
    pd.testing.assert_frame_equal(back[list(wide)], wide)


@pytest.mark.parametrize("end", ["", "\n", "\n\n\n", "\r\n\r\n"])
def test_blank_lines_at_the_end_are_nothing(end):
    for body, outputs in ((text(frame()), ["strength"]), (text(frame()[["strength"]]), None)):
        if outputs:
            assert len(read(body.rstrip("\n") + end)[0]) == N
        else:
            assert len(read_pair(frame()[["cement"]], body.rstrip("\n") + end)[0]) == N


ARROW = {
    "integers": pa.array(range(N), pa.int16()),
    "unsigned": pa.array(range(N), pa.uint64()),
    "float32": pa.array(np.arange(N) / 3, pa.float32()),
    "float16": pa.array(np.arange(N, dtype=np.float16)),
    "decimals": pa.array([Decimal(k) / 4 for k in range(N)], pa.decimal128(10, 4)),
    "dictionary of numbers": pa.array(np.arange(N) / 2).dictionary_encode(),
    "chunks": pa.chunked_array([np.arange(5.0), np.arange(7.0)]),
}


@pytest.mark.parametrize("column", ARROW.values(), ids=ARROW)
def test_columns_of_numbers_of_any_kind_are_floats(column):
    back, _, _ = read(pa.table({"cement": column, "strength": np.arange(N)}), "m.parquet")
    assert back["cement"].dtype == float
    assert back["cement"].tolist() == [float(v) for v in column.to_pylist()]


@pytest.mark.parametrize(
    "index",
    [
        pd.Index(np.arange(N) * 7),
        pd.Index(np.arange(N) * 7, name="sample"),
        pd.MultiIndex.from_product([range(3), list("abcd")], names=["site", None]),
        pd.date_range("2020", periods=N, name="day"),
    ],
    ids=["unnamed", "named", "two levels", "dates"],
)
def test_the_index_of_pandas_is_no_input(index):
    assert read(frame().set_index(index), "m.parquet")[1] == ["cement", "water"]
    x, y = frame()[["cement", "water"]].set_index(index), frame()[["strength"]].set_index(index)
    assert read_pair(x, y, "x.parquet", "y.parquet")[1] == ["cement", "water"]


def test_a_parquet_file_is_known_by_its_content_whatever_its_name():
    Path(save("m.parquet", frame())).rename("m.data")
    assert tables.import_table({"file": "m.data", "outputs": ["strength"]})[1] == ["cement", "water"]


def test_columns_may_be_ignored():
    wide = frame(id=list("abcdefghijkl"), note="x")
    assert read(wide, ignore=["id", "note"])[1] == ["cement", "water"]
    assert read_pair(wide[["id", "cement"]], wide[["note", "strength"]], ignore=["id", "note"])[1] == ["cement"]


def test_an_index_column_of_csv_may_be_ignored():
    assert read(frame().to_csv(), ignore=[""])[1] == ["cement", "water"]


def test_units_of_parquet_columns_are_kept_and_named_anew():
    fields = [pa.field("cement", pa.float64(), metadata={"unit": "kg/m3"}), pa.field("strength", pa.float64())]
    table = pa.table([np.arange(12.0), np.arange(12.0)], pa.schema(fields))
    read_back, _, _, _ = tables.import_table({"file": save("m.parquet", table), "outputs": ["strength"]})
    assert tables.units_of(read_back) == {"cement": "kg/m3"}
    named = tables.with_units(read_back, {"strength": "MPa"})
    assert tables.units_of(named) == {"cement": "kg/m3", "strength": "MPa"}
    tables.write("own.parquet", tables.numbered(named))
    again = tables.read("own.parquet")
    assert tables.units_of(again) == {"cement": "kg/m3", "strength": "MPa"}
    assert again[tables.ROW].to_pylist() == list(range(1, 13))
    assert tables.read("own.parquet", ["strength"]).column_names == ["strength"]


def test_ranges_are_the_smallest_and_largest_value():
    table = pa.table({"a": [3.0, -1.5, 2.0], "g": ["u", "v", "u"]})
    assert tables.ranges(table, ["a", "g"], ["g"]) == {"a": (-1.5, 3.0), "g": (0.0, 0.0)}


def test_titles_that_are_numbers_in_order_are_titles(tmp_path):
    """Spectra have wavelengths for titles."""
    spectra = pd.DataFrame(np.random.default_rng(0).random((12, 3)), columns=["400.5", "401.5", "402.5"])
    spectra.to_csv(tmp_path / "spectra.csv", index=False)
    pd.DataFrame({"y": range(12)}).to_csv(tmp_path / "y.csv", index=False)
    pair = {"features": str(tmp_path / "spectra.csv"), "targets": str(tmp_path / "y.csv")}
    assert tables.import_table(pair)[1] == ["400.5", "401.5", "402.5"]


# -- categories --------------------------------------------------------------------------------------------------------

GRADES = {"grade": {"categories": ["07", "1", "no", "NA"]}}


@pytest.mark.parametrize("cells", [["07", "no", "NA"], ["1", "1", "07"], ["07", "07", "07"]])
def test_categories_are_text_as_written(cells):
    graded = frame(grade=cells * 4)
    for value, path in ((graded, "m.csv"), (text(graded, sep=";", decimal=","), "m.csv"), (graded, "m.parquet")):
        back, inputs, _ = read(value, path, categories=GRADES)
        assert back["grade"].tolist() == cells * 4
        assert inputs == ["cement", "water", "grade"]


def test_numbers_in_parquet_may_be_categories():
    back, _, _ = read(frame(grade=[1, 7, 1] * 4), "m.parquet", categories={"grade": {"categories": [1, 7]}})
    assert back["grade"].tolist() == ["1", "7", "1"] * 4


@pytest.mark.parametrize("path", ["m.csv", "m.parquet"])
def test_a_category_that_is_not_declared_is_named_by_its_place(path):
    graded = frame(grade=["07", "no", "1", "yes"] * 3)
    message = refusal(read, graded, path, categories=GRADES)
    line = " (line 5)" if path == "m.csv" else ""
    assert message == (
        f"{path}, column 'grade', row 4{line}: found 'yes', expected one of the declared categories 07, 1, no, NA"
    )


@pytest.mark.parametrize(("path", "line"), [("m.csv", " (line 4)"), ("m.parquet", "")])
def test_an_empty_category_is_named_by_its_place(path, line):
    graded = frame(grade=["1", "1", None, "1"] * 3)
    message = refusal(read, graded, path, categories=GRADES)
    assert f"{path}, column 'grade', row 3{line}: found no value, expected one of" in message


def test_categories_of_no_input_are_refused():
    assert "problem.inputs.grad: no such input; did you mean 'grade'?" in refusal(
        read, frame(grade="1"), categories={"grad": GRADES["grade"]}
    )
    assert "problem.inputs.strength: no such input" in refusal(
        read, frame(), categories={"strength": {"categories": ["a"]}}
    )


def test_lists_are_no_categories():
    table = pa.table({"grade": [[1]] * N, "strength": range(N)})
    message = refusal(read, table, "m.parquet", categories=GRADES)
    assert message == "m.parquet, column 'grade': found list<element: int64>, expected text or numbers"


# -- rows with empty cells ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_rows_with_empty_cells_in_either_file_are_left_out_where_the_study_says_so(suffix):
    x = frame(grade=["a", "b"] * (N // 2)).astype({"water": float}).drop(columns="strength")
    y = frame(cost=1.0)[["strength", "cost"]]
    x.loc[2, "water"], x.loc[7, "grade"], y.loc[7, "cost"] = np.nan, None, np.nan
    spec = {"features": save(f"x.{suffix}", x), "targets": save(f"y.{suffix}", y)}
    categories = {"grade": {"categories": ["a", "b"]}}
    assert f"x.{suffix}, column 'water', row 3" in refusal(tables.import_table, spec, categories)
    found = tables.import_table({**spec, "incomplete": "leave_out"}, categories)
    assert found.sentences() == ["problem.table: 2 rows with empty cells (row 3, 8), left out"]
    kept = [1, 2, 4, 5, 6, 7, 9, 10, 11, 12]
    assert found.table["cement"].to_pylist() == [r - 0.5 for r in kept]
    assert tables.numbered(found.table, found.left_out)[tables.ROW].to_pylist() == kept


def test_blank_cells_of_numbers_are_empty():
    body = text(frame()).replace("\n3.5,", "\n  ,")
    spec = {"file": save("blank.csv", body), "outputs": ["strength"], "incomplete": "leave_out"}
    assert tables.import_table(spec).left_out == [4]


def test_a_table_of_nothing_but_gaps_is_refused():
    said = refusal(read_pair, frame()[["cement"]], frame(strength=np.nan)[["strength"]], incomplete="leave_out")
    assert said == "x.csv: every row has empty cells"
