"""Every kind of model through the whole workflow, beside the simulator: same tables, same truth.

Some are trained here; a `.keras` file, and a model that MLflow keeps under an alias, are brought.
"""

import re

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import Ridge

from preimage import study
from preimage.problems.built_in import robot_arm
from preimage.support.files import read_json
from preimage.surrogates.keras_files import keras_on_jax

from ..finished import finished_study
from ..running import snakemake, study_argument, write_study

STUDY = """
study: arm
problem: {simulator: robot_arm, samples: 300}
surrogates:
  network: {kind: neural_network, layers: [32, 16], epochs: 60, members: 2, folds: 2}
  gp: {kind: gaussian_process, hyperparameter_rows: 150, restarts: 1, folds: 2}
  mine: {kind: model, path: arm.keras}
  champion: {kind: model, uri: "models:/arm@champion", outputs: [hand_x, hand_y]}
objectives:
  reach: {target: {hand_x: 1.2, hand_y: 0.7}, tolerance: 0.05}
inverters:
  starts: {kind: multistart, starts: 5, on: [network, gp, mine]}
  batched: {kind: multistart, starts: 20, engine: batched, on: [gp, mine]}
  direct: {kind: multistart, starts: 5, gradient: cs, on: [simulator]}
  adjoint: {kind: neural_adjoint, starts: 8, on: [network]}
  tpe: {kind: hyperopt, evaluations: 20, on: [champion]}
  lookup: {kind: lookup, on: [gp]}
"""
OWN = ["preimage_arrays"]
FLAVORS = {"network": ["keras"], "gp": OWN, "mine": OWN, "champion": OWN}
ARM = robot_arm.build()
NAMES = list(ARM.inputs)
OUTPUTS = ["predicted.hand_x", "predicted.hand_y"]


def rows():
    X = ARM.draw(300, np.random.default_rng(5))
    return pd.DataFrame(X, columns=NAMES), ARM.simulate(X)


def write_network(path):
    """A network of four named inputs, not in the table's order, trained a little."""
    keras = keras_on_jax()
    keras.utils.set_random_seed(0)
    ends = [keras.Input((1,), name=name) for name in reversed(NAMES)]
    hidden = keras.layers.Dense(32, "tanh")(keras.layers.Concatenate()(ends))
    made = keras.Model(ends, keras.layers.Dense(2)(keras.layers.Dense(16, "tanh")(hidden)))
    made.compile("adam", "mse")
    frame, Y = rows()
    made.fit([frame[[name]].to_numpy() for name in reversed(NAMES)], Y, epochs=60, verbose=0)
    made.save(path)


def store(folder):
    return f"sqlite:///{folder}/results/mlflow.db"


def register(folder, estimator, alias):
    """Train and register a model with columns in another order, and point the alias at it."""
    frame, Y = rows()
    frame = frame[NAMES[::-1]]
    before = mlflow.get_tracking_uri()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # where MLflow puts artifacts
        # MLflow sets it as well, for processes that it starts: not for the tests after this one.
        patch.setenv("MLFLOW_TRACKING_URI", store(folder))
        mlflow.set_tracking_uri(store(folder))
        with mlflow.start_run():
            made = mlflow.sklearn.log_model(
                estimator.fit(frame, Y), name="arm", registered_model_name="arm", input_example=frame[:2],
                pip_requirements=[], skops_trusted_types=["sklearn.tree._tree.Tree"],
            )  # fmt: skip
        mlflow.MlflowClient().set_registered_model_alias("arm", alias, made.registered_model_version)
        mlflow.set_tracking_uri(before)


def write_models(folder):
    write_network(folder / "arm.keras")
    (folder / "results").mkdir(exist_ok=True)
    register(folder, ExtraTreesRegressor(20, random_state=0), "champion")


pytestmark = pytest.mark.long
arm = finished_study("arm", STUDY, prepare=write_models)


@pytest.fixture(scope="module")
def summary(arm):
    return pd.read_csv(arm / "results/arm/summary.csv").set_index(["surrogate", "inverter"])


def test_each_method_works_where_it_is_asked_to_and_can_where_it_is_not_said(summary, arm, monkeypatch):
    assert set(summary.index) == {
        ("network", "starts"), ("gp", "starts"), ("mine", "starts"), ("gp", "batched"), ("mine", "batched"),
        ("network", "adjoint"), ("champion", "tpe"), ("gp", "lookup"), ("simulator", "direct"),
    }  # fmt: skip
    assert summary["simulated_loss"].notna().all()
    monkeypatch.chdir(arm)
    (arm / "everywhere.yaml").write_text(re.sub(r", on: \[(?!simulator).*\]", "", STUDY))
    found = {name: set(inverter.on) for name, inverter in study.load("everywhere.yaml")["inverters"].items()}
    assert found["adjoint"] == found["batched"] == {"network", "gp", "mine"}
    assert found["starts"] == found["lookup"] == {"network", "gp", "mine", "champion"} == found["tpe"]


def test_the_gaussian_process_reaches_the_target_in_truth_and_the_simulator_exactly(summary):
    assert summary.loc[("gp", "batched"), "simulated_loss"] < 1e-5
    assert summary.loc[("simulator", "direct"), "simulated_loss"] < 1e-20


def test_exact_gradients_reach_the_models_own_optimum(summary):
    for surrogate in ("network", "gp", "mine"):
        assert summary.loc[(surrogate, "starts"), "predicted_loss"] < 1e-15
    for surrogate in ("gp", "mine"):
        assert summary.loc[(surrogate, "batched"), "optimizer_regret"] < 1e-12


def test_regret_of_the_model_says_which_model_to_believe(summary):
    regret = summary["surrogate_regret"].abs()
    assert regret["gp", "batched"] < regret["network", "starts"]
    assert regret["gp", "batched"] < regret["champion", "tpe"]


def test_models_are_logged_each_in_its_own_format_and_training_curves_with_them(arm):
    client = mlflow.MlflowClient(store(arm))
    found = client.search_runs([client.get_experiment_by_name("arm").experiment_id])
    train = {r.info.run_name.removeprefix("train "): r for r in found if r.info.run_name.startswith("train ")}
    assert set(train) == {"network", "gp", "mine", "champion"}
    kept = {}
    for name, run in train.items():
        (made,) = run.outputs.model_outputs
        where = client.get_logged_model(made.model_id).artifact_location
        said = mlflow.artifacts.load_text(f"{where}/MLmodel")
        kept[name] = [flavor for flavor in yaml.safe_load(said)["flavors"] if flavor != "python_function"]
    assert kept == FLAVORS
    curve = client.get_metric_history(train["network"].info.run_id, "training/validation_loss")
    assert len(curve) > 5 and curve[-1].value < curve[0].value


def test_what_was_brought_predicts_as_it_did_where_it_came_from(arm):
    table = pd.read_parquet(arm / "results/arm/candidates.parquet")
    mine, champion = (table[table["surrogate"] == name] for name in ("mine", "champion"))
    keras = keras_on_jax()
    network = keras.saving.load_model(arm / "arm.keras")
    expected = network.predict([mine[[f"x.{name}"]].to_numpy() for name in reversed(NAMES)], verbose=0)
    np.testing.assert_allclose(mine[OUTPUTS], expected, atol=1e-5)
    mlflow.set_tracking_uri(store(arm))
    trees = mlflow.sklearn.load_model("models:/arm/1")
    frame = champion[[f"x.{name}" for name in reversed(NAMES)]].set_axis(list(reversed(NAMES)), axis=1)
    np.testing.assert_allclose(champion[OUTPUTS], trees.predict(frame), rtol=1e-12)


def test_the_report_tells_one_model_from_another(arm):
    page = (arm / "results/arm/report.html").read_text(encoding="utf-8")
    for name in ("network", "gp", "mine", "champion", "simulator"):
        assert f"<h4>On {name}</h4>" in page
    assert "could not be drawn" not in page
    assert "network: the training of its first network" in page and "gp: the training" not in page
    assert "of 5 starts" in page


def test_the_report_says_what_is_not_known_of_models_that_were_brought(arm):
    page = (arm / "results/arm/report.html").read_text(encoding="utf-8")
    assert page.count("This model was brought, not trained here.") == 2
    assert "held-out rows (which it may have been trained on elsewhere)" in page
    about = read_json(arm / "results/arm/round0/seed0/surrogates/champion/surrogate.json")
    assert about["parameters"]["source"] == "models:/arm/1"
    assert about["parameters"]["inputs"] == NAMES[::-1]


def test_a_run_is_finished_until_the_alias_moves(arm):
    register(arm, Ridge(), "champion")
    moved = snakemake(arm, *study_argument("arm.yaml"), "--dry-run").stdout
    assert "surrogate=champion" in moved and "rule train" in moved
    trained = moved[moved.index("rule train") :].split("\n\n")[0]
    assert "surrogate=champion" in trained and moved.count("rule train") == 1


@pytest.mark.long
def test_an_address_that_leads_nowhere_is_one_message_before_any_job(arm, tmp_path):
    write_study(tmp_path, STUDY.replace("@champion", "@champoin"), "arm.yaml")
    (tmp_path / "arm.keras").write_bytes((arm / "arm.keras").read_bytes())
    done = snakemake(tmp_path, *study_argument("arm.yaml"), "--dry-run", MLFLOW_TRACKING_URI=store(arm))
    messages = [line for line in (done.stdout + done.stderr).splitlines() if "preimage: " in line]
    assert done.returncode != 0 and len(messages) == 1 and "Traceback" not in done.stderr
    assert "key 'surrogates.champion': uri 'models:/arm@champoin': 'arm' has no alias 'champoin'" in messages[0]
    assert not (tmp_path / "results").exists()
