"""Models of a user's own through the whole workflow: a `.keras` file, and one that MLflow keeps under an alias."""

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import Ridge

from preimage.problems.built_in import robot_arm
from preimage.support.files import read_json
from preimage.surrogates.keras_files import keras_on_jax

from ..running import snakemake, study_argument, write_study

STUDY = """
study: arm
problem: {simulator: robot_arm, samples: 200}
surrogates:
  mine: {kind: model, path: arm.keras}
  champion: {kind: model, uri: "models:/arm@champion", outputs: [hand_x, hand_y]}
objectives:
  reach: {target: {hand_x: 1.2, hand_y: 0.7}, tolerance: 0.05}
inverters:
  tpe: {kind: hyperopt, evaluations: 20, on: [champion]}
  starts: {kind: multistart, starts: 3}
  differences: {kind: multistart, starts: 3, gradient: 3-point, on: [mine]}
  batched: {kind: multistart, starts: 8, engine: batched}
  evolution: {kind: evolution, evaluations: 200, on: [champion]}
  adjoint: {kind: neural_adjoint, starts: 8}
"""
ARM = robot_arm.build()
NAMES = list(ARM.inputs)


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


def register(store, estimator, alias):
    """Train and register a model with columns in another order, and point the alias at it."""
    frame, Y = rows()
    frame = frame[NAMES[::-1]]
    mlflow.set_tracking_uri(store)
    with mlflow.start_run():
        made = mlflow.sklearn.log_model(
            estimator.fit(frame, Y), name="arm", registered_model_name="arm", input_example=frame[:2],
            pip_requirements=[], skops_trusted_types=["sklearn.tree._tree.Tree"],
        )  # fmt: skip
    mlflow.MlflowClient().set_registered_model_alias("arm", alias, made.registered_model_version)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_study(tmp_path_factory.mktemp("own"), STUDY, "arm.yaml")
    write_network(folder / "arm.keras")
    before = mlflow.get_tracking_uri()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # where MLflow puts artifacts
        register(f"sqlite:///{folder}/store.db", ExtraTreesRegressor(20, random_state=0), "champion")
    yield folder
    mlflow.set_tracking_uri(before)


def run(folder, *arguments):
    return snakemake(
        folder, *study_argument("arm.yaml"), *arguments, MLFLOW_TRACKING_URI=f"sqlite:///{folder}/store.db"
    )


@pytest.fixture(scope="module")
def finished(folder):
    done = run(folder)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def test_every_method_works_on_them_where_it_can(finished):
    summary = pd.read_csv(finished / "results/arm/summary.csv").set_index(["surrogate", "inverter"])
    everywhere = {"starts", "lookup"}
    assert set(summary.loc["mine"].index) == everywhere | {"differences", "batched", "adjoint"}
    assert set(summary.loc["champion"].index) == everywhere | {"tpe", "evolution"}
    for inverter in ("starts", "batched"):
        assert summary.loc[("mine", inverter), "predicted_loss"] < 1e-18
    assert summary.loc[("mine", "differences"), "predicted_loss"] < 1e-8
    assert summary["simulated_loss"].notna().all()


def test_what_was_brought_predicts_as_it_did_where_it_came_from(finished):
    table = pd.read_parquet(finished / "results/arm/candidates.parquet")
    mine, champion = (table[table["surrogate"] == name] for name in ("mine", "champion"))
    outputs = ["predicted.hand_x", "predicted.hand_y"]
    keras = keras_on_jax()
    network = keras.saving.load_model(finished / "arm.keras")
    expected = network.predict([mine[[f"x.{name}"]].to_numpy() for name in reversed(NAMES)], verbose=0)
    np.testing.assert_allclose(mine[outputs], expected, atol=1e-5)
    mlflow.set_tracking_uri(f"sqlite:///{finished}/store.db")
    trees = mlflow.sklearn.load_model("models:/arm@champion")
    frame = champion[[f"x.{name}" for name in reversed(NAMES)]].set_axis(list(reversed(NAMES)), axis=1)
    np.testing.assert_allclose(champion[outputs], trees.predict(frame), rtol=1e-12)


def test_the_report_says_what_is_not_known_of_them(finished):
    page = (finished / "results/arm/report.html").read_text(encoding="utf-8")
    assert page.count("This model was brought, not trained here.") == 2
    assert "held-out rows (which it may have been trained on elsewhere)" in page
    about = read_json(finished / "results/arm/round0/seed0/surrogates/champion/surrogate.json")
    assert about["parameters"]["source"] == "models:/arm/1"
    assert about["parameters"]["inputs"] == NAMES[::-1]


def test_a_run_is_finished_until_the_alias_moves_or_the_file_changes(finished):
    again = run(finished, "--dry-run")
    assert "Nothing to be done" in again.stdout + again.stderr, again.stdout[-3000:]
    register(f"sqlite:///{finished}/store.db", Ridge(), "champion")
    moved = run(finished, "--dry-run").stdout
    assert "surrogate=champion" in moved and "rule train" in moved
    trained = moved[moved.index("rule train") :].split("\n\n")[0]
    assert "surrogate=champion" in trained and moved.count("rule train") == 1


def test_an_address_that_leads_nowhere_is_one_message_before_any_job(folder, tmp_path):
    write_study(tmp_path, STUDY.replace("@champion", "@champoin"), "arm.yaml")
    (tmp_path / "arm.keras").write_bytes((folder / "arm.keras").read_bytes())
    store = f"sqlite:///{folder}/store.db"
    done = snakemake(tmp_path, *study_argument("arm.yaml"), "--dry-run", MLFLOW_TRACKING_URI=store)
    messages = [line for line in (done.stdout + done.stderr).splitlines() if "preimage: " in line]
    assert done.returncode != 0 and len(messages) == 1 and "Traceback" not in done.stderr
    assert "key 'surrogates.champion': uri 'models:/arm@champoin': 'arm' has no alias 'champoin'" in messages[0]
    assert not (tmp_path / "results").exists()
