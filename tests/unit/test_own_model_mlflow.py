"""Models of a user's own that MLflow keeps: every flavour that is taken, and every address that leads nowhere."""

import json
import resource
from dataclasses import replace

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.entities import FileInfo
from sklearn.linear_model import Ridge

from preimage.data.rows import Rows
from preimage.study import user_models
from preimage.support import limits
from preimage.surrogates import model
from preimage.surrogates.base import SurrogateKind
from preimage.surrogates.keras_files import keras_on_jax
from preimage.surrogates.kinds.gaussian_process import GaussianProcess
from preimage.tracking import models

from ..conftest import refusal
from ..own_models import INPUTS, OUTPUTS, X, Y, by_hand, dense, onnx_file_of

keras_on_jax()
import mlflow.keras  # noqa: E402  (looks for tensorflow where Keras is not there first)
import mlflow.onnx  # noqa: E402

TURNED = [INPUTS[k] for k in (2, 0, 1)]
GP = {"kernel": "rbf", "rows": 40, "hyperparameter_rows": 40, "restarts": 1, "folds": 2}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with a model of each flavour: its address, the run's id, and the models themselves."""
    import onnx

    folder, before = tmp_path_factory.mktemp("store"), mlflow.get_tracking_uri()
    process = GaussianProcess(**GP).train(Rows.plain(X, Y), np.random.default_rng(0))
    (folder / "gp").mkdir()
    process.save(folder / "gp")
    made = {
        "keras": dense(),
        "sklearn": Ridge().fit(pd.DataFrame(X, columns=INPUTS)[TURNED], Y),
        "gp": process.surrogate,
    }
    mlflow.set_tracking_uri(f"sqlite:///{folder}/store.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        with mlflow.start_run() as run:
            none = {"pip_requirements": []}
            mlflow.keras.log_model(made["keras"], name="keras", metadata={"inputs": TURNED}, **none)
            mlflow.onnx.log_model(onnx.load(onnx_file_of(folder / "a.onnx")), name="onnx", **none)
            for _ in range(2):
                mlflow.sklearn.log_model(made["sklearn"], name="sklearn", registered_model_name="mixes", **none)
            mlflow.sklearn.log_model(Ridge().fit(X, Y), name="pickled", serialization_format="cloudpickle", **none)
            mlflow.log_artifacts(str(folder / "gp"), "gp")
            mlflow.log_artifact(str(folder / "a.onnx"), "files")
            mlflow.log_text("nothing here", "notes/a.txt")
    mlflow.MlflowClient().set_registered_model_alias("mixes", "champion", 1)
    yield f"sqlite:///{folder}/store.db", run.info.run_id, made
    mlflow.set_tracking_uri(before)


@pytest.fixture
def entry(store, monkeypatch):
    """Return a function that completes a study's entry of one address, as a new run of Snakemake would."""

    def call(address):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", store[0])
        monkeypatch.delenv(user_models.PINNED, raising=False)
        models.fetch.cache_clear()
        return user_models.completed({"kind": "model", "uri": address.replace("RUN", store[1])})

    return call


@pytest.fixture
def taken(entry, tmp_path):
    """Return a function that takes over the model of an address."""

    def call(address):
        spec = entry(address)
        model.check(spec, INPUTS, OUTPUTS, X[:2])
        rows = replace(Rows.plain(X, Y), inputs=INPUTS, outputs=OUTPUTS)
        found = SurrogateKind.of_study(spec).train(rows, np.random.default_rng(0))
        (tmp_path / "model").mkdir()
        found.save(tmp_path / "model")
        return spec, model.load(tmp_path / "model")

    return call


def test_a_keras_model_with_the_names_that_this_project_logs(taken, store):
    spec, found = taken("runs:/RUN/keras")
    expected = store[2]["keras"].predict(X[:, [2, 0, 1]], verbose=0)
    np.testing.assert_allclose(found.predict(X), expected, rtol=2e-5, atol=2e-6)
    assert spec["format"] == "keras" and hasattr(found, "gradient")


@pytest.mark.parametrize("address", ["models:/mixes@champion", "models:/mixes/1", "models:/mixes/latest"])
def test_a_scikit_learn_model_with_its_columns_by_name(taken, store, address):
    spec, found = taken(address)
    expected = store[2]["sklearn"].predict(pd.DataFrame(X, columns=INPUTS)[TURNED])
    np.testing.assert_allclose(found.predict(X), expected, rtol=1e-12)
    assert spec["uri"] == ("models:/mixes/2" if address.endswith("latest") else "models:/mixes/1")


@pytest.mark.parametrize("address", ["runs:/RUN/onnx", "runs:/RUN/files/a.onnx"])
def test_an_onnx_model_with_weights_beside_it_or_in_one_file(taken, address):
    _, found = taken(address)
    np.testing.assert_allclose(found.predict(X), by_hand(X), rtol=1e-4, atol=1e-5)


def test_a_gaussian_process_of_this_project(taken, store):
    _, found = taken("runs:/RUN/gp")
    np.testing.assert_array_equal(found.predict(X), store[2]["gp"].predict(X))
    assert hasattr(found, "gradient") and (found.spread(X) == store[2]["gp"].spread(X)).all()


def test_what_a_run_of_this_project_keeps_of_a_model_is_taken_again(taken, store, tmp_path, monkeypatch):
    _, first = taken("runs:/RUN/keras")
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(tmp_path / "model"), "model")
    (tmp_path / "model").rename(tmp_path / "first")
    _, again = taken(f"runs:/{run.info.run_id}/model")
    np.testing.assert_array_equal(again.predict(X), first.predict(X))


def test_an_alias_is_looked_up_once_for_all_jobs_of_a_run(entry, monkeypatch):
    assert entry("models:/mixes@champion")["uri"] == "models:/mixes/1"
    monkeypatch.setattr(models, "resolve", None)
    again = user_models.completed({"kind": "model", "uri": "models:/mixes@champion"})
    assert (again["uri"], again["format"]) == ("models:/mixes/1", "skops")
    import os

    assert json.loads(os.environ[user_models.PINNED])["models:/mixes@champion"]["uri"] == "models:/mixes/1"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("models:/mixs@champion", "no registered model 'mixs'; did you mean 'mixes'?"),
        ("models:/mixes@champoin", "'mixes' has no alias 'champoin'; did you mean 'champion'?"),
        ("models:/mixes/9", "found versions [1, 2], expected 9"),
        ("models:/m-0123456789abcdef", "not found"),
        ("runs:/0123456789abcdef0123456789abcdef/keras", "not found"),
        ("runs:/RUN/nothing", "nothing"),
        ("runs:/RUN/notes", "found a.txt, expected a logged model"),
        ("runs:/RUN/pickled", "found the flavours python_function, sklearn (cloudpickle), which can run code"),
    ],
)
def test_an_address_that_leads_to_nothing_that_can_be_taken(entry, address, said):
    message = refusal(entry, address)
    assert message.startswith("uri '") and said in message


@pytest.mark.parametrize("address", ["runs:/RUN/keras", "runs:/RUN/files/a.onnx", "runs:/RUN/gp", "models:/mixes/1"])
def test_a_model_is_measured_before_it_is_downloaded(entry, monkeypatch, address):
    monkeypatch.setenv(limits.MEMORY, "200")
    monkeypatch.setattr(mlflow.artifacts, "download_artifacts", None)
    said = refusal(entry, address)
    assert said.startswith("uri '") and "its files have" in said and "expected at most 100 bytes, half of" in said


@pytest.mark.parametrize("size", [1, None])
def test_a_file_that_grows_beyond_what_was_said_of_it_is_not_downloaded_whole(entry, monkeypatch, size):
    """A server may say what it likes of sizes; the kernel keeps to the limit."""
    listed = mlflow.artifacts.list_artifacts

    def stated(**about):
        return [FileInfo(part.path, part.is_dir, size) for part in listed(**about)]

    monkeypatch.setattr(mlflow.artifacts, "list_artifacts", stated)
    monkeypatch.setenv(limits.MEMORY, "600")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    said = refusal(entry, "runs:/RUN/keras")
    assert "it has a file of more than was said of it: at least 301 bytes, expected at most 300 bytes, half of" in said
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == before


def test_a_list_without_end_is_not_followed(entry, monkeypatch):
    monkeypatch.setattr(mlflow.artifacts, "list_artifacts", lambda **about: [FileInfo("more", True, None)] * 2)
    assert "found more than 1000 files, expected a logged model" in refusal(entry, "runs:/RUN/keras")


def test_a_store_that_is_not_there_is_not_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv(user_models.PINNED, raising=False)
    message = refusal(user_models.completed, {"kind": "model", "uri": "models:/mixes/1"})
    assert "no tracking store at sqlite:///results/mlflow.db; MLFLOW_TRACKING_URI names another" in message
    assert not list(tmp_path.iterdir())
