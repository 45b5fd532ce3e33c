"""A table of floats reads back equal, to the bit, in whatever way it was written; anything else is one message."""

import csv
import string
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import assume, given
from hypothesis import strategies as st

from preimage.data import tables
from preimage.support.errors import StudyError

from ..conftest import examples

FINITE = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 5e-324, 1.7976931348623157e308])
WHOLE = st.integers(-(2**53), 2**53).map(float)
# Titles hold what people put there, units and signs of all kinds; not line breaks, and not numbers alone.
NAMES = st.text(string.ascii_letters + string.digits + " _-,;.()/\"'äß°²€", min_size=1, max_size=12).filter(
    lambda name: name.strip(string.whitespace + string.digits + ".,-_") and name.lower() not in ("nan", tables.ROW)
)


@st.composite
def frames(draw):
    names = draw(st.lists(NAMES, min_size=2, max_size=5, unique=True))
    n = draw(st.integers(10, 25))
    columns = {name: draw(st.lists(draw(st.sampled_from([FINITE, WHOLE])), min_size=n, max_size=n)) for name in names}
    return pd.DataFrame(columns, dtype=float)


DIALECTS = st.fixed_dictionaries(
    {
        "sep": st.sampled_from([",", ";", "\t"]),
        "decimal": st.sampled_from([".", ","]),
        "lineterminator": st.sampled_from(["\n", "\r\n"]),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig"]),
    }
).filter(lambda d: d["sep"] != "," or d["decimal"] == ".")


def same(back, frame):
    """Equal to the bit, but for the sign of zero, which CSV readers may drop."""
    assert list(back) == list(frame)
    assert ((back.to_numpy() + 0.0).tobytes()) == ((frame.to_numpy() + 0.0).tobytes())


@given(frames(), DIALECTS)
@examples(150)
def test_csv_reads_back_equal(tmp_path, frame, dialect):
    path = str(tmp_path / "table.csv")
    frame.to_csv(path, index=False, **dialect)
    table, _, outputs, _ = tables.import_table({"file": path, "outputs": [frame.columns[-1]]})
    assert outputs == [frame.columns[-1]]
    same(table.to_pandas(), frame)


@given(frames(), DIALECTS, st.integers(1, 4))
def test_a_pair_reads_back_equal(tmp_path, frame, dialect, cut):
    assume(cut < len(frame.columns))
    alone = [part.columns[0] for part in (frame.iloc[:, :cut], frame.iloc[:, cut:]) if len(part.columns) == 1]
    # "strength, MPa" over "79,99", unquoted and alone: one column or two, nobody can tell.
    assume(dialect["decimal"] == "." or dialect["quoting"] == csv.QUOTE_ALL or not any("," in name for name in alone))
    paths = {key: str(tmp_path / f"{key}.csv") for key in ("features", "targets")}
    frame.iloc[:, :cut].to_csv(paths["features"], index=False, **dialect)
    frame.iloc[:, cut:].to_csv(paths["targets"], index=False, **dialect)
    table, inputs, outputs, _ = tables.import_table(paths)
    assert [*inputs, *outputs] == list(frame) and len(inputs) == cut
    same(table.to_pandas(), frame)


@given(frames(), st.sampled_from(["float64", "float32", "int64"]), st.booleans())
def test_parquet_reads_back_equal(tmp_path, frame, kind, index):
    assume(kind != "float32" or frame.abs().to_numpy().max() < 3e38)
    assume(kind != "int64" or frame.abs().to_numpy().max() < 2**62)
    frame = frame.astype(kind)
    path = str(tmp_path / "table.parquet")
    (frame.iloc[::-1] if index else frame).to_parquet(path)
    table, _, _, _ = tables.import_table({"file": path, "outputs": [frame.columns[-1]]})
    same(table.to_pandas(), (frame.iloc[::-1] if index else frame).astype(float))


@given(frames())
def test_our_own_tables_read_back_to_the_same_bytes(tmp_path, frame):
    table = pa.Table.from_pandas(frame, preserve_index=False)
    tables.write(tmp_path / "own.parquet", tables.numbered(table))
    back = tables.read(tmp_path / "own.parquet").to_pandas()
    assert back[tables.ROW].tolist() == list(range(1, len(frame) + 1))
    assert back.drop(columns=tables.ROW).to_numpy().tobytes() == frame.to_numpy().tobytes()


@given(frames(), DIALECTS, st.data())
def test_a_spoilt_cell_is_found_where_it_is(tmp_path, frame, dialect, data):
    row = data.draw(st.integers(0, len(frame) - 1))
    column = data.draw(st.sampled_from(list(frame)))
    spoilt = data.draw(st.sampled_from(["x", "1e", "--1", "", "inf"]))
    path = str(tmp_path / "table.csv")
    changed = frame.astype(object)
    changed.loc[row, column] = spoilt
    changed.to_csv(path, index=False, **dialect)
    try:
        tables.import_table({"file": path, "outputs": [frame.columns[-1]]})
    except StudyError as error:
        assert str(error).startswith(f"{path}, column '{column}', row {row + 1} (line {row + 2}): found ")
    else:
        raise AssertionError("taken")


@given(st.binary(max_size=300) | st.text("0123456789.,;\t\n\r\"' aeE+-\ufeff", max_size=300).map(str.encode))
@examples(300)
def test_any_bytes_are_a_table_or_one_message(tmp_path, content):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    try:
        table, inputs, outputs, _ = tables.import_table({"features": str(path), "targets": str(path)})
    except StudyError as error:
        assert str(path) in str(error)
    else:
        raise AssertionError(f"columns {inputs + outputs} are in both files: {table}")


def test_the_sign_of_zero_is_kept_by_parquet(tmp_path):
    path = str(tmp_path / "t.parquet")
    pd.DataFrame({"x": [-0.0, 0.0] * 5, "y": np.arange(10.0)}).to_parquet(path)
    table, _, _, _ = tables.import_table({"file": path, "outputs": ["y"]})
    assert np.signbit(table["x"].to_numpy()).tolist() == [True, False] * 5


# -- other notations ---------------------------------------------------------------------------------------------------

SIGNS = st.sampled_from([("", "."), ("", ","), (",", "."), (".", ","), ("'", "."), (" ", ","), ("\u00a0", ",")])
STYLES = st.sampled_from(["fixed", "closing zeros left out", "whole", "exponents"])


def written(value, thousands, decimal, style, digits):
    """Write a decimal number as a person or program of some place would."""
    if style == "exponents":
        return f"{value:.{digits}E}".replace(".", decimal)
    text = f"{value:,.{0 if style == 'whole' else digits}f}"
    if style == "closing zeros left out" and "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.translate(str.maketrans({",": thousands, ".": decimal}))


@st.composite
def columns(draw):
    """Texts of one column and the numbers that they stand for."""
    thousands, decimal = draw(SIGNS)
    style, digits = draw(STYLES), draw(st.integers(0, 4))
    size = draw(st.sampled_from([2, 2000, 5_000_000]))
    cells = [
        written(value, thousands, decimal, style, digits)
        for value in draw(st.lists(st.floats(-size / 10, size), min_size=10, max_size=14))
    ]
    plain = [c.replace(thousands, "") if thousands else c for c in cells]
    return cells, [float(c.replace(decimal, ".")) for c in plain], thousands, decimal


@given(columns(), st.sampled_from([",", ";", "\t"]), st.booleans(), st.data())
@examples(300)
def test_a_column_in_any_notation_is_read_as_written_or_refused(tmp_path, column, delimiter, alone, data):
    """With the signs stated it is read; without, it may be asked about, and is never another number."""
    cells, values, thousands, decimal = column
    others = (
        ["1"] * len(cells) if alone else data.draw(st.permutations([f"0{decimal}5", "2", *["3"] * (len(cells) - 2)]))
    )
    path = tmp_path / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, delimiter=delimiter).writerows([("x", "y"), *zip(cells, others, strict=True)])
    spec = {"file": str(path), "outputs": ["y"]}
    try:
        assert tables.import_table(spec).table["x"].to_pylist() == values
    except StudyError as error:
        assert f"{path}, column '" in str(error)
    sign = {"\u00a0": " "}.get(thousands, thousands)
    stated = {"decimal": decimal} | ({"thousands": sign} if sign else {})
    assert tables.import_table({**spec, **stated}).table["x"].to_pylist() == values


@given(st.integers(-(2**64), 2**64), st.sampled_from(["csv", "int64", "uint64", "decimal"]))
def test_whole_numbers_are_kept_to_the_last_digit_or_refused(tmp_path, value, kind):
    assume(kind != "int64" or -(2**63) <= value < 2**63)
    assume(kind != "uint64" or value >= 0)
    path = str(tmp_path / ("t.csv" if kind == "csv" else "t.parquet"))
    if kind == "csv":
        pd.DataFrame({"x": [value] + [1] * 9, "y": 0}, dtype=object).to_csv(path, index=False)
    else:
        types = {"int64": pa.int64(), "uint64": pa.uint64(), "decimal": pa.decimal128(22, 2)}
        cells = [Decimal(v) if kind == "decimal" else v for v in [value] + [1] * 9]
        pq.write_table(pa.table({"x": pa.array(cells, types[kind]), "y": [0] * 10}), path)
    try:
        (found, *_) = tables.import_table({"file": path, "outputs": ["y"]}).table["x"].to_pylist()
    except StudyError as error:
        assert f"{path}, column 'x', row 1" in str(error) and int(float(value)) != value
    else:
        assert int(found) == value or Decimal(repr(found)) == value
