"""Every kind of model through the whole workflow, beside the simulator: same tables, same truth."""

import mlflow
import pandas as pd
import pytest

from ..running import snakemake, study_argument, write_study

STUDY = """
study: arm
problem: {simulator: robot_arm, samples: 300}
surrogates:
  forest: {kind: random_forest, trees: 20, folds: 2}
  network: {kind: neural_network, layers: [32, 16], epochs: 60, members: 2, folds: 2}
  gp: {kind: gaussian_process, hyperparameter_rows: 150, restarts: 1, folds: 2}
objectives:
  reach: {target: {hand_x: 1.2, hand_y: 0.7}, tolerance: 0.05}
inverters:
  starts: {kind: multistart, starts: 5}
  batched: {kind: multistart, starts: 20, engine: batched}
  adjoint: {kind: neural_adjoint, starts: 20}
  direct: {kind: multistart, starts: 5, gradient: cs, on: [simulator]}
"""


@pytest.fixture(scope="module")
def arm(tmp_path_factory):
    folder = write_study(tmp_path_factory.mktemp("arm"), STUDY, "arm.yaml")
    done = snakemake(folder, *study_argument("arm.yaml"))
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@pytest.fixture(scope="module")
def summary(arm):
    return pd.read_csv(arm / "results/arm/summary.csv").set_index(["surrogate", "inverter"])


def test_each_method_works_where_it_can_and_nowhere_else(summary):
    assert set(summary.index) == {
        *((s, i) for s in ("network", "gp") for i in ("starts", "batched", "adjoint", "lookup")),
        ("forest", "starts"), ("forest", "lookup"), ("simulator", "direct"),
    }  # fmt: skip


def test_the_gaussian_process_reaches_the_target_in_truth_and_the_simulator_exactly(summary):
    assert summary.loc[("gp", "batched"), "simulated_loss"] < 1e-5
    assert summary.loc[("simulator", "direct"), "simulated_loss"] < 1e-20


def test_exact_gradients_reach_the_models_own_optimum(summary):
    for surrogate in ("network", "gp"):
        assert summary.loc[(surrogate, "starts"), "predicted_loss"] < 1e-15
        assert summary.loc[(surrogate, "batched"), "optimizer_regret"] < 1e-12


def test_regret_of_the_model_says_which_model_to_believe(summary):
    regret = summary["surrogate_regret"].abs()
    assert regret["gp", "batched"] < regret["network", "batched"]
    assert regret["gp", "batched"] < regret["forest", "starts"]


def test_models_are_logged_each_in_its_own_format_and_training_curves_with_them(arm):
    mlflow.set_tracking_uri(f"sqlite:///{arm}/results/mlflow.db")
    client = mlflow.MlflowClient()
    found = client.search_runs([client.get_experiment_by_name("arm").experiment_id])
    train = {r.info.run_name.removeprefix("train "): r for r in found if r.info.run_name.startswith("train ")}
    assert set(train) == {"forest", "network", "gp"}
    assert train["forest"].outputs.model_outputs and train["network"].outputs.model_outputs
    assert "model" in {a.path for a in client.list_artifacts(train["gp"].info.run_id)}
    curve = client.get_metric_history(train["network"].info.run_id, "training/validation_loss")
    assert len(curve) > 5 and curve[-1].value < curve[0].value


def test_the_report_tells_one_model_from_another(arm):
    page = (arm / "results/arm/report.html").read_text(encoding="utf-8")
    for name in ("forest", "network", "gp", "simulator"):
        assert f"<h4>On {name}</h4>" in page
    assert "could not be drawn" not in page
    assert "network: the training of its first network" in page and "forest: the training" not in page
    assert "of 5 starts" in page
