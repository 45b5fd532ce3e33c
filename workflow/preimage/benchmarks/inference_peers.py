"""Peers of inference, given the same simulations; each raises ImportError where it is not installed.

BayesFlow is in the extra `peers`; sbi brings PyTorch, and is installed by whoever wants its rows.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import Any

import numpy as np

from preimage.inference.answer import Task
from preimage.inference.methods.unbounded import Unbounded

# Of its training, as its own examples have them.
EPOCHS, BATCH = 100, 256
HELD_OUT = 0.1
ROUNDS = 4


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


def sbi(task: Task, x: np.ndarray, draws: int, simulations: int, seed: int) -> list[np.ndarray]:
    """Return draws (draws, d) for each set (sets, n, D) by sbi's sequential neural posterior estimation (APT, Greenberg
    et al. 2019) with the networks and settings that it begins with. Parameters and samples are on the scales on which
    our networks see them; a set's samples are given to it one after the other, as one vector. For priors that are
    standard normal there."""
    import torch
    from sbi.inference import NPE_C

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    rng, scale, d = np.random.default_rng(seed), Unbounded(task.simulator.prior), len(task.simulator.prior.margins)
    assert all(m.kind != "uniform" for m in task.simulator.prior.margins.values())
    prior = torch.distributions.MultivariateNormal(torch.zeros(d), torch.eye(d))

    def seen(sets: np.ndarray) -> Any:
        encoded = task.simulator.encoded or (lambda x: x)
        return torch.tensor(np.asarray(encoded(sets)).reshape(len(sets), -1), dtype=torch.float32)

    def asked(one: np.ndarray) -> np.ndarray:
        method, proposal = NPE_C(prior, show_progress_bars=False), prior
        for _ in range(ROUNDS):
            w = proposal.sample((simulations // task.size // ROUNDS,))
            sets = task.simulator.draw(rng, scale.parameters(w.numpy().astype(float)), task.size)
            method.append_simulations(w, seen(sets), proposal=proposal)
            method.train()
            proposal = method.build_posterior().set_default_x(seen(one[None]))
        return scale.parameters(proposal.sample((draws,), show_progress_bars=False).numpy().astype(float))

    with tempfile.TemporaryDirectory() as logs, contextlib.chdir(logs):  # it keeps a log of each training where it runs
        return [asked(one) for one in x]
