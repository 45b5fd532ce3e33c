"""Units in the row below a title: seen, used, said; and never a row of data."""

import pytest

from preimage.data import new_rows, tables, targets
from preimage.data.unit_row import bare, is_unit
from preimage.study import data_checks

from ..conftest import refusal
from ..table_files import save

pytestmark = pytest.mark.usefixtures("here")

BODY = "63,8;36,2;10,1\n60,0;40,0;11,2\n" * 6


def found(units, body=BODY, title="a;b;y", **spec):
    text = f"{title}\n{units}\n{body}"
    return tables.import_table({"file": save("t.csv", text), "outputs": ["y"], **spec})


@pytest.mark.parametrize(
    ("row", "units"),
    [
        ("%;%;mPa·s", {"a": "%", "b": "%", "y": "mPa·s"}),
        ("[kg/m3];[°C];[-]", {"a": "kg/m3", "b": "°C"}),
        ("(mm);;1/min", {"a": "mm", "y": "1/min"}),
        ("-;wt.-%;W/(m K)", {"b": "wt.-%", "y": "W/(m K)"}),
        ('"g/l";"µm";"m^2"', {"a": "g/l", "b": "µm", "y": "m^2"}),
    ],
)
def test_a_row_of_units_is_taken_as_units_and_said(row, units):
    table, _, _, _ = back = found(row)
    assert table["a"].to_pylist() == [63.8, 60.0] * 6 and tables.units_of(table) == units
    (said,) = back.sentences()
    listed = ", ".join(f"{n} in {u}" for n, u in units.items())
    assert said == f"t.csv: read the row below the header as units ({listed}), not as data"


@pytest.mark.parametrize(
    "row", ["wet;dry;wet", "x;y;z", "mean;mean;mean", "1,5;%;mPa·s", "-;-;-", ";;", "n/a;NA;NaN", "%;wet;mPa·s"]
)
def test_other_rows_are_data(row):
    said = refusal(found, row)
    assert said.startswith("t.csv, column '") and ", row 1 (line 2): found" in said and "expected a number" in said


def test_the_study_may_say_what_the_row_is():
    assert tables.units_of(found("Punkte;Shore;[Note]", unit_row=True).table) == {
        "a": "Punkte", "b": "Shore", "y": "Note"}  # fmt: skip
    assert refusal(found, "Punkte;Shore;Note").endswith(
        "; if this row holds units, set `unit_row: true` under problem.table"
    )
    assert "row 1 (line 2): found '%', expected a number" in refusal(found, "%;%;s", unit_row=False)
    assert len(found("1;2;3", unit_row=True).table) == 13  # numbers are no units


@pytest.mark.parametrize(("gap", "line"), [("", 5), ("\n\n", 7)])
def test_rows_are_counted_below_the_units_and_lines_in_the_file(gap, line):
    body = "1,5;2;3\n1;2;3\nwet;2;3\n" + "1;2;3\n" * 9
    said = refusal(found, f"{gap}%;%;s", body)
    assert said.startswith(f"t.csv, column 'a', row 3 (line {line}): found 'wet'")
    left_out = found("%;%;s", body.replace("wet", ""), incomplete="leave_out")
    assert left_out.sentences()[1] == "problem.table: 1 row with empty cells (row 3), left out"


def test_columns_of_text_need_no_unit():
    body = "V1;u;1;2\nV2;v;3;4\n" * 6
    spec = {"file": save("t.csv", "id;g;a;y\n;-;mm;s\n" + body), "outputs": ["y"], "ignore": ["id"]}
    table = tables.import_table(spec, {"g": {"categories": ["u", "v"]}}).table
    assert tables.units_of(table) == {"a": "mm", "y": "s"} and table["g"].to_pylist() == ["u", "v"] * 6


def test_new_rows_and_targets_must_have_the_same_units():
    first = found("%;%;mPa·s").table
    save("new.csv", "a;b;y\n%;%;mPa·s\n1;2;3\n")
    new = new_rows.read("new.csv", first, ["a", "b"], {}, {})
    assert new.table["y"].to_pylist() == [3] and "as units (" in new.notes[0]
    save("new.csv", "a;b;y\n%;%;Pa·s\n1;2;3\n")
    assert "column 'y': found unit Pa·s, expected mPa·s" in refusal(new_rows.read, "new.csv", first, ["a", "b"], {}, {})
    save("wanted.csv", "y\nPa·s\n1,5\n")
    said = refusal(targets.read, "goal", "wanted.csv", ["y"], {"y": "mPa·s"})
    assert said.endswith("wanted.csv, column 'y': found unit Pa·s, expected mPa·s as in the data")
    assert targets.read("goal", "wanted.csv", ["y"], {"y": "Pa·s"}).values.tolist() == [[1.5]]


def test_a_unit_that_the_study_states_is_shown_and_that_of_the_file_still_compared():
    first = tables.with_units(tables.with_units(found("%;%;mPa·s").table, {"y": "mPas", "a": "%"}), {"y": "mPas"})
    assert tables.units_of(first) == {"a": "%", "b": "%", "y": "mPas"}
    for unit in ("mPa·s", "mPas"):
        save("new.csv", f"a;b;y\n%;%;{unit}\n1;2;3\n")
        assert len(new_rows.read("new.csv", first, ["a", "b"], {}, {}).table) == 1
    save("new.csv", "a;b;y\n%;%;Pa·s\n1;2;3\n")
    said = refusal(new_rows.read, "new.csv", first, ["a", "b"], {}, {})
    assert said == "new.csv, column 'y': found unit Pa·s, expected mPas or mPa·s as in the first table"
    assert data_checks._other_units(found("%;%;mPa·s").table, {"y": "mPas", "a": "%"}) == [
        "column 'y': its file states the unit mPa·s, the study mPas; values are not converted"
    ]


@pytest.mark.parametrize(
    "cell",
    [
        "kg/m³",
        "J/(mol·K)",
        "m·s^-1",
        "W/m2K",
        "U/min",
        "‰",
        "Gew.-%",
        "µm",
        "h-1",
        "m/s²",
        "ppm",
        "°Bx",
        "10^-3",
        "rpm",
        "cm-1",
        "mg/dL",
        "[Härte]",
        "€",
    ],
)
def test_what_reads_as_a_unit(cell):
    assert is_unit(cell) != (cell == "10^-3")


@pytest.mark.parametrize(
    "cell",
    [
        "wet",
        "dry",
        "max",
        "mean",
        "std",
        "steel",
        "Aceton",
        "V001",
        "true",
        "yes",
        "low",
        "5kg",
        "1,5",
        "NaN",
        "n/a",
        "?",
        "time",
        "load",
    ],
)
def test_what_does_not(cell):
    assert not is_unit(cell)


def test_brackets_and_dashes_are_no_part_of_a_unit():
    assert [bare(cell) for cell in ("[mm]", " (s) ", "-", "[-]", "", "J/(mol K)")] == [
        "mm",
        "s",
        "",
        "",
        "",
        "J/(mol K)",
    ]
