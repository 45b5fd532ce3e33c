"""A trade-off from study to page: tables, figures, metrics and words."""

import json

import numpy as np
import pandas as pd
import pytest

import preimage

from ..finished import finished_study
from ..running import assert_documented, documented

STUDY = """
study: fronts
problem:
  table: {file: fronts.csv, outputs: [gain, waste]}
  inputs: {kind: {categories: [red, blue]}}
  formulas: {price: {expression: "2 * a + b", unit: EUR}}
surrogates: {line: {kind: linear}}
objectives:
  trade: {pareto: {maximize: [gain], minimize: [price]}, subject_to: {waste: {at_most: 1}}}
  high: {maximize: gain}
  near: {within: {gain: {at_least: 3.2}}, closest_to: {row: 2}, keep: [kind]}
inverters:
  nsga2: {kind: nsga2, evaluations: 200, members: 20}
  starts: {kind: multistart, starts: 2, points: 3}
"""


def write_rows(folder):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.random(40), "b": rng.random(40), "kind": np.where(np.arange(40) % 2, "red", "blue")})
    frame["gain"] = 3 * frame["a"] + frame["b"] + (frame["kind"] == "red")
    frame["waste"] = 2 * frame["a"]
    frame.to_csv(folder / "fronts.csv", index=False)


pytestmark = pytest.mark.long
fronts = finished_study("fronts", STUDY, prepare=write_rows)


@pytest.fixture(scope="module")
def trade(fronts):
    return fronts / "results/fronts"


def test_the_table_has_the_fronts_and_is_documented(trade):
    table = preimage.open(trade).pareto
    assert_documented(table, "pareto.csv")
    assert set(table["inverter"]) == {"nsga2", "starts", "lookup"} and set(table["objective"]) == {"trade"}
    assert (table.groupby("inverter")["rank"].first() == 1).all() and (table["predicted.waste"] <= 1 + 1e-9).all()
    for _, part in table.groupby("inverter"):
        ordered = part.sort_values("predicted.gain")
        assert ordered["predicted.price"].is_monotonic_increasing
    # The more of `a` the more gain and price, up to the limit of waste; red is better and costs nothing.
    searched = table[table["inverter"] != "lookup"]
    assert set(searched["x.kind"]) == {"red"} and searched["x.a"].max() == pytest.approx(0.5, abs=0.02)


def test_volumes_are_in_the_summary_and_among_the_metrics(trade):
    summary = preimage.open(trade).summary
    known = set(documented("summary.csv of a study with trade-offs"))
    assert known == {"hypervolume", "simulated_hypervolume", "hypervolume_bound"} < set(summary)
    assert summary["hypervolume"].notna().tolist() == (summary["objective"] == "trade").tolist()
    record = json.loads((trade / "tracking/round0/seed0/evidence.json").read_text())
    metrics = {name: value for name, value, _ in record["metrics"]}
    row = summary[(summary["objective"] == "trade") & (summary["inverter"] == "nsga2")].iloc[0]
    assert metrics["evidence/hypervolume/line.trade.nsga2"] == pytest.approx(row["hypervolume"])


def test_the_page_shows_the_front_and_says_what_it_covers(trade):
    page = (trade / "report.html").read_text(encoding="utf-8")
    assert (
        "trade: the front on line" in page and "of the box between the training rows&#39; worst and best values" in page
    )
    assert "points that span the front" in page and "hypervolume" in page
    assert (trade / "figures/front.line.trade.svg").exists()
    assert not list((trade / "figures").glob("convergence.*trade*"))


def test_the_nearest_change_of_a_row_goes_from_study_to_page(fronts, trade):
    found = preimage.open(trade)
    table = found.candidates
    mine = table[(table["objective"] == "near") & (table["inverter"] == "starts")].sort_values("rank")
    rows = pd.read_csv(fronts / "fronts.csv")
    best, today = mine.iloc[0], rows.iloc[1]
    # A unit of `a` gains most, so it alone is moved, by what is lacking.
    lacking = (3.2 - today["gain"]) / 3
    assert best["x.kind"] == today["kind"] and best["changed"] == 1 and best["violation"] == 0
    assert best["x.b"] == today["b"] and best["x.a"] - today["a"] == pytest.approx(lacking, rel=0.05)
    assert (
        best["distance"] == best["predicted_loss"] and table["distance"].notna().eq(table["objective"] == "near").all()
    )
    assert "Change a from" in (trade / "report.html").read_text(encoding="utf-8")
