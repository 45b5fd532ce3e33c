"""Fits from data to report: a curve in JAX, and a right-hand side in NumPy that fails for some parameters."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import curve_fit
from scipy.stats import t as student

from preimage.support.files import read_json

from ..finished import finished_study
from ..running import assert_documented, snakemake, study_argument

TABLES = ("correlations", "information")
MODELS = """
import jax.numpy as jnp
import numpy as np

def dose_response(x, p):
    return p["top"] / (1 + jnp.exp(-p["slope"] * (x["dose"] - p["middle"])))

def cooling(t, y, p):
    rate = float(np.real(p["rate"]))
    return [float("nan") if rate > 0.5 else -p["rate"] * (y[0] - 20.0)]
"""

CURVE = """
study: curve
problem:
  simulator: models:dose_response
  curve: {at: [dose]}
  inputs: {top: {low: 0, high: 5}, slope: {low: 0.1, high: 5}, middle: {low: 0, high: 10}}
  outputs: {response: {}}
objectives: {fitted: {fit: {data: doses.csv, loss: mse}}}
inverters:
  least_squares: {kind: multistart, starts: 12, engine: batched}
"""

COOLING = """
study: cooling
problem:
  simulator: models:cooling
  ode: {states: {temperature: start}}
  inputs: {rate: {low: 0.01, high: 1, start: 0.3}, start: {low: 60, high: 100}}
  solver: {rtol: 1.0e-8}
  samples: 20
objectives: {cup: {fit: {data: cup.csv, loss: mse, hold_out: 3}}}
inverters: {differences: {kind: multistart, starts: 6, gradient: 3-point}}
"""


def doses():
    dose = np.linspace(0, 10, 40)
    noise = 0.02 * np.random.default_rng(0).standard_normal(40)
    return pd.DataFrame({"dose": dose, "response": 3 / (1 + np.exp(-1.5 * (dose - 4))) + noise})


def write_data(folder):
    (folder / "models.py").write_text(MODELS)
    doses().to_csv(folder / "doses.csv", index=False)
    t = np.arange(0, 15.0)
    pd.DataFrame({"time": t, "temperature": 20 + 65 * np.exp(-0.2 * t)}).to_csv(folder / "cup.csv", index=False)


curve = finished_study(
    "curve", CURVE, ["curve/candidates.parquet", "curve/fit.parquet", "curve/calibration/fitted"], write_data
)
cooling = finished_study("cooling", COOLING, prepare=write_data)


@pytest.mark.long
def test_a_curve_of_the_users_own_is_fitted(curve):
    table = pd.read_parquet(curve / "results/curve/candidates.parquet")
    assert not [c for c in table if c.startswith(("predicted.", "simulated.", "interval_"))]
    best = table.sort_values("predicted_loss").iloc[0]
    assert np.allclose(best[["x.top", "x.slope", "x.middle"]].astype(float), [3, 1.5, 4], atol=0.1)
    assert table.groupby(["seed", "inverter"]).size().to_dict() == {
        (0, "least_squares"): 12,
        (0, "lookup"): 1,
    }
    fit = pd.read_parquet(curve / "results/curve/fit.parquet")
    assert_documented(fit, "fit.parquet")
    assert np.sqrt(((fit["fitted"] - fit["observed"]) ** 2).mean()) < 0.03
    found = read_json(curve / "results/curve/calibration/fitted/findings.json")
    assert found["determined"] == 3
    # Nearly linear: profile intervals are those of the covariance.
    dose, response = doses().to_numpy().T
    values, covariance = curve_fit(
        lambda x, top, slope, middle: top / (1 + np.exp(-slope * (x - middle))), dose, response, [3, 1.5, 4]
    )
    half = student.ppf(0.975, len(dose) - 3) * np.sqrt(np.diag(covariance))
    for row, value, margin in zip(found["parameters"], values, half, strict=True):
        assert [row["low"], row["high"]] == pytest.approx([value - margin, value + margin], abs=0.1 * margin)
    tables = {name: pd.read_parquet(curve / f"results/curve/calibration/fitted/{name}.parquet") for name in TABLES}
    for name, told in tables.items():
        assert_documented(told, f"{name}.parquet")
    sd = np.sqrt(np.diag(covariance))
    right = (covariance / np.outer(sd, sd))[np.triu_indices(3, 1)]
    assert tables["correlations"]["correlation"].to_numpy() == pytest.approx(right, abs=0.01)
    # The one series that there is tells everything.
    assert tables["information"]["share_lost"].min() > 0.99


@pytest.mark.long
def test_an_equation_of_the_users_own_is_fitted_where_it_does_not_fail(cooling):
    cups = pd.read_parquet(cooling / "results/cooling/candidates.parquet")
    best = cups.sort_values("predicted_loss").iloc[0]
    assert np.allclose(best[["x.rate", "x.start"]].astype(float), [0.2, 85], rtol=1e-3)
    failed = cups[cups["status"] == "failed"]
    assert len(failed) and failed["message"].str.contains("nan").all()
    page = (cooling / "results/cooling/report.html").read_text()
    assert (
        'download="cooling_candidates.csv" href="data:text/csv' in page
        and "failed)" in page
        and "determines 2 of 2 directions" in page
        and "How does minimize get its derivatives" in page
    )


@pytest.mark.long
def test_an_edited_model_is_fitted_again(cooling):
    (cooling / "models.py").write_text(f"{MODELS}\n# edited\n")
    again = snakemake(cooling, *study_argument("cooling.yaml"), "--dry-run")
    assert "rule invert:" in again.stdout + again.stderr
