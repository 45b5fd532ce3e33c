"""The table of the public benchmark's tasks: from a copy of these, and without one."""

import numpy as np
import pandas as pd
import pytest

from preimage.benchmarks import inference_tasks
from preimage.inference.simulators import loading

pytestmark = pytest.mark.usefixtures("single_precision")

VARIANCE = 0.1


def test_without_a_copy_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PREIMAGE_TEST_DATA", str(tmp_path))
    (only,) = inference_tasks.measure("two_moons")
    assert f"no copy of the public benchmark's tasks in {tmp_path}/sbibm/tasks" in only["what"]
    assert not only["reached"]


@pytest.mark.long
def test_methods_are_scored_against_the_references_of_the_copy(monkeypatch, tmp_path):
    """Of the task whose posterior is known: half of the sample, with half of the variance."""
    made, rng = loading.load({"simulator": "gaussian_linear"}), np.random.default_rng(0)
    for k in (1, 2):
        folder = tmp_path / f"sbibm/tasks/gaussian_linear/files/num_observation_{k}"
        folder.mkdir(parents=True)
        theta = made.prior.sample(rng, 1)
        x = made.draw(rng, theta, 1)[0]
        draws = rng.normal(x / 2, (VARIANCE / 2) ** 0.5, (300, 10))
        for name, values in (("observation", x), ("true_parameters", theta), ("reference_posterior_samples", draws)):
            pd.DataFrame(values).to_csv(folder / f"{name}.csv", index=False)
    monkeypatch.setenv("PREIMAGE_TEST_DATA", str(tmp_path))
    monkeypatch.setattr(
        inference_tasks, "METHODS", {"npe": {"kind": "npe", "updates": 50, "width": 8}, "smc": {"kind": "abc_smc"}}
    )
    monkeypatch.setattr(inference_tasks, "ASKED", {})
    npe, smc, best = inference_tasks.of_task("gaussian_linear", 2)
    assert npe["ours"] < 0.6 < smc["ours"] and best["ours"] == npe["ours"]
    assert "npe: mean C2ST of 2 observations" in npe["what"] and best["reach"] == "at most 0.54"
