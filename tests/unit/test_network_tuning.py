"""Tuning of networks: every setting is tried as often as said, a trial is its setting's alone, the best is trained."""

import numpy as np
import pytest

from preimage import study
from preimage.data.rows import Rows
from preimage.support import tpe
from preimage.support.progress import TrainingContext
from preimage.surrogates import network_tuning, neural_network, vmapped_training
from preimage.surrogates.kinds.neural_network import NeuralNetwork, NeuralNetworkTune

from ..conftest import refusal

OPTIONS = NeuralNetwork(
    layers=[6], activation="tanh", epochs=12, patience=4, validation_fraction=0.2, members=2, folds=2
)
RATES = [1e-3, 1e-1]
TRAINER = neural_network.trainers(2, 1, OPTIONS)  # one for all tests: each design compiles once
LISTS = {"layers": [[6], [8, 4]], "activation": ["tanh", "relu"]}


def rows():
    X = np.random.default_rng(0).normal(size=(1, 60, 2))
    held = np.arange(60)[None] >= 48
    return vmapped_training.data(X, X.sum(axis=2, keepdims=True) ** 2, ~held, held)


def tune(method, evaluations, state=None, seed=0, report=None, **more):
    asked = NeuralNetworkTune(method=method, evaluations=evaluations, learning_rate=RATES).model_copy(update=more)
    context = TrainingContext(1, state, report)
    return network_tuning.tune(OPTIONS, asked, TRAINER, rows(), np.random.default_rng(seed), context)


def test_a_grid_shares_its_trials_among_all_combinations():
    heard = []
    best, trials = tune("grid", 6, report=lambda *told: heard.append(told), **LISTS)
    designs = [(t["layers"], t["activation"]) for t in trials]
    assert designs == [([6], "tanh")] * 2 + [([6], "relu")] * 2 + [([8, 4], "tanh"), ([8, 4], "relu")]
    assert [t["learning_rate"] for t in trials] == pytest.approx([1e-3, 1e-1, 1e-3, 1e-1, 1e-2, 1e-2])
    least = min(trials, key=lambda t: t["validation_loss"])
    assert best == ((tuple(least["layers"]), least["activation"], 16), least["learning_rate"])
    assert all(t["batch"] == 16 and 0 < t["epochs"] <= 12 for t in trials)
    done, losses = zip(*heard, strict=True)
    assert list(done) == sorted(done) and done[-1] == 6
    assert losses[-1] == least["validation_loss"] == min(losses)


def test_a_trial_of_the_grid_is_the_network_that_its_seed_gives():
    """The losses are those of networks trained by themselves, without a search, up to the rounding of float32."""
    _, trials = tune("grid", 3, batch=[8, 32, 60])
    seeds = np.random.default_rng(0).integers(2**32, size=3, dtype=np.uint32)
    for trial, seed in zip(trials, seeds, strict=True):
        trainer = TRAINER(network_tuning.Design((6,), "tanh", trial["batch"]))
        jobs = vmapped_training.Jobs(np.array([trial["learning_rate"]]), np.array([seed]), np.array([0]))
        (alone,) = trainer.train(rows(), jobs)
        assert alone.validation_loss == pytest.approx(trial["validation_loss"], rel=1e-5)


def test_hyperopt_tries_what_its_estimator_proposes():
    best, trials = tune("hyperopt", 24, **LISTS)
    assert len(trials) == 24
    assert all(RATES[0] <= t["learning_rate"] <= RATES[1] for t in trials)
    assert {tuple(t["layers"]) for t in trials} == {(6,), (8, 4)} and {t["activation"] for t in trials} <= {
        "tanh",
        "relu",
    }
    assert best.rate == min(trials, key=lambda t: t["validation_loss"])["learning_rate"]
    assert tune("hyperopt", 24, **LISTS) == (best, trials)
    assert tune("hyperopt", 24, seed=1, **LISTS)[1] != trials


def test_trials_trained_together_are_those_trained_one_by_one(monkeypatch):
    together = tune("hyperopt", 8, **LISTS)
    monkeypatch.setattr(tpe, "first", lambda *_: [])
    assert tune("hyperopt", 8, **LISTS) == together


@pytest.mark.parametrize("stop", [3, 22])
def test_a_search_that_is_taken_up_again_ends_with_the_same_trials(stop, tmp_path, monkeypatch):
    monkeypatch.setattr(tpe, "SAVE_EVERY_SECONDS", 0.0)
    whole = tune("hyperopt", 24, layers=LISTS["layers"])

    def killed(done, _):
        if done == stop + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune("hyperopt", 24, tmp_path / "state.json", report=killed, layers=LISTS["layers"])
    assert len(tpe.read_json(tmp_path / "state.json")["trials"]) == stop
    assert tune("hyperopt", 24, tmp_path / "state.json", layers=LISTS["layers"]) == whole


def test_the_best_setting_is_the_one_that_is_trained():
    X = np.random.default_rng(0).uniform(-10, 10, (80, 2))
    asked = {
        "method": "grid",
        "evaluations": 4,
        "learning_rate": RATES,
        "layers": [[7], [5, 3]],
        "activation": ["relu"],
    }
    model = OPTIONS.changed(tune=asked).train(Rows.plain(X, X[:, :1] ** 2), np.random.default_rng(0))
    best = min(model.trials, key=lambda t: t["validation_loss"])
    for key in ("learning_rate", "layers", "activation", "batch"):
        assert model.parameters[key] == best[key]
    assert model.surrogate.form.activation == "relu"
    assert [k.shape[2] for k in model.surrogate.parameters.kernels] == [*best["layers"], 1]


@pytest.mark.parametrize("method", ["grid", "hyperopt"])
def test_trials_without_a_finite_loss_are_rows_and_never_the_best(method):
    best, trials = tune(method, 3, learning_rate=[1e-2, 1e37], layers=[[6]], activation=["relu"])
    losses = [t["validation_loss"] for t in trials]
    assert np.inf in losses and not np.isnan(losses).any()
    assert np.isfinite(losses[[t["learning_rate"] for t in trials].index(best.rate)])


@pytest.mark.parametrize(
    ("tuning", "told"),
    [
        ("layers: [[64, 0]]", "tune.layers.0.1': found 0, expected at least 1"),
        ("layers: []", "tune.layers"),
        ("layers: [[]]", "tune.layers.0"),
        ("activation: [sellu]", "did you mean 'selu'"),
        ("activation: []", "tune.activation"),
        ("batch: [0]", "found 0, expected at least 1"),
        ("method: random", "expected one of grid, hyperopt"),
        ("learning_rate: [0.01, 0.001]", "low 0.01 is above high 0.001"),
        ("evaluations: 3, layers: [[4], [5]], batch: [8, 16]", "found 3, expected at least 4, one per combination"),
        ("method: hyperopt, learning_rate: [0.01, 0.01]", "expected a choice"),
    ],
)
def test_tuning_that_makes_no_sense_is_refused(study_file, tuning, told):
    text = f"""
study: bowl
problem: {{simulator: paraboloid}}
surrogates: {{net: {{kind: neural_network, tune: {{{tuning}}}}}}}
objectives: {{lowest: {{minimize: y}}}}
"""
    assert told in refusal(study.load, study_file(text))
