"""A user's tables: what is read without fuss, and one message for what can't be."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from preimage.data import sources, tables
from preimage.errors import StudyError

from ..conftest import refusal

N = 12


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Paths in studies are relative to the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def frame(**changed):
    columns = {"cement": np.arange(N) + 0.5, "water": np.arange(N) * 10, "strength": np.arange(N) / 3}
    return pd.DataFrame({**columns, **changed})


def save(path, value):
    """Write a DataFrame by its suffix, an Arrow table as parquet, text or bytes as they are."""
    if isinstance(value, pd.DataFrame):
        value.to_parquet(path) if path.endswith(".parquet") else value.to_csv(path, index=False)
    elif isinstance(value, pa.Table):
        pq.write_table(value, path)
    else:
        Path(path).write_bytes(value.encode() if isinstance(value, str) else value)
    return path


def read(value, path="mixes.csv", outputs=("strength",), categories=None, ignore=()):
    """Read one file; return it as a DataFrame with its inputs and outputs."""
    spec = {"file": save(path, value), "outputs": list(outputs), "ignore": list(ignore)}
    table, inputs, outputs = tables.import_table(spec, categories)
    return table.to_pandas(), inputs, outputs


def read_pair(x, y, features="x.csv", targets="y.csv", **more):
    table, inputs, outputs = tables.import_table({"features": save(features, x), "targets": save(targets, y), **more})
    return table.to_pandas(), inputs, outputs


def text(value, **options):
    return value.to_csv(index=False, **options)


def with_cell(row, column, value):
    """Return the plain table with one cell replaced by text."""
    changed = frame().astype(object)
    changed.loc[row, column] = value
    return changed


# -- read without fuss -------------------------------------------------------------------------------------------------

DIALECTS = {
    "plain": {},
    "semicolons": {"sep": ";"},
    "tabs": {"sep": "\t"},
    "decimal commas": {"sep": ";", "decimal": ","},
    "tabs and decimal commas": {"sep": "\t", "decimal": ","},
    "carriage returns": {"lineterminator": "\r\n"},
    "quoted": {"quoting": 1},
}


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


def test_rows_cut_otherwise_than_the_title_are_not_taken_for_numbers_with_commas():
    said = "x.csv, line 2: found 2 cells, expected 3"
    assert refusal(read_pair, "cement,water,age\n" + "1,2\n" * N, frame()[["strength"]]) == said


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
    assert len(text(wide.head(0))) > sources.HEAD
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
    read_back, _, _ = tables.import_table({"file": save("m.parquet", table), "outputs": ["strength"]})
    assert tables.units_of(read_back) == {"cement": "kg/m3"}
    named = tables.with_units(read_back, {"strength": "MPa"})
    assert tables.units_of(named) == {"cement": "kg/m3", "strength": "MPa"}
    tables.write("own.parquet", tables.numbered(named))
    again = tables.read("own.parquet")
    assert tables.units_of(again) == {"cement": "kg/m3", "strength": "MPa"}
    assert again[tables.ROW].to_pylist() == list(range(1, 13))
    assert tables.read("own.parquet", ["strength"]).column_names == ["strength"]


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
        ("", "found no value, expected a number"),
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
    assert message == f"m.parquet, column 'cement', row 7: {said}"


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


def test_text_that_is_not_utf8_is_refused():
    rows = b"1,2\n" * N
    assert "column names that are not UTF-8" in refusal(read, b"zement\xe9,strength\n" + rows)
    assert "row 13 (line 14): found" in refusal(read, b"cement,strength\n" + rows + b"\xe9,1\n")
    assert "mixes.csv: not a CSV table" in refusal(
        read, b"grade,strength\n" + rows + b"\xe9,1\n", categories={"grade": {"categories": ["1"]}}
    )
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
    assert refusal(read, content, "mixes.xlsx").startswith("mixes.xlsx")


# -- bad shapes --------------------------------------------------------------------------------------------------------


def test_lengths_must_be_equal():
    said = "x.csv has 12 rows and y.parquet has 11: expected the same number"
    assert refusal(read_pair, frame()[["cement"]], frame()[["strength"]].head(11), targets="y.parquet") == said


def test_a_repeated_column_is_refused_among_text_too():
    assert refusal(read, "note;note;strength\n" + "a;1,5;2\n" * N) == "mixes.csv: column 'note' is there 2 times"


@pytest.mark.parametrize("path", ["m.csv", "m.parquet"])
def test_a_repeated_column_is_refused(path):
    table = pa.table([pa.array(range(N))] * 3, names=["cement", "cement", "strength"])
    value = table if path == "m.parquet" else "cement,cement,strength\n" + "1,2,3\n" * N
    assert refusal(read, value, path) == f"{path}: column 'cement' is there 2 times"


def test_a_column_in_both_files_of_a_pair_is_refused():
    said = "x.csv and y.csv: column 'cement' is in both"
    assert refusal(read_pair, frame()[["cement", "water"]], frame()[["strength", "cement"]]) == said


def test_fewer_than_ten_rows_are_refused():
    assert refusal(read, frame().head(9)) == "mixes.csv: found 9 rows, expected at least 10"
    assert len(read(frame().head(10))[0]) == 10


def test_columns_without_a_name_are_refused():
    assert "mixes.csv: a column has no name" in refusal(read, frame().to_csv())
    assert "can't be used" in refusal(read, pa.table({"a\nb": range(N), "strength": range(N)}), "m.parquet")
    assert "can't be used" in refusal(read, pa.table({tables.ROW: range(N), "strength": range(N)}), "m.parquet")


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


# -- ranges ------------------------------------------------------------------------------------------------------------


def test_ranges_are_the_smallest_and_largest_value():
    table = pa.table({"a": [3.0, -1.5, 2.0], "g": ["u", "v", "u"]})
    assert tables.ranges(table, ["a", "g"], ["g"]) == {"a": (-1.5, 3.0), "g": (0.0, 0.0)}


def test_a_csv_without_a_header_is_refused(tmp_path):
    path = tmp_path / "bare.csv"
    path.write_text("1.0;0,5;3\n2.0;0,7;4\n" * 20)
    message = refusal(tables.import_table, {"file": str(path), "outputs": ["y"]})
    assert "bare.csv, line 1: found numbers (1.0, 0,5, 3), expected the names of the columns" in message


def test_titles_that_are_numbers_in_order_are_titles(tmp_path):
    """Spectra have wavelengths for titles."""
    spectra = pd.DataFrame(np.random.default_rng(0).random((12, 3)), columns=["400.5", "401.5", "402.5"])
    spectra.to_csv(tmp_path / "spectra.csv", index=False)
    pd.DataFrame({"y": range(12)}).to_csv(tmp_path / "y.csv", index=False)
    pair = {"features": str(tmp_path / "spectra.csv"), "targets": str(tmp_path / "y.csv")}
    assert tables.import_table(pair)[1] == ["400.5", "401.5", "402.5"]
