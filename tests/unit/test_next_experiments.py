"""Lists of experiments: written, filled in by hand in either form, and read back as new rows."""

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats

from preimage.acquisition import batch, chance, experiments
from preimage.acquisition.process import Normal
from preimage.core import objective
from preimage.core.objective import Varied
from preimage.core.space import Input, Linear, Space
from preimage.data import experiments as lists
from preimage.data import new_rows, sheets
from preimage.data.sources import read_file
from preimage.study.reading import load

from ..conftest import refusal

INPUTS, OUTPUT = ["Zement [kg]", "Füller", "Körnung"], "Festigkeit (MPa)"
KINDS = Input(INPUTS[2], 0, 1, categories=("fein", "grob"))
SPACE = Space(
    (Input(INPUTS[0], 0.0, 1.0), Input(INPUTS[1], 0.0, 1.0), KINDS),
    (Linear(((INPUTS[0], 1.0), (INPUTS[1], 1.0)), 1.0, 1.0),),
)
CATEGORIES = {INPUTS[2]: {"categories": ["fein", "grob"]}}
FIRST = pa.table({INPUTS[0]: [0.5], INPUTS[1]: [0.5], INPUTS[2]: ["grob"], OUTPUT: [1.0]})


def asked(entries, n=4):
    rng = np.random.default_rng(0)
    a = rng.random(12)
    X = np.column_stack([a, 1 - a, rng.integers(0, 2, 12)])
    Y = (3 * a * (1 - a) + X[:, 2])[:, None]
    known = (Y.std(axis=0), np.ptp(Y, axis=0), Y)
    wanted = [objective.build(name, entry, [OUTPUT], *known) for name, entry in entries.items()]
    wishes = [batch.Wish(SPACE, o) for o in wanted]
    chosen, beliefs = batch.choose(SPACE, wishes, X, Y, n, 0.25, np.random.default_rng(1))
    draws = {o.name: o.variation.on(SPACE, np.random.default_rng(2), 8) for o in wanted if isinstance(o, Varied)}
    return experiments.table(SPACE, [OUTPUT], [OUTPUT], wishes, chosen, beliefs, Y, X, draws)


@pytest.fixture(scope="module")
def table():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch, "POOL", 60)
        patch.setattr(batch.searching, "SWEEPS", 4)
        yield asked({"strong": {"maximize": OUTPUT}, "half": {"target": {OUTPUT: 0.5}, "tolerance": 0.1}})


def saved(folder, frame, form):
    path = folder / f"list.{form}"
    if form == "csv":
        frame.to_csv(path, index=False)
    else:
        sheets.write(path, frame, "experiments", [OUTPUT])
    return path


def back(path):
    return new_rows.read(str(path), FIRST, INPUTS, {}, CATEGORIES)


# -- the list ----------------------------------------------------------------------------------------------------------


def test_a_list_has_the_studys_own_columns_and_what_is_known_of_each_recipe(table):
    parts = [f"{part}.{OUTPUT}" for part in ("predicted", "interval_low", "interval_high")]
    assert list(table) == ["recipe", *INPUTS, OUTPUT, "reason", "chance", *parts]
    assert table[OUTPUT].isna().all() and table["recipe"].is_unique
    assert list(table["reason"]) == [
        "largest expected improvement: strong",
        "largest expected improvement: half",
        "largest expected improvement: strong",
        "least known: half",
    ]
    assert table["chance"].between(0, 1).all()
    assert (table[parts[1]] < table[parts[0]]).all() and (table[parts[0]] < table[parts[2]]).all()


def test_the_chance_is_that_of_the_normal_distributions():
    rng = np.random.default_rng(0)
    at = {k: Normal(rng.normal(size=(5, 3)), rng.uniform(0.5, 2, (5, 3))) for k in range(2)}
    entry = {"target": {"a": 0.3}, "tolerance": 0.4, "subject_to": {"b": {"at_most": 0.2}}}
    dist = [stats.norm(at[k].mean, at[k].deviation) for k in range(2)]
    inside = dist[0].cdf(0.7) - dist[0].cdf(-0.1)
    expected = (inside * dist[1].cdf(0.2)).mean(axis=1)
    assert chance.of(objective.build("o", entry, ["a", "b"]), at) == pytest.approx(expected)
    better = (
        1 - stats.norm(at[0].mean - 2 * at[1].mean, np.hypot(at[0].deviation, 2 * at[1].deviation)).cdf(1.5)
    ).mean(1)
    weighted = objective.build("o", {"maximize": {"a": 1.0, "b": -2.0}}, ["a", "b"])
    assert chance.of(weighted, at, best=-1.5) == pytest.approx(better)
    front = objective.build("o", {"pareto": {"minimize": ["a", "b"]}}, ["a", "b"], rows=rng.random((4, 2)))
    assert np.isnan(chance.of(front, at)).all()


def test_where_inputs_vary_the_chance_is_lower(monkeypatch):
    monkeypatch.setattr(batch, "POOL", 60)
    monkeypatch.setattr(batch.searching, "SWEEPS", 4)
    target = {"target": {OUTPUT: 0.5}, "tolerance": 0.1}
    steady, varied = (
        asked({"half": {**target, **more}}, 1)["chance"][0] for more in ({}, {"variation": {INPUTS[0]: 0.3}})
    )
    assert varied < 0.7 * steady


# -- filled in ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_list_filled_in_comes_back_as_rows(table, tmp_path, form):
    path = saved(tmp_path, table.assign(**{OUTPUT: [1.5, 2.5, np.nan, np.nan]}), form)
    found = back(path)
    assert found.table.column_names == FIRST.column_names
    assert found.table[OUTPUT].to_pylist() == [1.5, 2.5]
    for name in INPUTS:
        assert found.table[name].to_pylist() == table[name][:2].tolist()
    assert found.notes == (f"{path}: 2 rows not filled in, left out",)


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_recipes_changed_or_added_by_hand_are_taken_and_said(table, tmp_path, form):
    changed = table.assign(**{OUTPUT: [1.0, np.nan, 3.0, 4.0]})
    changed.loc[2, INPUTS[:2]] = [0.125, 0.875]
    added = {INPUTS[0]: 0.25, INPUTS[1]: 0.75, INPUTS[2]: "grob", OUTPUT: 9.0}
    changed = pd.concat([changed, pd.DataFrame([added])], ignore_index=True)
    path = saved(tmp_path, changed, form)
    found = back(path)
    assert found.table[OUTPUT].to_pylist() == [1.0, 3.0, 4.0, 9.0]
    assert found.notes == (
        f"{path}: 1 row not filled in, left out",
        f"{path}: 1 row with a recipe that was changed by hand, taken as measured (row 3)",
        f"{path}: 1 row added by hand, taken as measured (row 5)",
    )


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_what_is_wrong_with_a_list_is_one_message(table, tmp_path, form):
    def said(frame):
        return refusal(back, saved(tmp_path, frame, form))

    values = table.assign(**{OUTPUT: [1.0, np.nan, 3.0, 4.0]})
    assert "none of 4 rows is filled in" in said(table)
    assert f"no column '{OUTPUT}'" in said(values.drop(columns=OUTPUT))
    assert "column 'weight' is not in the first table" in said(values.assign(weight=1.0))
    text = said(values.astype({OUTPUT: object}).assign(**{OUTPUT: [1.0, None, "about 3", 4.0]}))
    assert f"column '{OUTPUT}', row 3" in text and "found 'about 3', expected a number" in text
    gap = values.copy()
    gap.loc[3, INPUTS[0]] = np.nan
    assert "1 row with empty cells (row 4)" in said(gap)


def test_a_digest_is_of_the_recipe_and_not_of_its_order_or_rounding():
    frame = pd.DataFrame({"a": [0.3, 0.1 + 0.2, 0.31], "b": ["u", "u", "u"]})
    one, same, other = lists.digests(frame)
    assert one == same != other and lists.digests(frame[["b", "a"]])[0] == one


def test_a_study_with_a_column_of_that_name_keeps_it():
    assert lists.Names.beside(["reason", "x"]) == ("recipe", "reason_2", "chance")


# -- workbooks ---------------------------------------------------------------------------------------------------------


def test_a_workbook_has_no_formulas_and_equal_bytes(table, tmp_path):
    one, two = tmp_path / "a.xlsx", tmp_path / "b.xlsx"
    for path in (one, two):
        sheets.write(path, table.assign(**{INPUTS[2]: "=1+1"}), "experiments", [OUTPUT])
    assert one.read_bytes() == two.read_bytes()
    sheet = openpyxl.load_workbook(one).active
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n", "inlineStr"}


def test_a_workbook_is_read_as_people_leave_it(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    for row in ([" a ", "c", "y"], [1, 1, 2.5], ["2", 2, None], [None, None, None], [3.5, "k", 4], [None, " ", None]):
        sheet.append(row)
    book.create_sheet("notes").append(["x"])
    book.save(tmp_path / "left.xlsx")
    source = read_file(str(tmp_path / "left.xlsx"), ["c"], [])
    assert source.table.to_pydict() == {
        " a ": [1.0, 2.0, None, 3.5], "c": ["1", "2", None, "k"], "y": [2.5, None, None, 4.0],
    }  # fmt: skip
    assert "left out 'notes'" in source.notes[0]


@pytest.mark.parametrize(
    ("rows", "words"), [([], "is empty"), ([["a", None, "y"], [1, 2, 3]], "column 2"), ([["a"]], "found no rows")]
)
def test_a_workbook_that_is_no_table_is_refused(tmp_path, rows, words):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(tmp_path / "bad.xlsx")
    assert words in refusal(read_file, str(tmp_path / "bad.xlsx"), [], [])


# -- the study ---------------------------------------------------------------------------------------------------------

STUDY = """
study: mixes
problem: {{simulator: paraboloid}}
surrogates: {{gp: {{kind: gaussian_process}}}}
objectives: {{lowest: {{minimize: y}}}}
inverters: {{starts: {{kind: multistart}}}}
next: {next}
"""


@pytest.mark.parametrize(("asked", "words"), [
    ("{experiments: 0}", "next.experiments"),
    ("{explore: 1.5}", "next.explore"),
    ("{objectives: [lowes]}", "unknown objective 'lowes'; did you mean 'lowest'"),
    ("{objective: lowest}", "next"),
])  # fmt: skip
def test_a_study_that_asks_for_what_is_not_there(tmp_path, asked, words):
    path = tmp_path / "s.yaml"
    path.write_text(STUDY.format(next=asked), encoding="utf-8")
    assert words in refusal(load, str(path))
