"""Peers of inference, given the same simulations; each raises ImportError where it is not installed.

They are in the extra `peers`.
"""

from __future__ import annotations

import os

import numpy as np

from preimage.inference.answer import Task

# Of its training, as its own examples have them.
EPOCHS, BATCH = 100, 256
HELD_OUT = 0.1


def bayesflow(task: Task, x: np.ndarray, draws: int, simulations: int, seed: int) -> list[np.ndarray]:
    """Return draws (draws, d) for each set (sets, n, D) by BayesFlow's flow matching, with the network and the settings
    that it begins with; a set's samples are given to it one after the other, as one vector."""
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import bayesflow as peer
    import keras

    rng = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    theta = task.simulator.prior.sample(rng, simulations // task.size)
    sets = {"theta": theta, "x": task.simulator.draw(rng, theta, task.size).reshape(len(theta), -1)}
    held = int(HELD_OUT * len(theta))
    adapter = peer.Adapter().convert_dtype("float64", "float32")
    adapter = adapter.rename("theta", "inference_variables").rename("x", "inference_conditions")
    flow = peer.BasicWorkflow(adapter=adapter, inference_network=peer.networks.FlowMatching(), standardize="all")
    flow.fit_offline(
        {name: values[held:] for name, values in sets.items()},
        epochs=EPOCHS,
        batch_size=BATCH,
        validation_data={name: values[:held] for name, values in sets.items()},
        verbose=0,
    )
    return [
        np.asarray(flow.sample(conditions={"x": one.reshape(1, -1)}, num_samples=draws)["theta"], dtype=float)[0]
        for one in x
    ]
