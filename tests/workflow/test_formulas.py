"""A formula through the whole workflow: in every table as an output is, and no model trains on it; and an objective of
an input that varies, whose share follows from the formula."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm


@pytest.fixture(scope="module")
def priced(rounds):
    return rounds / "results/rounds"


def test_every_table_has_formulas_as_outputs(priced):
    table = pd.read_parquet(priced / "candidates.parquet")
    for part in ("predicted", "simulated"):
        price, y = table["x.x1"] * 0.1 + 30, table[f"{part}.y"]
        np.testing.assert_allclose(table[f"{part}.price"], price)
        np.testing.assert_allclose(table[f"{part}.value"], price / (y + 1000))
    mine = table[table["surrogate"] == "forest"]
    assert (mine["interval_low.price"] == mine["interval_high.price"]).all()
    divisor = mine["interval_low.y"] + 1000
    unknown = np.where(divisor < 0, np.inf, mine["predicted.price"] / divisor)
    np.testing.assert_allclose(mine["interval_high.value"], unknown)
    best = table[table["objective"] == "best"]
    np.testing.assert_array_equal(best["predicted_loss"], best["predicted.value"])
    np.testing.assert_array_equal(best["simulated_loss"], best["simulated.value"])
    assert {"predicted.value", "simulated.price"} <= set(pd.read_csv(priced / "summary.csv"))


def test_the_simulator_itself_is_searched_through_the_formula(priced):
    summary = pd.read_csv(priced / "summary.csv")
    found = summary[(summary["inverter"] == "direct") & (summary["objective"] == "best") & (summary["round"] == 1)]
    # On the paraboloid y = x1^2 + x2^2 within [-100, 100], the least of (0.1 x1 + 30) / (y + 1000) is at a corner.
    assert found["predicted.value"].item() == pytest.approx(20 / 21000, rel=1e-6)


def test_the_share_of_production_follows_from_the_formula(priced):
    """The price is at most 33 where x1, which varies by a tenth of what is set, is at most 30."""
    table = pd.read_parquet(priced / "candidates.parquet")
    mine = table[(table["objective"] == "steady") & table["rank"].notna()]
    share = norm.cdf(np.where(mine["x.x1"] > 0, 1, -1) * (30 / mine["x.x1"] - 1) / 0.1)
    np.testing.assert_allclose(mine["share_met"], share, atol=0.02)
    np.testing.assert_allclose(mine["predicted_loss"], 1 - mine["share_met"])
    first = mine[mine["rank"] <= 10]
    assert (first["simulated_share_met"] == first["share_met"]).all() and table["share_met"].isna().sum() > 0
    assert pd.read_csv(priced / "summary.csv").set_index("objective").loc["steady", "share_met"].eq(1).all()
    assert "100% of production meets the objective" in (priced / "report.html").read_text(encoding="utf-8")


def test_models_are_trained_and_tested_on_true_outputs_alone(priced):
    about = json.loads((priced / "round1/seed0/surrogates/forest/surrogate.json").read_text())
    assert set(about["test"]) == {"y"}
    assert {c for c in pd.read_parquet(priced / "round1/seed0/train.parquet") if not c.startswith("__")} == {
        "x1",
        "x2",
        "y",
    }
    findings = pd.read_csv(priced / "diagnosis.csv")
    assert set(findings["output"].dropna()) == {"y"}
    assert set(findings["objective"].dropna()) == {"best", "steady"}


def test_the_report_says_what_a_formula_is_in_its_unit(priced):
    page = (priced / "report.html").read_text(encoding="utf-8")
    assert "price = <code>0.1*x1 + 30</code> EUR" in page
    assert "EUR" in page.split("best: smallest value")[1].split("The recommended inputs")[0]
    captions = json.loads((priced / "figures/captions.json").read_text())
    assert not [c for c in captions if c["file"] is None]
