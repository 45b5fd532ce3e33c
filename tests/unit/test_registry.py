"""Versions, aliases and their moves, on a store of this test's own (sqlite)."""

import sqlite3
import threading
from pathlib import Path

import mlflow
import numpy as np
import pytest
import requests
from mlflow.protos.databricks_pb2 import BAD_REQUEST

from preimage.data.rows import Rows
from preimage.support import limits
from preimage.surrogates import random_forest
from preimage.surrogates.kinds.random_forest import RandomForest
from preimage.tracking import models, registry
from preimage.tracking.registry import CHALLENGER, CHAMPION, Registry, succession
from preimage.tracking.registry.thresholds import thresholds_failed
from preimage.trees.forest import Forest

from ..conftest import refusal

NAME = "bowl.forest"
ABOUT = {"kind": "random_forest", "inputs": ["a", "b"], "outputs": ["y"]}
TAGS = {"round": "0", "data_digest": "d" * 64, "git_commit": "c" * 40, "lock_digest": "e" * 64}
EXAMPLE = {"a": [0.0, 1.0], "b": [0.5, 0.5]}


@pytest.fixture(scope="module")
def forests(tmp_path_factory):
    """Folders of saved forests, each trained on other rows."""
    folders = []
    for seed in range(3):
        X = np.random.default_rng(seed).random((40, 2))
        spec = {"trees": 5, "folds": 2}
        rows = Rows.plain(X, X.sum(axis=1, keepdims=True))
        trained = RandomForest(**spec).train(rows, np.random.default_rng(0))
        folders.append(tmp_path_factory.mktemp(f"forest{seed}"))
        trained.save(folders[-1])
    return folders


def register(store, folder, name=NAME, **tags):
    points = np.column_stack(list(EXAMPLE.values()))
    predicted = {"y": random_forest.load(folder).predict(points)[:, 0].tolist()}
    return store.register(name, folder, ABOUT, EXAMPLE, predicted, {**TAGS, **tags})


def test_the_name_has_the_seed_where_there_are_several():
    assert registry.model_name("s", "gp") == "s.gp"
    assert registry.model_name("s", "gp", 3) == "s.gp.seed3"


def test_a_version_comes_back_as_it_was_and_runs_no_code(store, forests, tmp_path):
    made = register(store, forests[0])
    about, folder = store.fetch(made.uri, tmp_path / "copy")
    points = np.random.default_rng(5).random((20, 2))
    assert about == ABOUT
    assert Forest.load(folder / "forest.npz").predict(points).tolist() == (
        random_forest.load(forests[0]).predict(points).tolist()
    )
    kept = [p for p in (tmp_path / "copy").rglob("*") if p.is_file()]
    assert not [p for p in kept if p.suffix in (".pkl", ".pickle", ".py", ".joblib")]
    assert "loader_module" not in (folder.parent / "MLmodel").read_text()


def test_a_version_is_measured_before_it_is_fetched(store, forests, tmp_path, monkeypatch):
    made = register(store, forests[0])
    monkeypatch.setenv(limits.MEMORY, "1000")
    assert "its files have" in refusal(store.fetch, made.uri, tmp_path / "copy")
    assert not [p for p in (tmp_path / "copy").rglob("*") if p.is_file()]


def test_a_version_carries_tags_signature_example_and_its_run(store, forests):
    made = register(store, forests[0])
    found = store.client.get_model_version(NAME, made.version)
    assert {k: found.tags[k] for k in TAGS} == TAGS
    info = mlflow.models.get_model_info(made.uri)
    assert info.signature.inputs.input_names() == ["a", "b"] and info.signature.outputs.input_names() == ["y"]
    example = mlflow.models.Model.load(made.uri).load_input_example(mlflow.artifacts.download_artifacts(made.uri))
    assert example.to_dict(orient="list") == EXAMPLE
    run = store.client.get_run(found.run_id)
    assert found.source == f"models:/{run.outputs.model_outputs[0].model_id}"


def test_registering_again_makes_nothing_new(store, forests):
    first, again = register(store, forests[0]), register(store, forests[0])
    assert first.version == again.version == "1"
    assert register(store, forests[1]).version == "2"


def test_a_registration_that_was_stopped_is_done_again(store, forests, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(store.client, "create_model_version", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            register(store, forests[0])
    assert store.alias(NAME) is None
    made = register(store, forests[0])
    assert store.promote(made, None, "the first") and store.alias(NAME).version == made.version


def test_there_is_no_champion_before_the_first(store, forests):
    assert store.alias(NAME) is None
    made = register(store, forests[0])
    assert store.alias(NAME) is None
    assert store.promote(made, None, "the first")
    assert store.alias(NAME).version == "1"
    assert store.promote(made, None, "again: it is the champion already")


def test_a_promotion_is_refused_when_the_champion_has_changed(store, forests):
    one, two, three = (register(store, f) for f in forests)
    assert store.promote(one, None, "the first")
    # Two relearnings compared with version 1; the second to come finds version 2 there.
    assert store.promote(two, one, "better")
    assert not store.promote(three, one, "better")
    assert store.alias(NAME).version == two.version
    assert store.promote(three, store.alias(NAME), "compared again: better")
    tags = store.version(NAME, "2").tags
    assert tags["replaced"] == "1" and tags["demoted"] == "by version 3: compared again: better"


def test_two_promotions_at_once_end_with_one_champion(store, forests):
    one, two, three = (register(store, f) for f in forests)
    store.promote(one, None, "the first")
    won = {}

    def run(version):
        won[version.version] = Registry().promote(version, one, "better")

    threads = [threading.Thread(target=run, args=(v,)) for v in (two, three)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert sorted(won.values()) == [False, True]
    assert won[store.alias(NAME).version]


def test_two_registrations_of_one_model_at_once_are_one_version(store, forests):
    made = []
    threads = [threading.Thread(target=lambda: made.append(register(Registry(), forests[0]))) for _ in range(2)]
    [t.start() for t in threads], [t.join() for t in threads]
    assert [v.version for v in made] == ["1", "1"]


def test_refusal_sets_the_challenger_and_says_why(store, forests):
    one, two = register(store, forests[0]), register(store, forests[1])
    store.promote(one, None, "the first")
    store.refuse(two, ["the error is larger", "few gate rows"])
    assert store.alias(NAME).version == "1"
    assert store.alias(NAME, CHALLENGER).version == "2"
    assert store.version(NAME, "2").tags["refused"] == "the error is larger; few gate rows"
    assert store.promote(two, one, "compared on more rows") and store.alias(NAME, CHALLENGER) is None


def test_rollback_moves_back_and_says_why(store, forests):
    one, two = register(store, forests[0]), register(store, forests[1])
    store.promote(one, None, "the first"), store.promote(two, one, "better")
    store.rollback(NAME, "1", "wrong unit in the new file")
    assert store.alias(NAME).version == "1"
    assert store.version(NAME, "1").tags["promoted"] == "rolled back: wrong unit in the new file"
    assert "no version 9; there are: 1, 2" in refusal(store.rollback, NAME, "9", "x")


def test_no_alias_on_a_version_without_files(store, forests):
    one, two = register(store, forests[0]), register(store, forests[1])
    store.promote(one, None, "the first")
    lose_files(store, two)
    assert "no alias is set" in refusal(store.promote, two, one, "better")
    assert "no alias is set" in refusal(store.refuse, two, ["worse"])
    assert store.alias(NAME).version == "1" and store.alias(NAME, CHALLENGER) is None
    # Registering the same model again finds that version wanting, and makes another.
    assert register(store, forests[1]).version == "3"


def lose_files(store, version):
    import shutil

    source = store.client.get_model_version(NAME, version.version).source
    folder = store.client.get_logged_model(source.removeprefix("models:/")).artifact_location
    shutil.rmtree(folder.removeprefix("file://"))


def test_an_alias_on_a_version_that_lost_its_files_or_was_deleted(store, forests):
    one, two = register(store, forests[0]), register(store, forests[1])
    store.promote(two, None, "the first")
    lose_files(store, two)
    assert "version 2, which has no files" in refusal(store.alias, NAME)
    store.rollback(NAME, "1", "files were lost")
    assert store.alias(NAME).version == "1"
    assert one.version == "1"


def test_a_champion_that_was_deleted(store, forests):
    one, two = register(store, forests[0]), register(store, forests[1])
    store.promote(one, None, "the first"), store.promote(two, one, "better")
    store.client.delete_model_version(NAME, "2")  # MLflow takes the alias away with it
    said = refusal(store.alias, NAME)
    assert "alias 'champion' points to version 2, which was deleted" in said and "`snakemake rollback`" in said
    three = register(store, forests[2])
    assert said == refusal(store.promote, three, None, "nobody to beat") == refusal(store.promote, three, one, "x")
    store.rollback(NAME, "1", "version 2 was deleted")
    assert store.alias(NAME).version == "1" and store.promote(three, store.alias(NAME), "better")


def test_an_alias_that_was_left_on_a_deleted_version(store, forests, tmp_path):
    """Today's MLflow clears it; a store that an older one wrote, or that was mended by hand, may not have it so."""
    one, two = register(store, forests[0]), register(store, forests[1])
    store.promote(one, None, "the first"), store.refuse(two, ["worse"])
    with sqlite3.connect(tmp_path / "results/mlflow.db") as database:
        database.execute("UPDATE model_versions SET current_stage = 'Deleted_Internal' WHERE version IN (1, 2)")
    database.close()
    assert "alias 'champion' points to version 1, which was deleted" in refusal(store.alias, NAME)
    assert "alias 'challenger' points to version 2, which was deleted" in refusal(store.alias, NAME, CHALLENGER)
    assert "which was deleted" in refusal(store.resolve, f"models:/{NAME}@champion")
    wanted = f"models:/{NAME}@champion"
    assert refusal(models.resolve, wanted) == f"uri '{wanted}': found versions [], expected 1"


def test_an_alias_moved_by_hand_is_what_counts(store, forests):
    """MLflow's page moves aliases without us: that is the champion to beat, and a later promotion goes on from it."""
    one, two, three = (register(store, f) for f in forests)
    store.promote(one, None, "the first"), store.promote(two, one, "better")
    store.client.set_registered_model_alias(NAME, CHAMPION, "1")
    assert store.alias(NAME).version == "1"
    assert not store.promote(three, two, "better than 2")
    assert store.promote(three, one, "better than 1") and store.alias(NAME).version == "3"
    assert store.version(NAME, "3").tags["replaced"] == "1"


def test_a_succession_whose_run_was_deleted_is_begun_anew(store, forests):
    one, two = register(store, forests[0]), register(store, forests[1])
    store.promote(one, None, "the first")
    store.client.delete_run(store.client.get_registered_model(NAME).tags[succession.TAG])
    assert store.promote(two, one, "better") and store.alias(NAME).version == "2"
    assert store.reign(two).number == 1


def test_a_claim_on_a_version_that_was_deleted_since_holds_nobody_up(store, forests, monkeypatch):
    one, two, three = (register(store, f) for f in forests)
    store.promote(one, None, "the first")
    with monkeypatch.context() as patch:
        patch.setattr(store, "_enthrone", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            store.promote(two, one, "better")
    store.client.delete_model_version(NAME, "2")
    assert store.promote(three, one, "better") and store.alias(NAME).version == "3"


def test_an_alias_that_another_set_at_the_same_moment_is_set_at_the_second_try(store, forests, monkeypatch):
    """What PostgreSQL answers, seen where two processes promoted one version at once."""
    one, real, tried = register(store, forests[0]), store.client.set_registered_model_alias, []

    def first_refused(*arguments):
        tried.append(arguments)
        if len(tried) == 1:
            raise mlflow.MlflowException("duplicate key value violates unique constraint", BAD_REQUEST)
        real(*arguments)

    monkeypatch.setattr(store.client, "set_registered_model_alias", first_refused)
    assert store.promote(one, None, "the first") and store.alias(NAME).version == "1" and len(tried) == 2


def test_what_is_not_known_is_not_taken_for_lost(store, forests, monkeypatch):
    """Files that can't be listed because the server is away are not gone: no second version, no other message."""
    one = register(store, forests[0])
    store.promote(one, None, "the first")

    def away(*arguments, **keywords):
        raise requests.ConnectionError("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(mlflow.artifacts, "list_artifacts", away)
        patch.setattr(mlflow.artifacts, "download_artifacts", away)
        for call in (store.alias, lambda name: register(store, forests[0]), lambda name: store.fetch(one.uri, Path())):
            assert "can't be used (connection refused)" in refusal(call, NAME)
    assert register(store, forests[0]).version == "1"


def test_addresses(store, forests):
    made = register(store, forests[0])
    store.promote(made, None, "the first")
    assert store.resolve(f"models:/{NAME}@champion") == (NAME, "1")
    assert store.resolve(f"models:/{NAME}/1") == (NAME, "1")
    assert "expected models:/name@alias" in refusal(store.resolve, "runs:/abc/model")
    assert "no alias 'best'" in refusal(store.resolve, f"models:/{NAME}@best")
    assert "no version 7" in refusal(store.resolve, f"models:/{NAME}/7")


def test_a_model_of_somebody_else_is_refused(store, tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "MLmodel").write_text("flavors: {}\n")
    store.client.create_registered_model("theirs")
    store.client.create_model_version("theirs", str(tmp_path / "theirs"))
    assert "no model of this workflow" in refusal(store.fetch, "models:/theirs/1", tmp_path / "copy")


def test_a_server_that_is_away(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret-word@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    said = refusal(Registry)
    assert "nothing was promoted" in said and "secret-word" not in said


# -- MLflow's own validation -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("champion", "challenger", "limit", "words"),
    [
        (1.0, 0.5, {"threshold": 0.6, "min_absolute_change": 0.1, "min_relative_change": 0.1}, ""),
        (1.0, 0.5, {"threshold": 0.4}, "threshold check failed"),
        (1.0, 0.95, {"min_absolute_change": 0.1}, "minimum absolute change check failed"),
        (1.0, 0.95, {"min_relative_change": 0.1}, "minimum relative change check failed"),
        (None, 0.5, {"threshold": 0.6, "min_relative_change": 0.1}, ""),
        (None, 0.5, {"threshold": 0.4}, "threshold check failed"),
        (1.0, 2.0, {"min_absolute_change": 0}, ""),
        (1.0, 2.0, {}, ""),
    ],
)
def test_thresholds(champion, challenger, limit, words):
    old = None if champion is None else {"gate/rmse": champion}
    said = thresholds_failed(old, {"gate/rmse": challenger}, {"gate/rmse": limit})
    assert bool(said) == bool(words) and words in " ".join(said)
