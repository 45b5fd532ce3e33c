"""Records become runs with what is compared as columns; saying them again, or after a kill half-way, adds nothing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from preimage.data.described import described
from preimage.support.files import write_json
from preimage.tracking import compared, sending
from preimage.tracking.names import outputs_tag
from preimage.tracking.record import Record

WRITTEN = {"study": "s", "surrogates": {"plane": {"kind": "linear", "degree": 2}}, "problem": {"samples": 60}}


@pytest.fixture
def trained(store):
    """Records of an invocation and of the training of a model in it; returns the connection to the store."""
    pd.DataFrame({"a": [1.0, 2.0], "y": [2.0, 4.0]}).to_parquet("test.parquet")
    Path("weights").mkdir()
    np.savez("weights/weights.npz", slope=2.0)
    step = Record("s", "train", "train plane", {"study": "s", "surrogate": "plane"}, "1", 1000, 2000)
    step.metrics = [["test/rmse", 0.5, 0], ["split/train_rows", 60.0, 0], ["inversion/failed", 0.0, 0]]
    step.params = {"surrogate.kind": "linear", "surrogate.degree": 2, "surrogate.ridge": 1e-6, "fitted.terms": 3}
    step.params |= {"fitted.random_state": 7, "categories": "{}"}
    step.tags, step.outputs = {"git_commit": "c" * 40 + "-dirty", "python": "3"}, {"results/s/test.parquet": "d" * 64}
    step.datasets = [described("test.parquet", "test")]
    step.system = {"system/cpu_utilization_percentage": [[1500, 20.0], [1900, 40.0]]}
    step.model = {"flavor": "arrays", "path": "weights", "example": {"a": [1.0]}, "predicted": {"y": [2.0]}}
    step.write("results/s/tracking/train.json")
    whole = Record("s", "invocation", "s now", {}, "1", 1000, params={"problem.samples": 60, "problem.noise": 1})
    write_json("results/s/tracking/invocation-1.json", {
        **whole.__dict__, "status": "FINISHED", "ended": 3000, "origin": {"study": WRITTEN, "text": "study: s"},
    })  # fmt: skip
    return store.client


def contents(client):
    """What the store has of the study, but for identities."""
    (experiment,) = (e for e in client.search_experiments() if e.name == "s")
    found = sorted(client.search_runs([experiment.experiment_id]), key=lambda r: r.info.run_name)
    history = [
        [(m.step, m.value, m.timestamp) for m in client.get_metric_history(r.info.run_id, n)]
        for r in found for n in sorted(r.data.metrics)
    ]  # fmt: skip
    models = client.search_logged_models([experiment.experiment_id])
    metrics = [sorted((m.key, m.value, m.dataset_digest) for m in model.metrics) for model in models]
    return found, history, [(m.name, m.status.name, m.params) for m in models], metrics


def test_a_step_has_what_is_compared_as_columns(trained):
    assert sending.send() == 2
    (parent, step), history, models, metrics = contents(trained)
    assert parent.data.params == {"problem.samples": "60"}
    assert step.data.params == {"surrogate.kind": "linear", "surrogate.degree": "2", "surrogate.terms": "3"}
    assert set(step.data.metrics) == {"test/rmse", "system/cpu_utilization_percentage"}
    assert step.data.tags["mlflow.source.git.commit"] == "c" * 40 and "python" not in step.data.tags
    assert [(0, 20.0, 1500), (1, 40.0, 1900)] in history
    assert models == [("plane", "READY", step.data.params)]
    assert metrics == [[("test/rmse", 0.5, described("test.parquet", "test")["digest"][:36])]]
    assert {a.path for a in trained.list_artifacts(step.info.run_id)} == {"record.json"}


def forget(folder):
    for receipt in (folder / "results/s/tracking/sent").rglob("*.json"):
        receipt.unlink()


@pytest.mark.parametrize("call", ["log_model_artifacts", "finalize_logged_model", "log_outputs", "set_terminated"])
def test_a_sender_that_ends_half_way_leaves_nothing_twice(trained, tmp_path, monkeypatch, call):
    """The connection is lost as a model is half stored; the next sender goes on with what is there."""

    def lost(*arguments, **named):
        raise ConnectionError("lost")

    with monkeypatch.context() as during:
        during.setattr(type(trained), call, lost)
        with pytest.raises(ConnectionError):
            sending.send()
    assert sending.send() == 2
    once = contents(trained)
    assert len(once[0]) == 2 and len(once[2]) == 1 and len(once[0][1].outputs.model_outputs) == 1
    forget(tmp_path)
    assert sending.send() == 2
    again = contents(trained)
    assert [r.to_dictionary() for r in again[0]] == [r.to_dictionary() for r in once[0]] and again[1:] == once[1:]


def test_of_an_unknown_study_all_settings_are_taken():
    value = {"params": {"inverter.kind": "tpe", "inverter.evaluations": 5, "other": 1}, "wildcards": {}}
    assert compared.params(value, None) == {"inverter.kind": "tpe", "inverter.evaluations": 5}
    assert compared.params(value, {}) == {"inverter.kind": "tpe"}


def test_the_tag_of_outputs_holds_tables_first_and_no_more_than_it_may():
    found = outputs_tag({"r/a.json": "1" * 64, "r/t.parquet": "2" * 64, "r/z.csv": "3" * 64}, 150)
    assert found == f"t.parquet={'2' * 64} z.csv={'3' * 64}"
