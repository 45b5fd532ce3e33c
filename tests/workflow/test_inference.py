"""Inference from observed sets to the page: what it leaves, that it is the same each time, and that it stays done."""

import numpy as np
import pandas as pd
import pytest

from preimage.support.files import read_json

from ..finished import finished_study
from ..running import assert_documented, snakemake, study_argument, write_study

COUNTS = """
study: counts
problem: {simulator: poisson, inputs: {log_rate: {low: 1, high: 4}}}
observations: {table: counts.csv, parameters: rates.csv, draws: 300}
inference:
  rejection: {kind: abc_rejection, simulations: 20000}
checks: {sets: 30, searches: 5, predictive: 220}
bank: {jobs: 2}
"""
SEED = "results/counts/seed0"
TABLES = ["results/counts/posterior.parquet", "results/counts/summary.csv"]


def write_sets(folder):
    rng = np.random.default_rng(0)
    sets = {"low": rng.poisson(np.exp(1.5), 40), "high": rng.poisson(np.exp(3.5), 40), "odd": np.full(40, 3000)}
    rows = [{"observation": name, "count": count} for name, counts in sets.items() for count in counts]
    pd.DataFrame(rows).to_csv(folder / "counts.csv", index=False)
    pd.DataFrame({"log_rate": [1.5, 3.5, 4]}).to_csv(folder / "rates.csv", index=False)


counts = finished_study("counts", COUNTS, prepare=write_sets)


def test_posterior_and_summary_have_the_columns_of_the_interface(counts):
    posterior = pd.read_parquet(counts / TABLES[0])
    assert list(posterior) == ["seed", "observation", "method", "draw", "weight", "theta.log_rate"]
    assert_documented(posterior, "posterior.parquet")
    assert_documented(pd.read_csv(counts / TABLES[1]), "summary.csv of a study of inference")
    sums = posterior.groupby(["seed", "observation", "method"])["weight"].agg(["sum", "size"])
    assert len(sums) == 3 and np.allclose(sums["sum"], 1) and (sums["size"] <= 300).all()
    summary = pd.read_csv(counts / TABLES[1])
    assert summary[["observation", "method"]].to_numpy().tolist() == [[o, "rejection"] for o in ("low", "high", "odd")]
    wanted = {
        "simulations",
        "mean.log_rate",
        "sd.log_rate",
        "true.log_rate",
        "predictive_error",
        "coverage_error",
        "c2st",
    }
    assert wanted <= set(summary) and "seconds" not in " ".join(summary)
    timings = pd.read_csv(counts / "results/counts/timings.csv")
    assert {"observe", "fresh", "infer rejection", "check rejection"} <= set(timings["step"])


def test_answers_are_near_the_closed_form_and_what_can_not_be_is_flagged(counts):
    """Under a flat prior far inside its ends, the posterior of the rate is nearly a gamma distribution."""
    summary = pd.read_csv(counts / TABLES[1]).set_index("observation")
    x = pd.read_csv(counts / "counts.csv").query("observation == 'high'")["count"]
    assert summary.loc["high", "mean.log_rate"] == pytest.approx(np.log(x.mean()), abs=0.15)
    assert summary["misspecified"].tolist() == [False, False, True]
    assert summary.loc["odd", "predictive_p"] < 0.1
    page = (counts / "results/counts/report.html").read_text(encoding="utf-8")
    assert "Observation odd lies outside of what the simulator produces under the prior" in page
    assert "Which answers to trust" in page and "<svg" in page and "could not be drawn" not in page


def test_the_bank_is_made_by_as_many_jobs_as_the_study_says_and_trains_what_needs_it(counts):
    parts = [np.load(counts / SEED / f"bank/{k}.npz") for k in range(2)]
    assert [len(p["theta"]) for p in parts] == [250, 250]
    trained = np.load(counts / SEED / "methods/rejection/trained.npz")
    theta = np.concatenate([p["theta"] for p in parts])
    assert np.array_equal(trained["theta"], theta[: len(trained["theta"])])
    record = read_json(counts / "results/counts/tracking/seed0/check.rejection.json")
    assert "checks/coverage" in [name for name, _, _ in record["metrics"]]


@pytest.mark.long
def test_other_checks_train_nothing_again(counts, tmp_path):
    write_study(tmp_path, COUNTS.replace("sets: 30", "sets: 31"), "counts.yaml")
    done = snakemake(counts, *study_argument(tmp_path / "counts.yaml"), "-n")
    planned = {line.split()[0] for line in done.stdout.splitlines() if len(line.split()) == 2}
    assert "check" in planned and not planned & {"train_inference", "bank", "observe", "infer"}


@pytest.mark.long
def test_the_same_study_on_other_cores_gives_the_same_bytes(counts, tmp_path):
    write_study(tmp_path, COUNTS, "counts.yaml")
    write_sets(tmp_path)
    files = [f"{SEED}/methods/rejection/{name}.parquet" for name in ("draws", "checks")]
    done = snakemake(tmp_path, *files, "--cores", "1", *study_argument("counts.yaml"))
    assert done.returncode == 0, done.stderr[-4000:]
    for name in files:
        assert (tmp_path / name).read_bytes() == (counts / name).read_bytes()


NETWORKS = """
study: networks
problem: {simulator: gaussian}
observations: {simulate: 2, size: 20}
inference:
  alfi: {kind: alfi, simulations: 400000, draws: 200}
  one_shot: {kind: one_shot, simulations: 200000, draws: 200}
  npe: {kind: npe, simulations: 20000, updates: 200, draws: 200, rounds: 2}
  rejection: {kind: abc_rejection, simulations: 20000}
  abc_smc: {kind: abc_smc, simulations: 20000}
  nes: {kind: nes, simulations: 20000}
  avo: {kind: avo, simulations: 20000}
  likeliest: {kind: maximum_likelihood}
checks: {sets: 20, searches: 2, predictive: 220}
"""


@pytest.mark.long
def test_every_method_goes_from_training_to_the_page(tmp_path):
    write_study(tmp_path, NETWORKS, "networks.yaml")
    done = snakemake(tmp_path, *study_argument("networks.yaml"))
    assert done.returncode == 0, done.stderr[-4000:]
    folder = tmp_path / "results/networks"
    summary = pd.read_csv(folder / "summary.csv").set_index(["method", "observation"])
    names = {"alfi", "alfi_blind", "one_shot", "npe", "rejection", "abc_smc", "nes", "avo", "likeliest"}
    assert set(summary.index.get_level_values("method")) == names and (summary["status"] == "ok").all()
    assert (summary["simulations"] + summary["training_simulations"]).loc[["npe", "rejection"]].max() <= 20_000
    # One start for both: that of the ablation differs in nothing but what it sees.
    arrays = [np.load(folder / f"seed0/methods/{name}/trained.npz") for name in ("alfi", "alfi_blind")]
    shared = [k for k in arrays[0] if k.startswith("weights.")]
    assert any(np.array_equal(arrays[0][k], arrays[1][k]) for k in shared)
    assert any(not np.array_equal(arrays[0][k], arrays[1][k]) for k in shared)
    (use,) = read_json(folder / "uses.json")
    assert use["method"] == "alfi" and use["problems"] == 20
    paths = pd.read_parquet(folder / "seed0/methods/alfi/paths.parquet")
    assert list(paths)[:2] == ["observation", "step"] and "mean.log_sd" in paths
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "alfi without its simulations" in page and "could not be drawn" not in page
