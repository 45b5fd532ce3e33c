"""Rounds of the whole workflow: simulated ones, those of a table's further files, and a champion moved back."""

import json

import mlflow
import pandas as pd
import pytest

from preimage.surrogates import random_forest

from ..running import assert_documented, snakemake, study_argument, write_study
from .conftest import ROUNDS


def part(folder, at, name, seed=0):
    return pd.read_parquet(folder / f"results/rounds/round{at}/seed{seed}/{name}.parquet")


def check_rows(folder, last, seed=0):
    """Each round up to the last adds its simulations, test rows stay, and no row is in two parts."""
    assert [len(part(folder, k, "train", seed)) for k in range(last + 1)] == [42, 50, 58][: last + 1]
    tests = [part(folder, k, "test", seed) for k in range(last + 1)]
    assert all(t.equals(tests[0]) for t in tests)
    gates = [part(folder, k, "gate", seed) for k in range(1, last + 1)]
    assert [len(g) for g in gates] == [2, 4][:last] and gates[-1].head(2).equals(gates[0])
    every = pd.concat([part(folder, last, "train", seed), gates[-1], tests[0]])
    assert every["__row__"].is_unique and sorted(every["__row__"]) == list(range(1, 61 + 10 * last))
    assert not every.duplicated(["x1", "x2"]).any()
    # What was re-simulated is not in the data, unless a round chose it.
    chosen = {tuple(r) for k in range(1, last + 1) for r in part(folder, k, "new", seed)[["x1", "x2"]].to_numpy()}
    first = {tuple(r) for r in part(folder, 0, "train", seed)[["x1", "x2"]].to_numpy()}
    assert {tuple(r) for r in part(folder, last, "train", seed)[["x1", "x2"]].to_numpy()} <= first | chosen


def test_a_round_adds_its_simulations_and_no_row_of_the_evidence(rounds):
    check_rows(rounds, 1)


@pytest.mark.long
def test_each_of_two_rounds_of_two_seeds_adds_its_simulations(tmp_path):
    write_study(tmp_path, ROUNDS.replace("seed: 0", "seeds: [0, 1]").replace("rounds: 1", "rounds: 2"), "rounds.yaml")
    done = snakemake(tmp_path, "results/rounds/relearning.html", *study_argument("rounds.yaml"))
    assert done.returncode == 0, done.stderr[-4000:]
    for seed in (0, 1):
        check_rows(tmp_path, 2, seed)
    decision = json.loads(
        (tmp_path / "results/rounds/round2/seed0/surrogates/forest/decision.json").read_text(encoding="utf-8")
    )
    # The first version is still the champion, so all rows since are new to it.
    assert decision["champion"] == "1" and decision["figures"]["new_rows"] == 20 and decision["relearn"]
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/results/mlflow.db")
    for seed in (0, 1):
        versions = client.search_model_versions(f"name = 'rounds.forest.seed{seed}'")
        assert sorted(v.tags["round"] for v in versions) == ["0", "1", "2"]


def test_every_round_is_in_the_tables(rounds):
    assert_documented(pd.read_csv(rounds / "results/rounds/rounds.csv"), "rounds.csv")
    summary = pd.read_csv(rounds / "results/rounds/summary.csv")
    assert sorted(summary["round"].unique()) == [0, 1] and len(summary) == 2 * 2 * 3
    assert sorted(pd.read_parquet(rounds / "results/rounds/candidates.parquet")["round"].unique()) == [0, 1]


def test_every_model_is_a_version_and_one_is_champion(rounds):
    client = mlflow.MlflowClient(f"sqlite:///{rounds}/results/mlflow.db")
    versions = client.search_model_versions("name = 'rounds.forest'")
    assert sorted(v.tags["round"] for v in versions) == ["0", "1"]
    for v in versions:
        assert {"git_commit", "lock_digest", "data_digest", "test.rmse.y"} <= set(v.tags)
    assert str(client.get_model_version_by_alias("rounds.forest", "champion").version) == "1"
    said = json.loads((rounds / "results/rounds/round1/seed0/surrogates/forest/promotion.json").read_text())
    assert not said["promoted"] and "2 gate rows are too few" in said["reasons"][0]


def test_what_each_round_bought_is_a_table_a_figure_and_in_the_report(rounds):
    table = pd.read_csv(rounds / "results/rounds/rounds.csv")
    assert table.groupby("round")["rows"].unique().map(list).tolist() == [[60], [70]]
    assert set(table["inverter"]) == {"random", "direct", "lookup"} and table["simulated_loss"].notna().all()
    summary = pd.read_csv(rounds / "results/rounds/summary.csv")
    assert table["simulated_loss"].tolist() == summary["simulated_loss"].tolist()
    assert (rounds / "results/rounds/figures/rounds.best.svg").exists()
    assert "What each round gained" in (rounds / "results/rounds/report.html").read_text()


def test_a_page_says_why_each_model_was_promoted_or_refused(rounds):
    page = (rounds / "results/rounds/relearning.html").read_text()
    assert "rounds.forest" in page and "2 gate rows are too few" in page
    folder = rounds / "results/rounds/round1/seed0"
    decision = json.loads((folder / "surrogates/forest/decision.json").read_text())
    assert decision["champion"] == "1" and decision["figures"]["new_rows"] == 10 and decision["relearn"]
    assert decision["figures"]["trained_rows"] == 42


def test_a_version_is_linked_to_the_run_that_trained_it(rounds):
    client = mlflow.MlflowClient(f"sqlite:///{rounds}/results/mlflow.db")
    for version in client.search_model_versions("name = 'rounds.forest'"):
        run = client.get_run(version.run_id)
        assert run.data.tags["rule"] == "train" and run.data.tags["wildcard.round"] == version.tags["round"]
        assert run.data.metrics["test/rmse"] == pytest.approx(float(version.tags["test.rmse.y"]), rel=1e-5)


@pytest.mark.long
def test_a_study_inverts_the_champion_that_relearning_left(rounds):
    uri = 'uri: "models:/rounds.forest@champion"'
    text = ROUNDS.replace("study: rounds", "study: use")
    text = text.replace("kind: random_forest, trees: 10, folds: 2", f"kind: model, {uri}")
    text = (
        text.replace("minimize: value", "minimize: y")
        .replace("rounds: 1\n", "")
        .replace("relearning: {simulations: 10, explore: 0.2, gate: 0.2}\n", "")
    )
    text = text.replace("inverters: {", "inverters: {proof: {kind: certified}, ")
    write_study(rounds, text, "use.yaml")
    tables = [f"results/use/{name}" for name in ("candidates.parquet", "summary.csv")]
    done = snakemake(rounds, *tables, *study_argument("use.yaml"))
    assert done.returncode == 0, done.stderr[-4000:]
    about = json.loads((rounds / "results/use/round0/seed0/surrogates/forest/surrogate.json").read_text())
    assert about["parameters"]["source"] == "models:/rounds.forest/1"
    # It is the forest of round 0, and the proof is about that forest.
    arrays = rounds / "results/rounds/round0/seed0/surrogates/forest/model"
    found = pd.read_parquet(rounds / "results/use/candidates.parquet").query("seed == 0 and inverter == 'proof'")
    predicted = random_forest.load(arrays).predict(found[["x.x1", "x.x2"]].to_numpy())[:, 0]
    assert predicted == pytest.approx(found["predicted.y"].to_numpy(), rel=1e-12)
    summary = pd.read_csv(rounds / "results/use/summary.csv").query("seed == 0 and inverter == 'proof'")
    assert summary["gap"].item() == pytest.approx(0, abs=1e-9)


@pytest.mark.long
def test_a_champion_is_moved_back(rounds):
    asked = ["study=rounds", "surrogate=forest", "version=2", "reason=a wrong unit"]
    done = snakemake(rounds, "rollback", *study_argument("rounds.yaml"), *asked)
    assert done.returncode == 0, done.stderr[-4000:]
    client = mlflow.MlflowClient(f"sqlite:///{rounds}/results/mlflow.db")
    assert str(client.get_model_version_by_alias("rounds.forest", "champion").version) == "2"
    assert client.get_model_version("rounds.forest", "2").tags["promoted"] == "rolled back: a wrong unit"


@pytest.mark.long
def test_a_champion_is_not_moved_without_a_version(rounds):
    done = snakemake(rounds, "rollback", *study_argument("rounds.yaml"), "study=rounds", "surrogate=forest")
    assert done.returncode and "no version given" in done.stderr
