"""What spreadsheet programs write: Windows-1252, marks for missing values, units in a workbook."""

import numpy as np
import openpyxl
import pytest

from preimage.data import tables

from ..conftest import refusal
from ..table_files import save

pytestmark = pytest.mark.usefixtures("here")
LEFT_OUT = {"incomplete": "leave_out"}


def taken(path, **spec):
    """Return a table that was read, and what was said of it."""
    found = tables.import_table({"file": path, "outputs": ["y"], **spec})
    return found[0], found.sentences()


def test_windows_text_is_read_and_said():
    text = "F\u00fcller;Gr\u00f6\u00dfe;y\n" + "1,5;2,25;3,5\n" * 12
    for encoding, words in (("cp1252", ["t.csv: its text is not UTF-8; read as Windows-1252"]), ("utf-8", [])):
        table, said = taken(save("t.csv", text.encode(encoding)))
        assert table["F\u00fcller"].to_pylist() == [1.5] * 12 and "Gr\u00f6\u00dfe" in table.column_names
        assert said == words


def test_units_and_lines_of_windows_text():
    body = "a;T;y\n[g/l];[\u00b0C];[-]\n" + "1,5;2,25;3,5\n" * 12
    table, _ = taken(save("t.csv", body.encode("cp1252")))
    assert tables.units_of(table) == {"a": "g/l", "T": "\u00b0C"}
    bad = body + "\u00fc;1;1\n"
    assert "column 'a', row 13 (line 15): found '\u00fc'" in refusal(taken, save("t.csv", bad.encode("cp1252")))


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_marks_of_missing_values_are_empty_cells(form):
    rows = [["a", "kind", "y"], *[[1.5, "red", 3.5]] * 12, ["n.b.", "red", 1.0], [2.5, "-", 2.0], [3.5, "red", -999]]
    if form == "csv":
        path = save("t.csv", "\n".join(",".join(map(str, row)) for row in rows) + "\n")
    else:
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        book.save(path := "t.xlsx")
    marks = {"missing": ["n.b.", "-", "-999"]}
    kind = {"categories": {"kind": {"categories": ["red", "blue"]}}}
    read = tables.import_table({"file": path, "outputs": ["y"], **marks, **LEFT_OUT}, **kind)
    table, said = read[0], read.sentences()
    assert len(table) == 12 and np.ptp(table["y"].to_numpy()) == 0
    assert any("3 rows with empty cells (row 13, 14, 15)" in s for s in said)
    message = refusal(tables.import_table, {"file": path, "outputs": ["y"], **marks}, **kind)
    assert "3 rows with empty cells" in message or "row 13" in message


def test_a_row_of_units_in_a_workbook_is_taken_as_units():
    book = openpyxl.Workbook()
    for row in (["a", "b", "y"], ["[kg]", None, "MPa"], *[[1, 2.5, 3]] * 12):
        book.active.append(row)
    book.save("t.xlsx")
    table, said = taken("t.xlsx")
    assert tables.units_of(table) == {"a": "kg", "y": "MPa"} and len(table) == 12
    assert said == ["t.xlsx: read the row below the header as units (a in kg, y in MPa), not as data"]
