"""A user's tables: one message for what can't be read, naming file, column, row and line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from preimage.data import tables
from preimage.support.errors import StudyError

from ..conftest import refusal
from ..table_files import DIALECTS, N, frame, read, read_pair, save, text, with_cell

pytestmark = pytest.mark.usefixtures("here")

# -- bad cells ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("wet", "found 'wet', expected a number"),
        ("1.2.3", "found '1.2.3', expected a number"),
        ("12e", "found '12e', expected a number"),
        ("1_000", "found '1_000', expected a number"),
        ("0x10", "found '0x10', expected a number"),
        ("true", "found 'true', expected a number"),
        ("2020-01-01", "found '2020-01-01', expected a number"),
        ("", "found no value, expected a number; `incomplete: leave_out` under problem.table drops such rows"),
        ("  ", "found no value, expected a number"),
        ("NaN", "found no value, expected a number"),
        ("inf", "found inf, expected a finite number"),
        ("-inf", "found -inf, expected a finite number"),
        ("1e999", "found inf, expected a finite number"),
    ],
)
def test_a_bad_cell_of_a_csv_is_named_by_column_row_and_line(cell, said, dialect):
    message = refusal(read, text(with_cell(6, "cement", cell), **dialect))
    assert message.startswith(f"mixes.csv, column 'cement', row 7 (line 8): {said}")


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (np.nan, "found no value, expected a number"),
        (None, "found no value, expected a number"),
        (np.inf, "found inf, expected a finite number"),
        (-np.inf, "found -inf, expected a finite number"),
    ],
)
@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_a_bad_cell_of_parquet_is_named_by_column_and_row(cell, said, kind):
    changed = frame()
    changed.loc[6, "cement"] = cell
    message = refusal(read, changed.astype({"cement": kind}), "m.parquet")
    assert message.startswith(f"m.parquet, column 'cement', row 7: {said}")


def test_nan_in_arrow_is_found_too():
    table = pa.table({"cement": pa.array([1.0, np.nan] * 6, from_pandas=False), "strength": range(N)})
    assert refusal(read, table, "m.parquet").startswith("m.parquet, column 'cement', row 2: found nan")


REFUSED = {
    "booleans": (pa.array([True, False] * 6), "found 'True'"),
    "dates": (pa.array(pd.date_range("2020", periods=N)), "found '2020-01-01 00:00:00'"),
    "text": (pa.array(["1.5", "x"] * 6), "row 2: found 'x'"),
    "large text": (pa.array(["1.5", "x"] * 6, pa.large_string()), "row 2: found 'x'"),
    "numbers as text": (pa.array(["1.5", "2"] * 6), "row 1: found values of type string ('1.5')"),
    "dictionary of text": (pa.array(["a", "b"] * 6).dictionary_encode(), "row 1: found 'a'"),
    "lists": (pa.array([[1.0]] * N), "found '[1.0]'"),
    "nothing": (pa.nulls(N), "row 1: found no value"),
    "bytes": (pa.array([b"\xff"] * N), "row 1: found"),
    "durations": (pa.array([1] * N, pa.duration("s")), "row 1: found"),
    "dates beyond Python's": (pa.array([2**60] * N, pa.timestamp("ms")), "row 1: found"),
}


@pytest.mark.some(2)
@pytest.mark.parametrize(("column", "said"), REFUSED.values(), ids=REFUSED)
def test_columns_that_are_no_numbers_are_refused(column, said):
    message = refusal(read, pa.table({"cement": column, "strength": range(N)}), "m.parquet")
    assert message.startswith("m.parquet, column 'cement', ") and said in message and "expected a number" in message


def test_text_gets_the_hint_that_it_may_be_a_category():
    assert refusal(read, with_cell(3, "water", "wet")).endswith(
        "; for a category, list its values under problem.inputs"
    )
    assert "category" not in refusal(read, with_cell(3, "water", ""))


def test_the_first_bad_cell_is_named_though_others_are_written_in_the_same_way():
    """In a file with decimal commas, "0,5" is a number; the text in row 8 is what is wrong."""
    lines = "".join(f"{k},5;{k}\n" for k in range(N)).replace("7,5", "dry")
    assert "row 8 (line 9): found 'dry'" in refusal(read, "cement;strength\n" + lines)


def test_lines_are_counted_in_the_file_not_in_the_table():
    body = "cement,strength\n\n1,2\n\n\n" + "3,4\n" * 11 + "\n,6\n"
    assert "row 13 (line 18): found no value" in refusal(read, body)


def test_cells_over_two_lines_count_as_two():
    body = 'note,cement,strength\n"a\nb",1,2\n' + "c,1,2\n" * 11 + "c,wet,2\n"
    assert "row 13 (line 15): found 'wet'" in refusal(read, body, ignore=["note"])


def test_the_file_of_a_pair_is_named():
    assert refusal(read_pair, frame()[["cement"]], "strength\n" + "1\n" * 11 + "wet\n").startswith(
        "y.csv, column 'strength', row 12 (line 13): found 'wet'"
    )


def test_an_empty_line_in_a_single_column_is_an_empty_cell():
    """Skipped, it would set every later row against the wrong inputs."""
    body = "strength\n" + "1\n" * 5 + "\n" + "2\n" * 6
    assert "y.csv, column 'strength', row 6 (line 7): found no value" in refusal(read_pair, frame()[["cement"]], body)


def test_text_that_is_neither_utf8_nor_windows_is_refused():
    rows = b"1,2\n" * N
    for odd in (b"\x81", b"\xff\x01"):  # no character of Windows-1252; a control character
        assert "column names that are not UTF-8" in refusal(read, b"zement" + odd + b",strength\n" + rows)
    assert "row 13 (line 14): found" in refusal(read, b"cement,strength\n" + rows + b"\xe9,1\n")
    assert "found UTF-16 text, expected UTF-8" in refusal(read, text(frame()).encode("utf-16"))


# -- bad files ---------------------------------------------------------------------------------------------------------


def test_a_missing_file_names_the_nearest():
    save("mixes.csv", frame())
    assert refusal(tables.import_table, {"file": "mixs.csv", "outputs": ["y"]}) == (
        "mixs.csv: no such file; did you mean 'mixes.csv'?"
    )
    assert refusal(tables.import_table, {"file": "no/such/mixes.csv", "outputs": ["y"]}) == (
        "no/such/mixes.csv: no such file"
    )


def test_a_directory_is_refused(here):
    (here / "data.parquet").mkdir()
    said = "data.parquet: found a directory, expected a parquet or CSV file"
    assert refusal(tables.import_table, {"file": "data.parquet", "outputs": ["y"]}) == said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("\ufeff", "the file is empty"),
        ("cement,strength\n", "found no rows"),
        ("cement,strength", "found no rows"),
    ],
)
def test_an_empty_table_is_refused(content, said):
    message = refusal(read, content)
    assert message.startswith("mixes.csv: ") and said in message


@pytest.mark.parametrize("path", ["m.csv", "m.parquet"])
def test_an_empty_frame_is_refused(path):
    assert refusal(read, frame().head(0), path) == f"{path}: found no rows"


@pytest.mark.parametrize("dialect", [{}, {"sep": ";"}, {"sep": "\t"}])
@pytest.mark.parametrize(("row", "cells"), [("1", 1), ("1,2", 2), ("1,2,3,4", 4)])
def test_a_ragged_row_is_named_by_its_line(row, cells, dialect):
    sep = dialect.get("sep", ",")
    body = text(frame(), **dialect) + "\n" + row.replace(",", sep) + "\n" + text(frame(), header=False, **dialect)
    assert refusal(read, body) == f"mixes.csv, line {N + 3}: found {cells} cells, expected 3"


def test_a_ragged_row_far_into_a_long_file_is_named_by_its_line():
    body = "cement,strength\n" + "1.25,2.5\n" * 300_000 + "1,2,3\n"
    assert refusal(read, body) == "mixes.csv, line 300002: found 3 cells, expected 2"


def test_a_parquet_file_cut_short_is_refused_wherever_it_was_cut():
    whole = Path(save("m.parquet", frame())).read_bytes()
    for size in np.random.default_rng(0).choice(len(whole), 60, replace=False):
        message = refusal(read, whole[:size], "cut.parquet")
        assert message.startswith("cut.parquet: corrupt or truncated parquet" if size else "cut.parquet: the file is")


def test_a_parquet_file_with_a_wrong_byte_is_refused_or_read():
    """A flipped bit in the values can't be seen; anywhere else it is one message."""
    whole = Path(save("m.parquet", frame())).read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for place in rng.choice(len(whole), 400, replace=False):
        changed = bytearray(whole)
        changed[place] ^= int(rng.integers(1, 256))
        try:
            read(bytes(changed), "flipped.parquet")
        except StudyError as error:
            refused += 1
            assert str(error).startswith("flipped.parquet")
    assert refused > 20


def test_a_csv_called_parquet_is_refused_as_one():
    assert "m.parquet: corrupt or truncated parquet" in refusal(read, text(frame()), "m.parquet")


@pytest.mark.parametrize("content", [b"PK\x03\x04" + bytes(range(256)) * 50, bytes(range(1, 256)) * 20, b"\x00" * 500])
def test_other_kinds_of_file_are_refused(content):
    said = refusal(read, content, "mixes.xlsx")
    assert said.startswith("mixes.xlsx") and ("save the sheet as CSV" in said) == content.startswith(b"PK")


# -- bad shapes --------------------------------------------------------------------------------------------------------


def test_rows_cut_otherwise_than_the_title_are_not_taken_for_numbers_with_commas():
    said = "x.csv, line 2: found 2 cells, expected 3"
    assert refusal(read_pair, "cement,water,age\n" + "1,2\n" * N, frame()[["strength"]]) == said


def test_a_csv_without_a_header_is_refused(tmp_path):
    path = tmp_path / "bare.csv"
    path.write_text("1.0;0,5;3\n2.0;0,7;4\n" * 20)
    message = refusal(tables.import_table, {"file": str(path), "outputs": ["y"]})
    assert "bare.csv, line 1: found numbers (1.0, 0,5, 3), expected column names" in message


def test_lengths_must_be_equal():
    said = "x.csv has 12 rows and y.parquet has 11: expected the same number"
    assert refusal(read_pair, frame()[["cement"]], frame()[["strength"]].head(11), targets="y.parquet") == said


def test_a_repeated_column_is_refused_among_text_too():
    assert refusal(read, "note;note;strength\n" + "a;1,5;2\n" * N) == "mixes.csv: duplicate column 'note' (2 times)"


@pytest.mark.parametrize("path", ["m.csv", "m.parquet"])
def test_a_repeated_column_is_refused(path):
    table = pa.table([pa.array(range(N))] * 3, names=["cement", "cement", "strength"])
    value = table if path == "m.parquet" else "cement,cement,strength\n" + "1,2,3\n" * N
    assert refusal(read, value, path) == f"{path}: duplicate column 'cement' (2 times)"


def test_a_column_in_both_files_of_a_pair_is_refused():
    said = "x.csv and y.csv: column 'cement' is in both"
    assert refusal(read_pair, frame()[["cement", "water"]], frame()[["strength", "cement"]]) == said


def test_fewer_than_ten_rows_are_refused():
    assert refusal(read, frame().head(9)) == "mixes.csv: found 9 rows, expected at least 10"
    assert len(read(frame().head(10))[0]) == 10


def test_columns_without_a_name_are_refused():
    assert "mixes.csv: a column has no name" in refusal(read, frame().to_csv())
    assert "invalid column name" in refusal(read, pa.table({"a\nb": range(N), "strength": range(N)}), "m.parquet")
    assert "invalid column name" in refusal(read, pa.table({tables.ROW: range(N), "strength": range(N)}), "m.parquet")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"outputs": ["strenth"]}, "mixes.csv: no column 'strenth'; did you mean 'strength'?"),
        ({"ignore": ["cemnt"]}, "mixes.csv: no column 'cemnt'; did you mean 'cement'?"),
        ({"outputs": ["cement", "water", "strength"]}, "mixes.csv: no input columns"),
        ({"ignore": ["cement", "water"]}, "mixes.csv: no input columns"),
        ({"ignore": ["strength"]}, "mixes.csv: column 'strength' is named in both outputs and ignore"),
    ],
)
def test_columns_must_be_there(more, said):
    assert refusal(read, frame(), **more) == said


def test_in_a_pair_too():
    x, y = frame()[["cement"]], frame()[["strength"]]
    assert "x.csv and y.csv: no column 'cemnt'; did you mean 'cement'?" in refusal(read_pair, x, y, ignore=["cemnt"])
    assert refusal(read_pair, x, y, ignore=["strength"]) == "y.csv: no output columns"
    assert refusal(read_pair, x, y, ignore=["cement"]) == "x.csv: no input columns"
