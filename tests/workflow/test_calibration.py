"""Fits from data to report: a curve in JAX, and a right-hand side in NumPy that fails for some parameters."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import curve_fit
from scipy.stats import t as student

from preimage.support.files import read_json

from ..running import assert_documented, snakemake, study_argument, write_study

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
  differences: {kind: multistart, starts: 3, gradient: 2-point}
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


def test_a_curve_and_an_equation_of_the_users_own_are_fitted(tmp_path):
    write_study(tmp_path, CURVE, "curve.yaml")
    write_study(tmp_path, COOLING, "cooling.yaml")
    (tmp_path / "models.py").write_text(MODELS)
    rng = np.random.default_rng(0)
    dose = np.linspace(0, 10, 40)
    response = 3 / (1 + np.exp(-1.5 * (dose - 4))) + 0.02 * rng.standard_normal(40)
    pd.DataFrame({"dose": dose, "response": response}).to_csv(tmp_path / "doses.csv", index=False)
    t = np.arange(0, 15.0)
    pd.DataFrame({"time": t, "temperature": 20 + 65 * np.exp(-0.2 * t)}).to_csv(tmp_path / "cup.csv", index=False)

    arguments = study_argument("curve.yaml", "cooling.yaml")
    done = snakemake(tmp_path, *arguments, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr[-4000:]

    table = pd.read_parquet(tmp_path / "results/curve/candidates.parquet")
    assert not [c for c in table if c.startswith(("predicted.", "simulated.", "interval_"))]
    best = table.sort_values("predicted_loss").iloc[0]
    assert np.allclose(best[["x.top", "x.slope", "x.middle"]].astype(float), [3, 1.5, 4], atol=0.1)
    assert table.groupby(["seed", "inverter"]).size().to_dict() == {
        (s, i): n for s in (0,) for i, n in (("least_squares", 12), ("differences", 3), ("lookup", 1))
    }
    fit = pd.read_parquet(tmp_path / "results/curve/fit.parquet")
    assert_documented(fit, "fit.parquet")
    assert np.sqrt(((fit["fitted"] - fit["observed"]) ** 2).mean()) < 0.03
    found = read_json(tmp_path / "results/curve/calibration/fitted/findings.json")
    assert found["determined"] == 3
    # Nearly linear: profile intervals are those of the covariance.
    values, covariance = curve_fit(
        lambda x, top, slope, middle: top / (1 + np.exp(-slope * (x - middle))), dose, response, [3, 1.5, 4]
    )
    half = student.ppf(0.975, len(dose) - 3) * np.sqrt(np.diag(covariance))
    for row, value, margin in zip(found["parameters"], values, half, strict=True):
        assert [row["low"], row["high"]] == pytest.approx([value - margin, value + margin], abs=0.1 * margin)

    cups = pd.read_parquet(tmp_path / "results/cooling/candidates.parquet")
    best = cups.sort_values("predicted_loss").iloc[0]
    assert np.allclose(best[["x.rate", "x.start"]].astype(float), [0.2, 85], rtol=1e-3)
    failed = cups[cups["status"] == "failed"]
    assert len(failed) and failed["message"].str.contains("nan").all()
    page = (tmp_path / "results/cooling/report.html").read_text()
    assert (
        "failed)" in page and "determines 2 of 2 directions" in page and "How does minimize get its derivatives" in page
    )

    again = snakemake(tmp_path, *arguments, "--dry-run", PYTHONPATH=str(tmp_path))
    assert "Nothing to be done" in again.stdout + again.stderr
    (tmp_path / "models.py").write_text(f"{MODELS}\n# edited\n")
    again = snakemake(tmp_path, *arguments, "--dry-run", PYTHONPATH=str(tmp_path))
    assert "rule invert:" in again.stdout + again.stderr
