"""Networks: trained as Keras trains, kept and evaluated as Keras does, and honest about rows they saw."""

from dataclasses import replace

import numpy as np
import pytest

from preimage import study
from preimage.data.rows import Rows
from preimage.support import jax_setup
from preimage.support.progress import TrainingContext
from preimage.surrogates import few_points, keras_files, neural_network, vmapped_training
from preimage.surrogates.encoding import Encoding
from preimage.surrogates.kinds.neural_network import NeuralNetwork
from preimage.surrogates.metrics import metrics

from ..conftest import refusal

keras = keras_files.keras_on_jax()
OPTIONS = NeuralNetwork(
    layers=[12, 6], activation="tanh", learning_rate=0.02, epochs=12, patience=5, validation_fraction=0.2, members=2,
    folds=2,
)  # fmt: skip
LEVELS = np.array([0, 3, 0])


def bowl(n=120, seed=0):
    X = np.random.default_rng(seed).uniform(-10, 10, (n, 2))
    return X, (X**2).sum(axis=1, keepdims=True)


def mixed(n=60):
    """Rows with a category whose order means nothing, two outputs, and every input there twice."""
    rng = np.random.default_rng(0)
    X = np.repeat(np.column_stack([rng.uniform(5, 6, n), rng.integers(0, 3, n), rng.normal(0, 1e3, n)]), 2, axis=0)
    return X, np.column_stack([np.array([3.0, -1.0, 7.0])[X[:, 1].astype(int)] + X[:, 0], 1e4 * X[:, 2]])


def trained(X, Y, levels=None, seed=0, report=None, **more):
    rows = Rows.plain(X, Y)
    rows = rows if levels is None else replace(rows, levels=levels)
    return OPTIONS.changed(**more).train(rows, np.random.default_rng(seed), TrainingContext(report=report))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    X, Y = mixed()
    model = trained(X, Y, LEVELS)
    model.save(folder)
    return model, folder, X, Y


def by_keras(trainer, rows, jobs, k, fit, patience):
    """Train network k in a plain Python loop by Keras's own `fit` on the same batches.

    Returns weights of the best epoch, its validation loss, and the number of epochs.
    """
    start = trainer.start(jobs.rate[k : k + 1], jobs.seed[k : k + 1])
    model = keras_files.dense(rows.X.shape[2], [8, 5, rows.Y.shape[2]], "selu", "reference")
    model.compile(keras.optimizers.Nadam(float(jobs.rate[k])), "mae")
    model.set_weights(trainer.split(start.weights[0]))
    X, Y = np.asarray(rows.X[fit]), np.asarray(rows.Y[fit])
    held = np.asarray(rows.validation[fit])[: int(rows.validation_count[fit])]
    best, weights, epoch, since = np.inf, None, 0, 0
    while since < patience:
        count = int(rows.training_count[fit])
        order = np.asarray(trainer.shuffled(jobs.seed[k], epoch, rows.training[fit], count))[:count]
        model.fit(X[order], Y[order], batch_size=trainer.batch, shuffle=False, verbose=0)
        loss = float(np.abs(model.predict(X[held], verbose=0) - Y[held]).mean())
        epoch, since = epoch + 1, since + 1
        if loss < best:
            best, weights, since = loss, model.get_weights(), 0
    return weights, best, epoch


def test_weights_are_those_of_keras_fit_and_the_best_are_restored():
    """Two fits of unlike numbers of rows, so that one has an empty batch; the second network stops early."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(2, 44, 3)), rng.normal(size=(2, 44, 2))
    training = np.stack([np.arange(44) < 36, np.arange(44) < 27])
    rows = vmapped_training.data(X, Y, training, ~training)
    model = keras_files.dense(3, [8, 5, 2], neural_network.ACTIVATIONS["selu"], "network")
    patience = 3
    trainer = vmapped_training.Trainer(model, keras.optimizers.Nadam(), "mae", 8, 1000, patience)
    jobs = vmapped_training.Jobs(np.array([0.01, 0.05]), np.array([1, 2], np.uint32), np.array([0, 1]))
    found = trainer.train(rows, jobs)
    for k, network in enumerate(found):
        weights, best, epochs = by_keras(trainer, rows, jobs, k, k, patience)
        assert network.epochs == epochs == len(network.history)
        assert network.validation_loss == pytest.approx(best, abs=1e-6)
        assert network.validation_loss == network.history[:, 1].min()
        assert int(np.argmin(network.history[:, 1])) == epochs - 1 - patience
        for ours, theirs in zip(network.weights, weights, strict=True):
            assert np.allclose(ours, theirs, rtol=0, atol=2e-6)


def test_more_networks_than_train_at_once_come_back_in_order():
    X, Y = bowl(40)
    rows = vmapped_training.data(X[None] / 10, Y[None] / 100, np.arange(40)[None] < 30, np.arange(40)[None] >= 30)
    model = keras_files.dense(2, [4, 1], neural_network.ACTIVATIONS["tanh"], "network")
    trainer = vmapped_training.Trainer(model, keras.optimizers.Nadam(), "mse", 8, 23, 1000)
    rates, heard = np.geomspace(1e-6, 1e-2, 21), []
    jobs = vmapped_training.Jobs(rates, np.zeros(21, np.uint32), np.zeros(21, int))
    found = trainer.train(rows, jobs, lambda *told: heard.append(told))
    assert [n.epochs for n in found] == [23] * 21
    moved = [n.history[0, 0] - n.history[-1, 0] for n in found]
    assert 10 * max(moved[:3]) < min(moved[-3:])
    assert heard[-1] == (21, min(n.validation_loss for n in found))


@pytest.mark.parametrize("activation", neural_network.ACTIVATIONS)
def test_activations_equal_those_of_keras(activation):
    x = np.concatenate([np.linspace(-6, 6, 100), [0.0, -1e-9]]).astype(np.float32)
    theirs = np.asarray(keras.activations.get(activation)(x))
    assert np.allclose(neural_network.ACTIVATIONS[activation](x), theirs, rtol=0, atol=1e-6)


def test_it_learns_the_bowl_and_predicts_rows_that_it_never_saw():
    X, Y = bowl(400)
    tune = {"method": "grid", "evaluations": 3, "learning_rate": [1e-4, 1e-2]}
    model = trained(X, Y, layers=[32, 32], epochs=150, patience=30, tune=tune)
    new, truth = bowl(200, seed=1)
    assert metrics(truth, model.surrogate.predict(new), ["y"])["y"]["r2"] > 0.98
    predicted, spread = model.out_of_fold
    assert metrics(Y, predicted, ["y"])["y"]["r2"] > 0.95 and (spread > 0).all()
    assert [t["learning_rate"] for t in model.trials] == pytest.approx([1e-4, 1e-3, 1e-2])
    best = min(model.trials, key=lambda t: t["validation_loss"])
    assert model.parameters["learning_rate"] == best["learning_rate"]
    assert all(t["cross_validated_error"] == t["validation_loss"] and t["epochs"] > 0 for t in model.trials)
    epochs, training, _ = np.array(model.surrogate.history).T
    assert list(epochs) == list(range(1, model.parameters["epochs"][0] + 1)) and training[-1] < training[0]


def test_a_category_is_one_hot():
    model = trained(*mixed(), LEVELS, epochs=40).surrogate
    assert model.parameters.kernels[0].shape[1] == 5
    points = np.column_stack([np.full(3, 5.5), np.arange(3), np.zeros(3)])
    by_value = model.predict(points)[:, 0]
    assert by_value[1] < by_value[0] < by_value[2]


def test_rows_of_one_group_never_straddle():
    group = np.random.default_rng(0).integers(0, 12, 80)
    fold, training, validation = neural_network._parts(group, OPTIONS.changed(folds=3), np.random.default_rng(1))
    assert training.shape == validation.shape == (4, 80)
    assert (training | validation)[0].all() and not (training & validation).any()
    for k in range(3):
        assert np.array_equal((training | validation)[k + 1], fold != k)
    for fit in range(4):
        assert not set(group[training[fit]]) & set(group[validation[fit]])
        assert not set(group[training[fit] | validation[fit]]) & set(group[~(training[fit] | validation[fit])])


def test_derivatives_are_those_of_finite_differences(saved):
    model, _, X, _ = saved
    network, step = model.surrogate, 1e-5
    points = X[:7] * [1, 1, 1e-3]
    Y, slope = network.gradient(points)
    assert np.allclose(Y, network.predict(points), rtol=1e-13) and slope.shape == (7, 2, 3)
    for j in (0, 2):
        e = step * np.eye(3)[j]
        differences = (network.predict(points + e) - network.predict(points - e)) / (2 * step)
        scale = np.abs(slope[:, :, j]).max(axis=0) + 1e-9 * np.abs(Y).max(axis=0) / step
        assert (np.abs(slope[:, :, j] - differences) <= 1e-6 * scale).all()
    assert not slope[:, :, 1].any()


def test_the_traceable_function_is_the_prediction_in_double_precision(saved):
    import jax

    model, _, X, _ = saved
    function, parameters = model.surrogate.traceable()
    one = jax.jit(function)(parameters, X[3])
    assert one.dtype == np.float64 and one.shape == (2,)
    assert np.allclose(one, model.surrogate.predict(X[3:4])[0], rtol=1e-13)


def test_what_is_loaded_predicts_the_same_for_any_number_of_points(saved):
    model, folder, X, _ = saved
    loaded = neural_network.load(folder)
    for n in (0, 1, 2, 3, 120):
        assert np.array_equal(loaded.predict(X[:n]), model.surrogate.predict(X[:n]))
        assert loaded.spread(X[:n]).shape == (n, 2)
    assert np.allclose(loaded.predict(X)[5:6], loaded.predict(X[5:6]), rtol=1e-13)
    many = np.resize(X, (neural_network.ROWS_AT_A_TIME + 1, 3))
    assert np.allclose(loaded.predict(many)[-1:], loaded.predict(many[-1:]), rtol=1e-13)


def test_keras_files_hold_the_weights_and_give_the_predictions(saved):
    model, folder, X, _ = saved
    p = model.surrogate.parameters
    z = Encoding(LEVELS, p.x_centre, p.x_scale)(X)
    members = []
    for k in range(OPTIONS.members):
        member = keras.saving.load_model(folder / f"member_{k}.keras", safe_mode=True)
        assert {type(layer).__name__ for layer in member.layers} == {"Dense"}
        arrays = [a[k] for pair in zip(p.kernels, p.biases, strict=True) for a in pair]
        assert all(np.array_equal(a, b) for a, b in zip(member.get_weights(), arrays, strict=True))
        members.append(member.predict(z, verbose=0))
    predicted = model.surrogate.predict(X)
    assert np.abs(np.mean(members, axis=0) - (predicted - p.y_centre) / p.y_scale).max() < 1e-5
    whole = keras.saving.load_model(neural_network.logged(folder)["path"], safe_mode=True)
    assert np.abs((whole.predict(X, verbose=0) - predicted) / p.y_scale).max() < 1e-5


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(saved, tmp_path):
    model, folder, _, _ = saved
    X, Y = mixed()
    again, other = trained(X, Y, LEVELS), trained(X, Y, LEVELS, seed=1)
    again.save(tmp_path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {p.name: p.read_bytes() for p in folder.iterdir()}
    assert np.array_equal(again.out_of_fold, model.out_of_fold)
    assert not np.array_equal(other.surrogate.predict(X), model.surrogate.predict(X))


def test_loading_takes_no_keras(saved):
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from preimage.surrogates import neural_network; import numpy as np\n"
        "neural_network.load(Path(sys.argv[1])).predict(np.zeros((1, 3))); assert 'keras' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(saved[1])], check=True, env={"PYTHONPATH": ":".join(sys.path)})


@pytest.mark.some(2)
@pytest.mark.parametrize("more", [{"members": 1}, {"batch": 10_000}, {"loss": "mse"}, {"folds": 50}])
def test_unusual_settings_work(more):
    X, Y = bowl(30)
    model = trained(X, np.hstack([Y, np.full_like(Y, 4.0)]), **more, epochs=2)
    assert all(np.isfinite(a).all() for a in model.out_of_fold)
    assert model.surrogate.predict(X).shape == (30, 2)


def test_bad_input_is_told():
    X, Y = bowl(40)
    assert "4 or more" in refusal(trained, X[:3], Y[:3])
    # No study may have such a rate.
    wild = OPTIONS.model_copy(update={"activation": "relu", "learning_rate": 1e30, "epochs": 2})
    assert "no finite loss with learning_rate" in refusal(wild.train, Rows.plain(X, Y), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("setting", "told"),
    [("layers: [64, 0]", "layers"), ("activation: sellu", "did you mean 'selu'"), ("layers: []", "layers")],
)
def test_settings_that_make_no_network_are_refused(study_file, setting, told):
    text = f"""
study: bowl
problem: {{simulator: paraboloid}}
surrogates: {{net: {{kind: neural_network, {setting}}}}}
objectives: {{lowest: {{minimize: y}}}}
"""
    assert told in refusal(study.load, study_file(text))


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    import jax

    before = jax.config.jax_compilation_cache_dir
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    jax_setup.cache_compiled_programs.__wrapped__()
    assert jax.config.jax_compilation_cache_dir == before


@pytest.mark.parametrize("activation", neural_network.ACTIVATIONS)
def test_few_points_have_the_outputs_and_slopes_that_jax_gives_many(activation):
    rng = np.random.default_rng(0)
    shapes = [(5, 7), (7, 4), (4, 2)]
    parts = neural_network.Parameters(
        np.array([5.0, 0.0, 100.0]), np.array([0.5, 1.0, 1e3]), np.array([3.0, -1e4]), np.array([2.0, 1e4]),
        [rng.normal(size=(3, *s)) for s in shapes], [rng.normal(size=(3, s[1])) for s in shapes],
    )  # fmt: skip
    network = neural_network.Network(neural_network.Form(activation, (0, 3, 0)), parts)
    X = np.column_stack([rng.uniform(0, 9, 40), rng.integers(0, 3, 40), rng.normal(0, 9e3, 40)])
    Y, slopes = network.gradient(X)
    few = [network.gradient(X[k : k + few_points.FEW]) for k in range(0, 40, few_points.FEW)]
    for many, parts in ((Y, [y for y, _ in few]), (slopes, [s for _, s in few])):
        sizes = np.abs(many).max(axis=0)
        np.testing.assert_allclose(
            np.concatenate(parts) / np.where(sizes, sizes, 1), many / np.where(sizes, sizes, 1), rtol=0, atol=1e-13
        )
    assert (slopes[..., 1] == 0).all() and np.abs(slopes[..., [0, 2]]).min(axis=(0, 1)).max() > 0
