"""The calls of a simulator on the page, by purpose; and what is said of an answer at which it failed."""

from types import SimpleNamespace

from preimage.core.candidates import NOT_RUN, UNTRUE
from preimage.reporting import calls, words
from preimage.reporting.templates import environment

from .test_reporting import SIXTY, UNITS, row

RECORDS = [
    {"rule": "simulate_part", "calls": {"asked": 20, "failed": {"ValueError: <hot>": 3}}},
    {"rule": "simulate_part", "calls": {"asked": 19, "failed": {"ValueError: <hot>": 1, "no answer within 5 s": 2}}},
    {"rule": "train", "calls": {}},
    {"rule": "evidence", "calls": {"asked": 12, "failed": {}}},
    {"rule": "diagnose", "calls": {"asked": 379, "failed": {f"E{k}": 1 for k in range(5)}}},
    {"rule": "gather"},
]


def test_calls_are_counted_by_purpose_with_those_that_failed_and_why():
    found = calls.section(SimpleNamespace(records=RECORDS, study={"budget": {"simulations": 500}}))
    rows = {r["purpose"]: (r["calls"], r["failed"], r["why"]) for r in found["rows"]}
    assert rows == {
        "rows to train on": (39, 6, "ValueError: <hot> (4) and no answer within 5 s (2)"),
        "candidates re-simulated": (12, 0, ""),
        "diagnosis around answers": (379, 5, "E0 (1), E1 (1), E2 (1) and 2 other reasons"),
    }
    assert (found["calls"], found["failed"], found["budget"]) == (430, 11, 500)
    page = environment().get_template("calls.html").render(calls=found)
    assert "ValueError: &lt;hot&gt; (4)" in page and "of 500" in page and "failed_calls.jsonl" in page


def test_a_study_that_simulates_nothing_shows_none():
    assert calls.section(SimpleNamespace(records=RECORDS[2:3], study={})) is None


def test_an_answer_at_which_the_simulator_failed_is_said_to_be_unknown():
    said = " ".join(words.answer(row(**{UNTRUE: "ValueError: too hot"}), SIXTY, UNITS))
    assert "Its true value is unknown: the simulator failed there (ValueError: too hot)." in said
    said = " ".join(words.answer(row(**{UNTRUE: NOT_RUN}), SIXTY, UNITS))
    assert "was not re-simulated, as the budget of simulations is spent." in said
    assert "measure it" in " ".join(words.answer(row(), SIXTY, UNITS))
