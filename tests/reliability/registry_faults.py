"""What the tests of the registry's faults share: challengers by how good they are, and a store's client that fails."""

import json
from functools import cache

import mlflow
import numpy as np

from preimage.data.rows import Rows
from preimage.relearning.promotion import Challenger
from preimage.surrogates import random_forest
from preimage.surrogates.kinds.random_forest import RandomForest

# Rows that a challenger is trained on: the more, the smaller its error.
POOR, FAIR, GOOD = 15, 200, 2000


def rows(n, seed):
    X = np.random.default_rng(seed).uniform(-1, 1, (n, 2))
    return Rows(X, (X**2).sum(axis=1, keepdims=True), np.arange(n), ["a", "b"], ["y"], np.zeros(2, int))


def gate_rows():
    return rows(60, 9)


def train(library):
    """Train every challenger once, into folders of a library."""
    for n in (POOR, FAIR, GOOD):
        (library / str(n)).mkdir()
        RandomForest(trees=10, folds=2).train(rows(n, n), np.random.default_rng(0)).save(library / str(n))


@cache
def loaded(folder):
    return random_forest.load(folder)


def challenger(library, name, n):
    about = {"kind": "random_forest", "intervals": {"low": [0], "high": [0], "floor": [1]}, "level": 0.9}
    about["test"] = {"y": {"rmse": 0.1}}
    return Challenger(name, library / str(n), loaded(library / str(n)), about, rows(n, n), {"round": "0"})


class Faulty:
    """A store's client of which something happens before the call number `at`.

    With `stays`, before every call from there on.
    """

    def __init__(self, client, at, happens, stays=False):
        self._client, self._at, self._happens, self._stays, self.calls = client, at, happens, stays, []

    @classmethod
    def put(cls, store, at, happens, stays=False):
        made = cls(store.client, at, happens, stays)
        store.client = store.sender.client = made
        return made

    def __getattr__(self, name):
        value = getattr(self._client, name)

        def call(*arguments, **keywords):
            self.calls.append(name)
            if len(self.calls) == self._at or (self._stays and len(self.calls) > self._at):
                self._happens()
            return value(*arguments, **keywords)

        return call


def state(client, study):
    """Return all that a registry knows of a study's model, without what differs between studies and moments."""
    name = f"{study}.forest"
    model = client.get_registered_model(name)
    versions = sorted(client.search_model_versions(f"name = '{name}'"), key=lambda v: int(v.version))
    experiment = client.get_experiment_by_name(study).experiment_id
    runs = client.search_runs([experiment])
    models = client.search_logged_models([experiment])
    found = {
        "versions": {str(v.version): v.tags for v in versions},
        "aliases": {a: str(v) for a, v in model.aliases.items()},
        "runs": sorted([r.info.run_name, r.info.status, r.data.params, outputs(r)] for r in runs),
        "models": sorted(str(m.status) for m in models),
    }
    return json.loads(json.dumps(found, sort_keys=True).replace(study, "STUDY"))


def outputs(run):
    return len(run.outputs.model_outputs) if run.outputs else 0


def check_aliases(client, name):
    """No alias points to a version that is not there, or has no files."""
    found = client.search_registered_models(f"name = '{name}'")
    for version in dict(found[0].aliases).values() if found else ():
        assert client.get_model_version(name, version).status == "READY"
        files = {f.path for f in mlflow.artifacts.list_artifacts(f"models:/{name}/{version}")}
        assert {"MLmodel", "about.json", "surrogate"} <= files


def reigns(client, name):
    """Return who was champion, in order, read from the store by other means than the library's."""
    run = client.get_run(client.get_registered_model(name).tags["preimage.succession"])
    found = {int(k.split(".")[1]): json.loads(v) for k, v in run.data.params.items() if k.count(".") == 1}
    assert sorted(found) == list(range(1, len(found) + 1))
    return [(v["replaced"], v["version"]) for _, v in sorted(found.items())]
