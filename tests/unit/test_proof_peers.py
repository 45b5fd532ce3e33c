"""The programs that rival provers are given say what the network says."""

import numpy as np
import pytest

from preimage.benchmarks import proof_peers
from preimage.surrogates.neural_network import Form, Network, Parameters


def test_a_program_of_relu_has_the_least_value_of_its_network():
    rng = np.random.default_rng(0)
    shapes = [(2, 5), (5, 4), (4, 1)]
    parts = Parameters(
        np.array([3.0, -2.0]), np.array([0.5, 4.0]), np.array([10.0]), np.array([0.1]),
        [rng.normal(size=(1, *s)) for s in shapes], [rng.normal(size=(1, s[1])) for s in shapes],
    )  # fmt: skip
    network, low, high = Network(Form("relu", (0, 0)), parts), np.array([2.0, -10.0]), np.array([4.0, 10.0])
    found = proof_peers.highs(proof_peers.program(network, low, high), 1e-9, 60)
    assert found.bound == pytest.approx(found.value, rel=1e-6)
    axes = [np.linspace(a, z, 801) for a, z in zip(low, high, strict=True)]
    grid = network.predict(np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2))[:, 0]
    step = np.abs(np.diff(grid.reshape(801, 801), axis=0)).max() + np.abs(np.diff(grid.reshape(801, 801))).max()
    assert grid.min() - step <= found.value <= grid.min() + 1e-9
