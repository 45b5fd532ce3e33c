"""Rows of network tuning: 50 learning rates on the digits, against KerasTuner's search trial by trial, in CPU seconds.

Usage of one arm: python -m preimage.benchmarks.tuning ours|peer FOLDER. Each arm is a process of its own, from the
start of Python to its last trial, on one thread: on these small networks more threads cost CPU and save no time. Both
have the same network, rates, rows, batch and patience; a trial of the peer may take as many epochs as ours took. It may
stop earlier, by its own draws, so both say how many epochs they trained.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from preimage.benchmarks.timing import row
from preimage.support.files import read_json, write_json
from preimage.surrogates import keras_files
from preimage.surrogates.kinds.neural_network import NeuralNetwork, NeuralNetworkTune

ROOT = Path(__file__).resolve().parents[3]
ROWS, HELD, TRIALS = 900, 90, 50
TUNE = NeuralNetworkTune(evaluations=TRIALS)
OPTIONS = NeuralNetwork(tune=TUNE)


def measure() -> list[dict[str, Any]]:
    """Measure cold (nothing compiled before), then with compiled programs cached, then the peer."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        cold, warm = (_seconds("ours", here) for _ in range(2))
        ours = read_json(here / "ours.json")["epochs"]
        peer, epochs, name = float("nan"), [], "not measured: keras-tuner is not installed"
        if _start(["-c", "import keras_tuner"], here, subprocess.DEVNULL).wait() == 0:
            peer = _seconds("peer", here)
            epochs, name = read_json(here / "peer.json")["epochs"], "KerasTuner, one trial after another"
    trained = f"{sum(ours):,} epochs" + (f", the peer's {sum(epochs):,}" if epochs else "")
    what = f"{TRIALS}-trial tuning of a network, CPU time of the process ({trained})"
    cases = [(f"{what}, cold", cold, 10), (f"{what}, compiled programs cached", warm, 20)]
    rows = [row(text, t, peer, name, "s", f"{reach} times", peer >= reach * t) for text, t, reach in cases]
    return rows if epochs else [{**r, "reached": None} for r in rows]


def _seconds(arm: str, folder: Path) -> float:
    """Run one arm; return the CPU seconds of its process."""
    with (folder / "log").open("w") as log:
        process = _start(["-m", __spec__.name, arm, str(folder)], folder, log)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError((folder / "log").read_text()[-4000:])
    return used.ru_utime + used.ru_stime


def _start(arguments: list[str], folder: Path, log: Any) -> subprocess.Popen[bytes]:
    paths = [str(ROOT / "workflow"), *filter(None, [os.environ.get("PYTHONPATH")])]
    more = {"PYTHONPATH": os.pathsep.join(paths), "XDG_CACHE_HOME": str(folder), "KERAS_BACKEND": "jax", "NPROC": "1"}
    return subprocess.Popen([sys.executable, *arguments], env={**os.environ, **more}, stdout=log, stderr=log)


def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return standardised inputs (n, 2) and outputs (n, 1) of the digits, and which rows are held out (n,)."""
    from preimage.problems.built_in import binary_decimal

    X = np.random.default_rng(0).uniform(size=(ROWS, 2))
    Y = binary_decimal.build(2).simulate(X)
    return (X - X.mean(axis=0)) / X.std(axis=0), (Y - Y.mean()) / Y.std(), np.arange(ROWS) >= ROWS - HELD


def ours(folder: Path) -> None:
    from preimage.support import jax_setup

    jax_setup.enable_double()
    jax_setup.use_one_thread()
    jax_setup.cache_compiled_programs()
    from preimage.surrogates import network_tuning, neural_network, vmapped_training

    X, Y, held = rows()
    data = vmapped_training.data(X[None], Y[None], ~held[None], held[None])
    _, trials = network_tuning.tune(
        OPTIONS, TUNE, neural_network.trainers(2, 1, OPTIONS), data, np.random.default_rng(0)
    )
    write_json(folder / "ours.json", {"epochs": [t["epochs"] for t in trials]})


def peer(folder: Path) -> None:
    keras, keras_tuner = keras_files.keras_on_jax(), import_module("keras_tuner")
    X, Y, held = rows()
    low, high = TUNE.learning_rate
    rates = np.geomspace(low, high, TRIALS).tolist()
    most = dict(zip(rates, read_json(folder / "ours.json")["epochs"], strict=True))
    epochs = []

    def build(_: Any, hp: Any) -> Any:
        dense = [keras.layers.Dense(width, OPTIONS.activation) for width in OPTIONS.layers]
        model = keras.Sequential([keras.Input((2,)), *dense, keras.layers.Dense(1)])
        model.compile(keras.optimizers.Nadam(hp.Choice("learning_rate", rates)), OPTIONS.loss)
        return model

    def fit(_: Any, hp: Any, model: Any, *args: Any, **more: Any) -> Any:
        history = model.fit(*args, **{**more, "epochs": most[hp.get("learning_rate")]})
        epochs.append(len(history.epoch))
        return history

    network = type("Network", (keras_tuner.HyperModel,), {"build": build, "fit": fit})()
    stop = keras.callbacks.EarlyStopping("val_loss", patience=OPTIONS.patience, restore_best_weights=True)
    tuner = keras_tuner.GridSearch(network, "val_loss", max_trials=TRIALS, directory=folder, project_name="peer")
    tuner.search(
        X[~held], Y[~held], validation_data=(X[held], Y[held]), batch_size=OPTIONS.batch, callbacks=[stop], verbose=0
    )
    write_json(folder / "peer.json", {"epochs": epochs})


if __name__ == "__main__":
    {"ours": ours, "peer": peer}[sys.argv[1]](Path(sys.argv[2]))
