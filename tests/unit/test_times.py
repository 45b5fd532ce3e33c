"""The times of series: their precision and unit, where they begin, dates of one format, and rows as laboratories have
them."""

from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import curve_fit

from preimage.calibration import building, losses, one_by_one
from preimage.data import dates, series
from preimage.problems import user_series
from preimage.problems.built_in import lotka_volterra, sir
from preimage.support.errors import StudyError

from ..conftest import refusal

NUMBER = count()
pytestmark = pytest.mark.usefixtures("here")
OWN = user_series.model(
    lambda t, y, p: [-p["k"] * y[0]], "own:decay", {"ode": {"states": {"y": 1.0}}, "inputs": {"k": {}}}, run=False
)
MODELS = """
def decay(t, y, p):
    a, b = y
    return [-float(p["k"]) * a, float(p["k"]) * a - float(p["e"]) * b]


def absorb(t, y, p):
    gut, blood = y
    return [-float(p["ka"]) * gut, float(p["ka"]) * gut / float(p["V"]) - float(p["ke"]) * blood]


def cooling(t, y, p):
    return [-float(p["k"]) * (y[0] - float(p["room"]))]
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory of its own."""
    monkeypatch.chdir(tmp_path)


def read(columns, model=OWN, **entry):
    """The series of a table."""
    pd.DataFrame(columns).to_csv("t.csv", index=False)
    return series.read({"data": "t.csv", "loss": "mse", "weights": "equal", **entry}, model)


def fitted(simulator, states, bounds, columns, outputs=None, **entry):
    """The parameters at which a search over a model of NumPy ends, from the middle of its bounds."""
    module = f"mine_{next(NUMBER)}"  # Python knows a module by its name
    Path(f"{module}.py").write_text(MODELS)
    pd.DataFrame(columns).to_csv("t.csv", index=False)
    inputs = {name: {"low": low, "high": high} for name, (low, high) in bounds.items()}
    spec = {"simulator": f"{module}:{simulator}", "ode": {"states": states}, "inputs": inputs}
    spec |= {"outputs": dict.fromkeys(outputs)} if outputs else {}
    found = building.build(spec, {"data": "t.csv", "loss": "mse", "weights": "equal", **entry})
    low, high = np.array(list(bounds.values())).T
    x, _ = one_by_one.minimise(found, low, high - low, found.start, np.ones(len(low), bool))
    return x, found


# -- stamps and origins ------------------------------------------------------------------------------------------------

HOURS = pd.date_range("2024-03-01 08:00", periods=24, freq="30min")


def test_time_stamps_keep_their_hours_in_the_unit_that_is_asked_for():
    columns = {"time": HOURS.strftime("%Y-%m-%d %H:%M"), "y": np.arange(24.0)}
    found = read(columns)
    assert found.times.tolist() == [k * 0.5 / 24 for k in range(24)] and found.start == 0
    assert found.dates[:2] == ("2024-03-01 08:00:00", "2024-03-01 08:30:00")
    assert read(columns, time={"unit": "h"}).times.tolist() == [k / 2 for k in range(24)]
    assert read(columns, time={"column": "time", "unit": "min"}).times[1] == 30
    assert "did you mean 'h'" in refusal(read, columns, time={"unit": "hh"})
    later = read(columns, time={"unit": "h", "origin": "2024-03-01 06:00"})
    assert later.times[:2].tolist() == [2, 2.5] and later.start == 0
    noon = read(columns, time={"unit": "h", "zero": "2024-03-01 12:00"})
    assert noon.times[0] == -4 == noon.start and noon.clock.told("2024-03-01 13:30", "") == 1.5


def test_a_cup_whose_stamps_are_half_an_hour_apart_cools_at_the_rate_that_it_does():
    temp = 20 + 70 * np.exp(-0.4 * np.arange(24) / 2)
    columns = {"time": HOURS.strftime("%Y-%m-%d %H:%M"), "temp": temp}
    x, _ = fitted("cooling", {"temp": 90}, {"k": (0.001, 30), "room": (0, 40)}, columns)
    assert x == pytest.approx([9.6, 20], rel=1e-6)


def test_where_the_first_row_is_not_at_0_a_users_study_is_asked_which_time_the_states_begin_at():
    columns = {"day": [0.5, 1, 2], "y": [1, 2, 3]}
    said = refusal(read, columns)
    assert said == (
        "t.csv, column 'day': the first row is at 0.5, not at 0: when do the initial values of the states hold? For "
        "time 0, set `time: {column: day, origin: 0}`; for the first row, `time: {column: day, origin: 0.5}` (t in the "
        "model is what the column says in both cases)"
    )
    for origin, start in ((0, 0), (0.5, 0.5), ("first", 0.5), (-1, -1)):
        found = read(columns, time={"column": "day", "origin": origin})
        assert found.times.tolist() == [0.5, 1, 2] and found.start == start
    again = read(columns, time={"origin": "first", "zero": "first"})
    assert again.times.tolist() == [0, 0.5, 1.5] and again.start == 0
    assert read({"day": [0, 1, 2], "y": [1, 2, 3]}).start == 0
    assert "a row at 0.5, before the origin, 1" in refusal(read, columns, time={"origin": 1})
    assert "time.origin: found 'noon', expected a number" in refusal(read, columns, time={"origin": "noon"})


def test_built_in_models_begin_at_their_first_row_and_dates_of_any_model_at_theirs():
    years = {"year": [1900, 1901, 1903.5], "hare_thousands": [3.0, 4, 5], "lynx_thousands": [1.0, 2, 3]}
    found = read(years, lotka_volterra.build().dynamics)
    assert found.times.tolist() == [0, 1, 3.5] and found.start == 0
    assert read({"date": ["2024-03-01", "2024-03-02", "2024-03-04"], "y": [1, 2, 3]}).times.tolist() == [0, 1, 3]
    found = read(years, lotka_volterra.build().dynamics, time={"origin": 1890})
    assert found.times.tolist() == [1900, 1901, 1903.5] and found.start == 1890
    sick = {"day": [1, 2, 3], "infected": [1, 2, 3], "recovered": [0, 0, 1]}
    assert "infected and recovered this model begins with" in refusal(
        read, sick, sir.build().dynamics, time={"origin": 0}
    )


def test_a_dose_before_the_first_sample_is_fitted_once_the_origin_is_said():
    t = np.array([0.5, 1, 2, 3, 4, 6, 8, 12, 16, 24])
    blood = 100 / 20 * 1.2 / (1.2 - 0.15) * (np.exp(-0.15 * t) - np.exp(-1.2 * t))
    bounds = {"ka": (0.05, 5), "ke": (0.01, 1), "V": (5, 100)}
    x, found = fitted(
        "absorb", {"gut": 100, "blood": 0}, bounds, {"time": t, "blood": blood}, ["blood"], time={"origin": 0}
    )
    assert x == pytest.approx([1.2, 0.15, 20], rel=1e-5) and found.series.start == 0


# -- rows as laboratories have them ------------------------------------------------------------------------------------

RNG = np.random.default_rng(5)
BOX = {"k": (0.01, 2), "e": (0.01, 2), "start": (1, 50)}


def chain(t, k, e, start):
    return np.stack([start * np.exp(-k * t), start * k / (e - k) * (np.exp(-k * t) - np.exp(-e * t))], axis=1)


def by_hand(t, values, guess):
    """Least squares of the closed form over the cells that are there."""
    there = ~np.isnan(values)
    return curve_fit(lambda _, *x: chain(t, *x)[there], 0, values[there], guess, ftol=1e-14, xtol=1e-14)[0]


def rows(kind):
    """A table, its times in days and its values; weekly, with replicates, with an empty cell, or out of order."""
    t = {"weekly": 7.0 * np.arange(12), "replicates": np.repeat(np.arange(8.0), 2)}.get(kind, np.arange(12.0))
    truth = (0.05, 0.017, 10.0) if kind == "weekly" else (0.36, 0.12, 10.0)
    values = chain(t, *truth) + 0.05 * RNG.standard_normal((len(t), 2))
    values[3, 0] = np.nan if kind == "empty" else values[3, 0]
    time = pd.Timestamp("2024-01-01") + pd.to_timedelta(t, unit="D") if kind == "weekly" else t
    frame = pd.DataFrame({"time": time, "a": values[:, 0], "b": values[:, 1]})
    return frame.sample(frac=1, random_state=1) if kind == "unsorted" else frame, t, values, truth


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        ("weekly", "11 gaps of more than a day between rows, the longest of 7 days"),
        ("replicates", "16 rows at a time that another row has too: replicates, a residual each"),
        ("empty", "1 empty cell: 1 of a; each leaves its residual out"),
        ("unsorted", "7 rows not in the order of time: sorted"),
    ],
)
def test_rows_that_are_not_one_a_day_and_whole_are_data_and_are_counted(kind, note):
    frame, t, values, truth = rows(kind)
    x, found = fitted("decay", {"a": "start", "b": 0}, BOX, frame)
    assert x == pytest.approx(by_hand(t, values, truth), rel=1e-5)
    assert found.series.notes == (note,)
    # In JAX, the same residuals.
    there = ~np.isnan(values)
    assert found.by_scipy(np.array(truth)) == pytest.approx(((chain(t, *truth) - values)[there] ** 2).mean(), rel=1e-6)


def test_nothing_depends_on_the_order_of_rows_replicates_of_one_time_included():
    frame, *_ = rows("replicates")
    one, two = (read(f, model=lotka(f), window=3, weights="recent") for f in (frame, frame[::-1]))
    assert np.array_equal(one.values, two.values) and np.array_equal(one.times, two.times)
    weight = losses.by_time(one.times, 3, "recent")
    assert weight == pytest.approx(np.repeat([0] * 5 + [1 / 11, 1.5 / 11, 3 / 11], 2))
    assert len(one.before(2)) == len(one) - 4


def lotka(frame):
    """A model that observes the columns of a frame."""
    return user_series.model(
        lambda t, y, p: y,
        "own:m",
        {"ode": {"states": dict.fromkeys(frame.columns[1:], 1.0)}, "inputs": {"k": {}}},
        False,
    )


def test_an_empty_time_is_no_data_nor_is_a_series_without_a_value():
    assert "row 2 (line 3): found no value, expected a date or a number" in refusal(
        read, {"date": ["2024-01-01", None, "2024-01-03"], "y": [1, 2, 3]}
    )
    assert "found no value in any row" in refusal(read, {"time": [0, 1, 2], "y": [None] * 3})
    sick = {"day": [1, 2, 3], "infected": [1, 2, None], "recovered": [None, 0, 1]}
    assert "first row, which the model begins with" in refusal(read, sick, sir.build().dynamics)
    infinite = {"time": [0, 1, 2], "y": [1, np.inf, 2]}
    assert "expected a finite number" in refusal(read, infinite)


def test_counts_are_daily_where_a_study_says_so():
    gap = {"date": ["2024-01-01", "2024-01-02", "2024-01-04"], "y": [1, 2, 3]}
    assert len(read(gap)) == 3
    assert "no row between 2024-01-02 and 2024-01-04; expected one per day" in refusal(read, gap, daily=True)
    sick = {"date": gap["date"], "infected": [1, 2, 3], "recovered": [0, 0, 1]}
    assert "expected one per day" in refusal(read, sick, sir.build().dynamics)
    assert read(sick, sir.build().dynamics, daily=False).times.tolist() == [0, 1, 3]


# -- dates -------------------------------------------------------------------------------------------------------------


def parsed(*texts, order=None):
    found = dates.parsed(dates.Cells(texts, [f"row {k}" for k in range(1, len(texts) + 1)], "fit"), order)
    return [dates.said(stamp) for stamp in found]


@pytest.mark.parametrize(
    ("texts", "first", "last"),
    [
        (["28.01.2024", "04.02.2024", "11.02.2024"], "2024-01-28", "2024-02-11"),
        (["01/31/2024", "02/01/2024"], "2024-01-31", "2024-02-01"),
        (["1-31-24", "2-1-24"], "2024-01-31", "2024-02-01"),
        (["2024/01/02", "2024/01/03"], "2024-01-02", "2024-01-03"),
        (["2 Jan 2024", "3 Feb 2024"], "2024-01-02", "2024-02-03"),
        (["January 2, 2024", "Sept 3, 2024"], "2024-01-02", "2024-09-03"),
        (["13/01/2024 12:30 AM", "13/01/2024 1:05 PM"], "2024-01-13 00:30", "2024-01-13 13:05"),
        (["2024-01-01T00:30:00+01:00", "2024-01-01T00:30:00Z"], "2023-12-31 23:30", "2024-01-01 00:30"),
        (["13.01.2024 08:00:00.25", "14.01.2024"], "2024-01-13 08:00:00.25", "2024-01-14"),
        (["01.01.2024", "02.02.2024"], "2024-01-01", "2024-02-02"),
    ],
)
def test_dates_of_a_column_are_of_the_one_format_that_all_its_cells_allow(texts, first, last):
    found = parsed(*texts)
    assert (found[0], found[-1]) == (first, last)


def test_dates_whose_order_the_column_leaves_open_are_refused_with_the_key_that_settles_it():
    said = refusal(parsed, "02.02.2024", "03.02.2024", "04.02.2024")
    assert said == (
        "row 2: found '03.02.2024', which is 3 February 2024 or 2 March 2024, as every cell of the column allows both: "
        "set `dates: day_first` or `dates: month_first` under fit"
    )
    assert parsed("02.02.2024", "03.02.2024", order="day_first")[1] == "2024-02-03"
    assert parsed("02.02.2024", "03.02.2024", order="month_first")[1] == "2024-03-02"
    assert "`dates: day_first` or `dates: year_first`" in refusal(parsed, "20/03/01", "20/03/13")


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["28.01.2024", "01/28/2024"], "row 2: found '01/28/2024', expected a date like the first one, '28.01.2024'"),
        (["28/01/2024", "01/28/2024"], "row 2: found '01/28/2024', expected a day of the calendar, the day first"),
        (["2024-01-28", "28.01.2024"], "row 2: found '28.01.2024'"),
        (["2024-02-30"], "row 1: found '2024-02-30', expected a day of the calendar, the year first"),
        (["28.01.2024 25:00", "29.01.2024 07:00"], "row 1: found '28.01.2024 25:00'"),
        (["soon"], "row 1: found 'soon', expected a date or a number"),
        (["2024-01-01T08:00Z", "2024-01-01T09:00"], "row 2: found '2024-01-01T09:00'"),
    ],
)
def test_cells_that_are_no_dates_or_of_another_format_are_named(texts, said):
    with pytest.raises(StudyError) as error:
        parsed(*texts)
    assert str(error.value).startswith(said)


def test_a_column_of_day_first_dates_is_read_day_first_and_whole_numbers_may_be_dates():
    texts = ["28.01.2024", "29.01.2024", "30.01.2024", "31.01.2024", "01.02.2024", "02.02.2024"]
    assert read({"date": texts, "y": range(6)}).times.tolist() == [0, 1, 2, 3, 4, 5]
    weekly = ["07.01.2024", "14.01.2024", "21.01.2024"]
    assert read({"date": weekly, "y": range(3)}).times.tolist() == [0, 7, 14]
    assert read({"date": [20240131, 20240201, 20240203], "y": range(3)}).times.tolist() == [0, 1, 3]
    assert "`dates: day_first`" in refusal(read, {"date": ["01.02.2024", "02.02.2024", "03.02.2024"], "y": range(3)})
    assert "a time without its date" in refusal(read, {"time": ["08:00", "08:30", "09:00"], "y": range(3)})
