"""Bad input at the command line: one message, no traceback, nothing written, no job started."""

import pandas as pd
import pytest

from ..finished import SAID
from ..running import snakemake, study_argument, write_study
from .conftest import spreadsheet

GOOD = """
study: mixes
problem: {table: {file: mixes.csv, outputs: [strength]}}
surrogates: {forest: {kind: random_forest, trees: 5, folds: 2}}
objectives: {sixty: {target: {strength: 60}, tolerance: 1}}
inverters: {random: {kind: random, evaluations: 5}}
"""


def table(rows=20):
    return pd.DataFrame(
        {"cement": range(100, 100 + rows), "water": range(200, 200 + rows), "strength": range(50, 50 + rows)}
    )


@pytest.fixture
def folder(tmp_path):
    write_study(tmp_path, GOOD, "mixes.yaml")
    table().to_csv(tmp_path / "mixes.csv", index=False)
    return tmp_path


def refused(folder, *arguments):
    """Run, check that it was refused as it should be, and return the one message."""
    before = {p for p in folder.rglob("*") if ".snakemake" not in p.parts}
    done = snakemake(folder, *(arguments or study_argument("mixes.yaml")))
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "Traceback" not in said and 'File "' not in said, said
    messages = [line for line in said.splitlines() if "preimage: " in line]
    assert len(messages) == 1, said
    assert {p for p in folder.rglob("*") if ".snakemake" not in p.parts} == before
    return messages[0]


@pytest.mark.long
def test_a_misspelt_key_names_file_line_key_and_the_nearest_valid_one(folder):
    write_study(folder, GOOD.replace("target:", "targt:"), "mixes.yaml")
    message = refused(folder)
    assert "mixes.yaml, line 5, key 'objectives.sixty.targt': unknown key; did you mean 'target'?" in message


def test_a_bad_cell_is_named_by_file_column_row_and_line(folder):
    bad = table().astype(object)
    bad.loc[6, "water"] = "wet"
    bad.to_csv(folder / "mixes.csv", index=False)
    assert "mixes.csv, column 'water', row 7 (line 8): found 'wet', expected a number" in refused(folder)


@pytest.mark.long
def test_a_missing_study_names_the_nearest(folder):
    assert "mixs.yaml: no such file; did you mean 'mixes.yaml'?" in refused(folder, *study_argument("mixs.yaml"))


def test_a_wrong_key_of_the_config_is_refused(folder):
    message = refused(folder, "--config", "studees=['mixes.yaml']")
    assert "key 'studees': unknown key; did you mean 'studies'?" in message


@pytest.mark.long
def test_two_studies_of_one_name_are_refused(folder):
    write_study(folder, GOOD, "again.yaml")
    message = refused(folder, *study_argument("mixes.yaml", "again.yaml"))
    assert "study 'mixes'" in message and "mixes.yaml has that name too" in message


def test_an_impossible_constraint_is_refused_with_its_proof(folder):
    impossible = "problem: {constraints: [{linear: {cement: 1, water: 1}, at_most: 10}], table:"
    write_study(folder, GOOD.replace("problem: {table:", impossible), "mixes.yaml")
    message = refused(folder)
    assert "no point within the bounds satisfies 1 cement + 1 water <= 10" in message


def test_warnings_do_not_stop_a_run_and_the_report_repeats_them(mixed):
    asked = "asks for y = 900, outside the measured range ["
    assert asked in (mixed / SAID).read_text(encoding="utf-8")
    assert asked in (mixed / "results/mixed/report.html").read_text(encoding="utf-8")


def test_semicolons_decimal_commas_and_a_byte_order_mark_are_read_without_fuss(mixed):
    back = pd.read_parquet(mixed / "results/mixed/round0/data.parquet")
    pd.testing.assert_frame_equal(back[["a", "kind", "y", "z"]], spreadsheet(), check_dtype=False)


@pytest.mark.long
def test_a_further_file_with_empty_cells_is_refused_by_row(folder):
    write_study(folder, GOOD.replace("outputs: [strength]", "outputs: [strength], new: [more.csv]"), "mixes.yaml")
    more = table().astype(float)
    more.loc[[2, 6], "water"] = float("nan")
    more.to_csv(folder / "more.csv", index=False)
    message = refused(folder)
    assert "more.csv: 2 rows with empty cells (row 3, 7)" in message and "incomplete: leave_out" in message
