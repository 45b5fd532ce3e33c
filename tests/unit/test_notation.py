"""Numbers in other notations than the plain one: read as written where that is certain, refused where it isn't."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from preimage.data import new_rows, sources, tables, targets

from ..conftest import refusal
from ..table_files import N, frame, read, save

pytestmark = pytest.mark.usefixtures("here")


def column(cells, others=None, sep="\t"):
    """A file of a column `load` and an output."""
    others = others or range(len(cells))
    return f"load{sep}y\n" + "".join(f"{cell}{sep}{other}\n" for cell, other in zip(cells, others, strict=True))


def taken(text, **spec):
    table = tables.import_table({"file": save("t.csv", text), "outputs": ["y"], **spec}).table
    return table["load"].to_pylist()


def refused(text, **spec):
    return refusal(tables.import_table, {"file": save("t.csv", text), "outputs": ["y"], **spec})


GROUPED = ["900", "925", "950", "975"] * 2 + ["1,000", "1,025", "1,050"]
VALUES = [900, 925, 950, 975] * 2 + [1000, 1025, 1050]


@pytest.mark.parametrize(("sign", "sep"), [(",", "\t"), (",", ";"), (".", "\t"), (".", ";"), (".", ",")])
def test_signs_that_may_stand_between_thousands_are_asked_about(sign, sep):
    text = column([cell.replace(",", sign) for cell in GROUPED], sep=sep)
    assert refused(text) == (
        f"t.csv, column 'load', row 9 (line 10): found '1{sign}000', which is 1000 or 1.000: set "
        f'`thousands: "{sign}"` or `decimal: "{sign}"` under problem.table'
    )
    assert taken(text, thousands=sign) == VALUES
    assert taken(text, decimal=sign) == [*VALUES[:8], 1, 1.025, 1.05]


@pytest.mark.parametrize("settles", ["1,25", "0,125", "1234,567", "1,0000", ",5", "3,125e2"])
def test_a_cell_in_which_it_can_only_be_the_decimal_sign_settles_the_column(settles):
    assert taken(column([*GROUPED, settles]))[8:11] == [1, 1.025, 1.05]


def test_whole_numbers_settle_nothing():
    assert "which is 1000 or 1.000" in refused(column([*GROUPED, "1500", "1e5", ""]), incomplete="leave_out")


def test_the_rest_of_the_file_settles_a_column_that_always_has_the_sign():
    thousandths = ["1.234", "2.345"] * 6
    assert "which is 1234 or 1.234" in refused(column(thousandths))
    assert taken(column(thousandths, ["0.5"] * 12)) == [1.234, 2.345] * 6
    assert taken(column(thousandths, sep=",")) == [1.234, 2.345] * 6  # no comma is a decimal sign there


@pytest.mark.parametrize("marked", ["1,000", "1,015"])
def test_it_settles_none_in_which_whole_numbers_stand_beside(marked):
    assert f"row 3 (line 4): found '{marked}', which is" in refused(column(["900", "950", marked] * 4, ["0,5"] * 12))


def test_a_point_that_is_certain_leaves_no_comma_to_be_one():
    assert 'found \'1,000\', expected a number; if "," separates thousands, set `thousands: ","`' in refused(
        column(GROUPED, ["0.5"] * 11)
    )


@pytest.mark.parametrize(
    ("cell", "sign", "value"),
    [
        ("1,234,567", ",", 1234567),
        ("1.234.567", ".", 1234567),
        ("1'234", "'", 1234),
        ("1\u2019234.5", "'", 1234.5),
        ("12 345", " ", 12345),
        ("12\u00a0345,5", " ", 12345.5),
        ("1\u202f234\u202f567", " ", 1234567),
        ("-1\u2009234", " ", -1234),
    ],
)
def test_other_signs_between_thousands_are_named(cell, sign, value):
    text = column([cell, "900"] * 6)
    assert f'expected a number; if "{sign}" separates thousands, set `thousands: "{sign}"`' in refused(text)
    assert taken(text, thousands=sign) == [value, 900] * 6


@pytest.mark.parametrize("cell", ["1,00", "1,0000", "12,34,567", "0,123", "1,234,56", "1,234.5.6", ",123"])
def test_groups_of_other_sizes_are_refused_where_the_sign_is_stated(cell):
    assert f"row 12 (line 13): found '{cell}', expected a number" in refused(
        column(["1,000"] * 11 + [cell]), thousands=","
    )


def test_one_sign_cant_be_both():
    assert refused(column(GROUPED), thousands=",", decimal=",") == (
        "problem.table: ',' can't be both `decimal` and `thousands`"
    )


def test_ignored_columns_decide_nothing():
    text = "note\tload\ty\n" + "".join(f"2,5\t{cell}\t1\n" for cell in GROUPED)
    assert "column 'load', row 9" in refused(text, ignore=["note"])
    assert taken(text.replace("\t1,0", "\t0.0"), ignore=["note"])[8:] == [0, 0.025, 0.05]


# -- cells that Arrow reads otherwise ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell", ["0x10", "0X1f", "0xFFFFFFFFFFFFFFFF", "1_000", "١٢", "１２", "5 kg", "5%", "true", "12:30"]
)
def test_texts_among_whole_numbers_are_no_numbers(cell):
    message = refused(column(["3"] * 11 + [cell], sep=";"))
    assert f"t.csv, column 'load', row 12 (line 13): found '{cell}', expected a number" in message


@pytest.mark.parametrize("others", ["3", "3.5"])
@pytest.mark.parametrize(
    "cell",
    ["9007199254740993", "-9007199254740993", "9223372036854775809", "18446744073709551615", "9007199254740993.0"],
)
def test_whole_numbers_that_lose_digits_are_refused(cell, others):
    message = refused(column([others] * 11 + [cell], sep=";"))
    assert f"row 12 (line 13): found {cell}, which loses digits in double precision" in message


@pytest.mark.parametrize(
    "cell", ["9007199254740992", "9223372036854775808", "1e300", "123456789012345670000", "1e-300"]
)
def test_large_numbers_that_lose_none_are_read(cell):
    assert taken(column(["3"] * 11 + [cell]))[-1] == float(cell)


def test_a_number_that_would_vanish_is_refused():
    assert "found '1e-400', which is too small" in refused(column(["3"] * 11 + ["1e-400"]))
    assert taken(column(["0.000", "0e5", "-0", "3"] * 3)) == [0, 0, 0, 3] * 3


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (pa.array([2**53 + 1] * N), "row 1: found 9007199254740993, which loses digits"),
        (pa.array([0] * 11 + [2**64 - 1], pa.uint64()), "row 12: found 18446744073709551615, which loses digits"),
        (
            pa.array([Decimal("0.1")] * 11 + [Decimal("1234567890123456.789")]),
            "row 12: found 1234567890123456.789, which",
        ),
        (pa.array([Decimal("0.1234567890123456789")] * N), "row 1: found 0.1234567890123456789, which loses digits"),
    ],
    ids=["int64", "uint64", "large decimals", "fine decimals"],
)
def test_columns_of_parquet_that_lose_digits_are_refused(values, said):
    message = refusal(read, pa.table({"cement": values, "strength": range(N)}), "m.parquet")
    assert message.startswith(f"m.parquet, column 'cement', {said}")


def test_decimals_are_rounded_as_python_does():
    cells = [Decimal(f"0.{k}") * 7 for k in range(1, N)] + [Decimal("123456.789012")]
    back, _, _ = read(pa.table({"cement": pa.array(cells), "strength": range(N)}), "m.parquet")
    assert back["cement"].tolist() == [float(c) for c in cells]


def test_whole_inputs_have_no_fractions():
    save("t.csv", column(["3"] * 11 + ["2.5"]))
    spec = {"file": "t.csv", "outputs": ["y"]}
    assert refusal(tables.import_table, spec, {}, ["load"]).startswith(
        "t.csv, column 'load', row 12 (line 13): found 2.5, expected a whole number, because problem.inputs.load sets"
    )
    first = tables.import_table(spec).table
    assert "found 2.5, expected a whole number" in refusal(new_rows.read, "t.csv", first, ["load"], {}, {}, ["load"])
    save("t.csv", column(["3", "2.0"] * 6))
    assert tables.import_table(spec, {}, ["load"]).table["load"].to_pylist() == [3, 2] * 6


# -- columns that are not what they seem -------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [np.arange(N) * 7, np.arange(N) * 7.5 + np.arange(N) ** 2], ids=["range", "column"])
def test_a_named_index_is_left_out_and_said(values):
    path = save("m.parquet", frame().set_index(pd.Index(values, name="run")))
    spec = {"file": path, "outputs": ["strength"]}
    assert tables.import_table(spec).sentences() == [
        "m.parquet: 'run' is the index of a DataFrame and is left out; to make it a column, call reset_index() "
        "before saving; to silence this, list it under `ignore`"
    ]
    assert tables.import_table({**spec, "ignore": ["run"]}).sentences() == []
    said = "m.parquet: 'run' is the index of a DataFrame; save it after reset_index()"
    assert refusal(tables.import_table, {**spec, "outputs": ["run"]}) == said


def test_an_index_that_is_looked_for_as_a_column_is_refused(here):
    y = pd.DataFrame({"y": [1.0, 2.0], "z": [3.0, 4.0]})
    save("wanted.parquet", y.set_index("y"))
    said = "wanted.parquet: 'y' is the index of a DataFrame; save it after reset_index()"
    assert refusal(targets.read, "goal", "wanted.parquet", ["y", "z"]) == f"objectives.goal.targets: {said}"
    first = pa.table({"z": [0.0], "y": [0.0]})
    assert refusal(new_rows.read, "wanted.parquet", first, ["z"], {}, {}) == said


def test_numbers_of_a_categorical_column_are_said_to_be_taken_as_numbers():
    path = save("m.parquet", frame(grade=pd.Categorical([1, 2, 3] * 4)))
    spec = {"file": path, "outputs": ["strength"]}
    (said,) = tables.import_table(spec).sentences()
    assert said.startswith("m.parquet, column 'grade': read a categorical column of numbers as numbers")
    assert tables.import_table(spec, {"grade": {"categories": [1, 2, 3]}}).sentences() == []


def test_titles_that_look_the_same_are_refused_and_capitals_said():
    for one, other in (("water", "water "), ("w c", "w  c"), ("H\u00e4rter", "Ha\u0308rter")):
        assert "look the same" in refusal(read, pd.DataFrame({one: range(N), other: range(N), "strength": range(N)}))
    save("m.csv", frame(Water=1.5))
    found = tables.import_table({"file": "m.csv", "outputs": ["strength"]})
    assert found.sentences() == ["m.csv: columns 'water' and 'Water' differ only in case"]


# -- other files -------------------------------------------------------------------------------------------------------


def test_targets_are_read_with_the_same_care():
    save("wanted.csv", "y\n950\n1,050\n")
    assert refusal(targets.read, "goal", "wanted.csv", ["y"]) == (
        "objectives.goal.targets: wanted.csv, column 'y', row 2 (line 3): found '1,050', which is 1050 or 1.050: "
        "write 1050 or 1,0500"
    )
    save("wanted.csv", "y\n9007199254740993\n")
    assert "which loses digits" in refusal(targets.read, "goal", "wanted.csv", ["y"])


def test_new_rows_are_read_in_the_notation_of_the_first():
    first = tables.import_table({"file": save("t.csv", column(GROUPED)), "outputs": ["y"], "thousands": ","}).table
    save("new.csv", column(["900", "1,075"]))
    assert "which is 1075 or 1.075" in refusal(new_rows.read, "new.csv", first, ["load"], {}, {})
    assert new_rows.read("new.csv", first, ["load"], {"thousands": ","}, {}).table["load"].to_pylist() == [900, 1075]


def test_what_a_column_says_far_into_a_long_file_counts():
    rows = ["900"] * 50_000
    assert "row 50001 (line 50002): found '1,000', which is" in refused(column([*rows, "1,000"]))
    assert taken(column([*rows, "1,000", "1,5"]))[-2:] == [1, 1.5]
    assert sources.read_file(save("t.csv", column(rows)), [], []).doubts == {}
