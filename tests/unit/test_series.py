"""Reading series to fit: every table that can be fitted, and one clear refusal for every one that can't."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from preimage import study
from preimage.calibration import building
from preimage.data import series
from preimage.problems.built_in import lotka_volterra, seird
from preimage.study import data_checks

from ..conftest import refusal

ROOT = Path(__file__).resolve().parents[2]
MODEL = seird.build().dynamics
ENTRY = {"loss": "msle", "population": 1e6, "weights": "equal"}


def long_table(tmp_path, name="long.csv", **changes):
    days = pd.date_range("2020-03-01", periods=6).strftime("%Y-%m-%d")
    frame = pd.DataFrame({"Country_Region": "Here", "Date": days, "ConfirmedCases": [0, 1, 2, 4, 8, 9]})
    frame = frame.assign(**{"Fatalities": [0, 0, 0, 1, 1, 2], **changes})
    path = tmp_path / name
    frame.to_csv(path, index=False)
    return str(path)


def read(path, **entry):
    return series.read({**ENTRY, "data": path, **entry}, MODEL)


def test_a_series_begins_with_its_first_case_or_a_stated_number(tmp_path):
    found = read(long_table(tmp_path))
    assert found.dates[0] == "2020-03-02" and found.times.tolist() == [0, 1, 2, 3, 4]
    assert found.values.tolist() == [[1, 0], [2, 0], [4, 1], [8, 1], [9, 2]]
    assert found.known.first == {"cases": 1.0, "deaths": 0.0} and found.known.population == 1e6
    assert read(long_table(tmp_path), since=4).dates[0] == "2020-03-04"
    assert "no row reaches 100" in refusal(read, long_table(tmp_path), since=100)


def test_rows_out_of_order_are_sorted_and_columns_may_be_named(tmp_path):
    frame = pd.read_csv(long_table(tmp_path)).sample(frac=1, random_state=0)
    frame.rename(columns={"ConfirmedCases": "n"}).to_csv(tmp_path / "b.csv", index=False)
    found = read(str(tmp_path / "b.csv"), columns={"cases": "n"})
    assert found.values[:, 0].tolist() == [1, 2, 4, 8, 9]
    assert "did you mean 'ConfirmedCases'" in refusal(read, long_table(tmp_path), columns={"cases": "ConfirmedCase"})


def test_of_several_countries_one_is_chosen_by_name(tmp_path):
    a, b = (pd.read_csv(long_table(tmp_path)).assign(Country_Region=c) for c in ("Italy", "Korea, South"))
    path = str(tmp_path / "two.csv")
    pd.concat([a, b.assign(Fatalities=1)]).to_csv(path, index=False)
    assert read(path, country="Korea, South").values[0, 1] == 1
    assert "did you mean 'Italy'" in refusal(read, path, country="Itly")
    assert "choose one with 'country'" in refusal(read, path)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([0, 1, 2, 2, 3, 4], "duplicate time 2020-03-03"),
        ([0, 1, 2, 3, 5], "no row between 2020-03-04 and 2020-03-06"),
    ],
)
def test_days_missing_or_repeated_are_named(tmp_path, rows, said):
    frame = pd.read_csv(long_table(tmp_path)).iloc[rows]
    frame.to_csv(tmp_path / "bad.csv", index=False)
    assert said in refusal(read, str(tmp_path / "bad.csv"))


def test_counts_that_fall_are_refused_kept_or_lifted(tmp_path):
    path = long_table(tmp_path, ConfirmedCases=[0, 1, 5, 4, 8, 9])
    said = refusal(read, path)
    assert "falls from 5 to 4 on 2020-03-04" in said and "lift" in said
    assert read(path, falling="keep").values[:, 0].tolist() == [1, 5, 4, 8, 9]
    lifted = read(path, falling="lift")
    assert lifted.values[:, 0].tolist() == [1, 5, 5, 8, 9] and "falls from 5 to 4" in lifted.notes[0]


def test_counts_that_say_nothing_or_exceed_the_population_are_refused(tmp_path):
    none = long_table(tmp_path, Fatalities=0)
    assert "every value is 0" in refusal(read, none)
    assert read(none, outputs=["cases"]).values[:, 1].sum() == 0
    assert "fewer than the 9 cases" in refusal(read, long_table(tmp_path), population=8)
    assert "population: missing" in refusal(read, long_table(tmp_path), population=None)
    assert "no series 'death'; did you mean 'deaths'" in refusal(read, long_table(tmp_path), outputs=["death"])
    assert "row 3" in refusal(read, long_table(tmp_path, ConfirmedCases=["0", "1", "x", "4", "8", "9"]))


def wide(tmp_path, name, counts, days=("3/1/20", "3/2/20", "3/3/20", "3/4/20")):
    rows = [["", "Italy", 1, 2, *counts[0]], ["A", "China", 1, 2, *counts[1]], ["B", "China", 1, 2, *counts[2]]]
    path = tmp_path / name
    pd.DataFrame(rows, columns=["Province/State", "Country/Region", "Lat", "Long", *days]).to_csv(path, index=False)
    return str(path)


def test_provinces_of_wide_files_are_summed(tmp_path):
    cases = wide(tmp_path, "cases.csv", [[1, 2, 3, 4], [0, 1, 2, 3], [0, 1, 1, 5]])
    deaths = wide(tmp_path, "deaths.csv", [[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]])
    found = read({"cases": cases, "deaths": deaths}, country="China")
    assert found.values.tolist() == [[2, 0], [3, 1], [8, 2]] and found.dates[0] == "2020-03-02"
    assert found.notes == ("2 provinces were summed",)
    assert "no file for the series 'deaths'" in refusal(read, {"cases": cases}, country="China")
    other = wide(tmp_path, "o.csv", [[0] * 4] * 3, days=("3/1/20", "3/2/20", "3/3/20", "3/5/20"))
    assert "no row between" in refusal(read, {"cases": cases, "deaths": other}, country="China")


def test_times_may_be_numbers_and_unevenly_spaced(tmp_path):
    pd.DataFrame({"time": [1900, 1901, 1903.5], "hare_thousands": [3.0, 4, 5], "lynx_thousands": [1.0, 2, 3]}).to_csv(
        tmp_path / "p.csv", index=False
    )
    found = series.read({"loss": "log", "data": str(tmp_path / "p.csv")}, lotka_volterra.build().dynamics)
    assert found.times.tolist() == [0, 1, 3.5] and not found.dates


STUDY = """
study: s
problem: {{simulator: seird{more}}}
objectives: {{a: {{fit: {{data: {path}, population: 1000000{fit}}}}}}}
inverters: {{m: {{kind: multistart{inverter}}}}}
"""


def checked(study_file, tmp_path, more="", fit="", inverter=""):
    path = study_file(STUDY.format(path=long_table(tmp_path), more=more, fit=fit, inverter=inverter))
    return data_checks.check(study.load(path))


def test_a_study_of_fits_is_checked_with_its_data(study_file, tmp_path):
    assert checked(study_file, tmp_path) == []
    said = refusal(checked, study_file, tmp_path, more=", inputs: {R0: {low: 2}}")
    assert "start 1.8 is outside its bounds [2, 6.49]" in said
    assert checked(study_file, tmp_path, more=", inputs: {R0: {low: 2, start: 3}}") == []
    said = refusal(checked, study_file, tmp_path, fit=", loss: msl")
    assert "did you mean 'msle'" in said
    assert "leaves fewer than" in refusal(checked, study_file, tmp_path, fit=", hold_out: 4")
    for gradient in ("exact", "cs", "2-point"):
        assert checked(study_file, tmp_path, inverter=f", gradient: {gradient}") == []
    assert checked(study_file, tmp_path, inverter=", engine: batched") == []


def test_fits_stand_beside_nothing_else(study_file, tmp_path):
    path = long_table(tmp_path)
    text = STUDY.format(path=path, more="", fit="", inverter="")
    assert "leave out 'surrogates'" in refusal(
        study.load, study_file(text + "surrogates: {f: {kind: random_forest}}\n")
    )
    assert "no simulator of series" in refusal(study.load, study_file(text.replace("seird", "paraboloid")))
    assert "expected 'fit'" in refusal(
        study.load, study_file("study: s\nproblem: {simulator: seird}\nobjectives: {a: {minimize: y}}\n")
    )


def test_shipped_studies_of_fits_are_valid(monkeypatch):
    monkeypatch.chdir(ROOT)
    for name in ("epidemic", "lynx_hare", "tristan"):
        data_checks.check(study.load(ROOT / f"config/studies/{name}.yaml"))


@pytest.mark.long
@pytest.mark.skipif("PREIMAGE_TEST_DATA" not in os.environ, reason="needs PREIMAGE_TEST_DATA")
def test_the_covid_study_reads_a_users_copy(monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/covid").symlink_to(Path(os.environ["PREIMAGE_TEST_DATA"]) / "covid")
    monkeypatch.chdir(tmp_path)
    loaded = study.load(ROOT / "config/studies/covid.yaml")
    said = data_checks.check(loaded)
    assert any("germany" in w and "falls" in w for w in said)
    fits = building.build_all(loaded["problem"], loaded["objectives"])
    assert {len(f.counted) for f in fits.values()} == {20}
    assert np.isfinite([f.losses(f.start[None])[0] for f in fits.values()]).all()


def test_numbers_are_read_with_the_care_of_other_tables(tmp_path):
    path = long_table(tmp_path, ConfirmedCases=["0", "900", "950", "1,000", "1,050", "1,100"])
    assert "row 4 (line 5): found '1,000', expected a number" in refusal(read, path)
    assert read(path, thousands=",").values[:, 0].tolist() == [900, 950, 1000, 1050, 1100]
    path = long_table(tmp_path, ConfirmedCases=["0", "900", "950", "1.000", "1.050", "1.100"])
    said = refusal(read, path)
    assert 'found \'1.000\', which is 1000 or 1.000: set `thousands: "."` or `decimal: "."` under fit' in said


def test_rows_are_counted_in_the_file_where_one_of_its_countries_is_chosen(tmp_path):
    frame = pd.read_csv(long_table(tmp_path))
    both = pd.concat([frame.assign(Country_Region="There"), frame.assign(Fatalities=[0, 0, "many", 1, 1, 2])])
    both.to_csv(tmp_path / "two.csv", index=False)
    assert "row 9 (line 10): found 'many'" in refusal(read, str(tmp_path / "two.csv"), country="Here")


@pytest.mark.parametrize("index", ["Date", "Country_Region", "Fatalities"])
def test_columns_in_the_index_of_a_frame_are_missed(tmp_path, index):
    pd.read_csv(long_table(tmp_path)).set_index(index).to_parquet(tmp_path / "i.parquet")
    assert f"'{index}' is the index of a DataFrame; save it after reset_index()" in refusal(
        read, str(tmp_path / "i.parquet")
    )


def test_rows_with_an_empty_cell_are_left_out_or_refused_as_the_study_says(tmp_path):
    """By default an empty cell leaves out its residual alone."""
    cases = [1, None, 3, 5, 8, 9]
    path = long_table(tmp_path, ConfirmedCases=cases, Remark=["", "", "x", "", "", ""])
    kept = read(path)
    assert np.isnan(kept.values[1, 0]) and kept.values[1, 1] == 0
    found = read(path, incomplete="leave_out", daily=False)
    assert found.values[:, 0].tolist() == [1, 3, 5, 8, 9] and found.times.tolist() == [0, 2, 3, 4, 5]
    assert "1 row with empty cells (row 2), left out" in found.notes
    assert "1 row with empty cells (row 2); complete them, or `incomplete: leave_out`" in refusal(
        read, path, incomplete="refuse"
    )
    days = pd.date_range("2020-03-01", periods=6).strftime("%Y-%m-%d").to_list()
    untimed = long_table(tmp_path, "untimed.csv", Date=[*days[:5], None], ConfirmedCases=[1, 2, 3, 5, 8, 9])
    assert len(read(untimed, incomplete="leave_out")) == 5
    refusal(read, untimed)


def test_a_row_that_is_left_out_of_one_country_has_its_number_in_the_file(tmp_path):
    a = pd.read_csv(long_table(tmp_path, ConfirmedCases=[1, 2, 3, None, 8, 9]))
    path = str(tmp_path / "two.csv")
    pd.concat([a.assign(Country_Region="B"), a]).to_csv(path, index=False)
    found = read(path, country="Here", incomplete="leave_out", daily=False)
    assert found.values[:, 0].tolist() == [1, 2, 3, 8, 9] and "(row 10)" in "".join(found.notes)
