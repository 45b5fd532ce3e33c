"""What comes of a simulator's faults beyond the simulator: sets drawn again, failed answers, figures, names of sets."""

import inspect
import time

import jax
import numpy as np
import pandas as pd
import pytest

from preimage.inference import judge, observations, table
from preimage.inference.answer import Estimate, Task, Untrained
from preimage.inference.base import InferenceMethod
from preimage.inference.simulators import loading

from ..conftest import refusal

pytestmark = pytest.mark.usefixtures("single_precision")

SPEC = {"inputs": {"a": {"low": -1, "high": 1}}, "outputs": {"x": None}, "seconds": 20}


def mostly_raises(theta, size, rng):
    if (theta > -0.7).any():
        raise ValueError("no root")
    return theta[:, None, :] + rng.normal(size=(len(theta), size, 1))


def hangs(theta, size, rng):
    time.sleep(30)


@pytest.fixture
def load(own_file):
    source = "\n\n".join(inspect.getsource(f) for f in (mostly_raises, hangs))
    own_file(f"import time\n\n\n{source}", "faulty_simulators.py")
    return lambda name, **more: loading.load({"simulator": f"faulty_simulators:{name}", **SPEC, **more})


def test_one_observed_set_is_drawn_again_as_often_as_many_are(load):
    found = load("mostly_raises")
    for seed in range(60):
        assert np.isfinite(observations.simulated(found, 1, 4, np.random.default_rng(seed)).x).all()


def test_a_point_where_the_simulator_raises_has_no_predictive_check(load):
    task = Task(load("mostly_raises"), 50)
    point = Estimate(np.array([[0.5]]), np.ones(1), 0, point=True)
    sets = observations.Observed([0], np.zeros((1, 50, 1)), np.zeros((1, 1)))
    (row,) = judge.observed(task, sets, [point], 20, np.random.default_rng(0))
    assert row["predictive_failed"] == 20 and np.isnan(row["predictive_error"])
    assert np.isnan(judge.shown(task, [point], [None], np.random.default_rng(0))["predictive.0"]).all()


@pytest.mark.parametrize("kind", [pytest.param("avo", marks=pytest.mark.long), "abc_smc"])
def test_a_search_whose_simulator_hangs_ends_the_step(load, kind):
    trained = InferenceMethod.of({"kind": kind}).restored(Task(load("hangs", seconds=0.2), 4), {})
    message = refusal(table.ask, trained, np.zeros((4, 4, 1)), np.random.default_rng(0))
    assert message.startswith("simulator 'faulty_simulators:hangs': no answer for")


class Blank:
    def __init__(self, found):
        self.found = found

    def infer(self, x, rng):
        simulate = jax.jit(self.found.simulate, static_argnums=2)
        return np.asarray(simulate(jax.random.key(0), np.zeros((len(x), 1), np.float32), 4))


def test_figures_of_an_untrained_network_tell_a_hang_plainly(load):
    found = load("hangs", seconds=0.2)
    message = refusal(judge.untrained, Task(found, 4), np.zeros((1, 4, 1)), Blank(found), np.random.default_rng(0))
    assert message.endswith("within 0.2 s (problem.seconds)")


def in_a_program(x, rng):
    def outside(value):
        raise KeyError("/home/someone/weights.npz")

    jax.block_until_ready(jax.pure_callback(outside, jax.ShapeDtypeStruct((), np.float32), 1.0))


def missing(x, rng):
    raise FileNotFoundError(2, "No such file or directory", "/home/someone/of.us/weights.npz")


def late(x, rng):
    raise RuntimeError("\n\n  the second line\n  the third")


def empty(x, rng):
    raise RuntimeError


def rates(x, rng):
    raise RuntimeError("3 m/s and/or 1 / 2 " + "." * 500)


@pytest.mark.parametrize(
    ("infer", "said"),
    [
        (in_a_program, "KeyError: 'weights.npz'"),
        (missing, "FileNotFoundError: [Errno 2] No such file or directory: 'weights.npz'"),
        (late, "RuntimeError: the second line"),
        (empty, "RuntimeError"),
        (rates, "RuntimeError: 3 m/s and/or 1 / 2 " + "." * 167),
    ],
)
def test_a_failed_answer_says_what_was_raised_in_one_short_line(infer, said):
    (answer,) = table.ask(Untrained(infer), np.zeros((1, 4, 1)), np.random.default_rng(0))
    assert (answer.status, answer.message) == ("failed", said)


@pytest.mark.parametrize(("one", "other"), [("01", "1"), ("-0", "0"), ("9" * 24, "1")])
def test_names_of_sets_stay_apart_from_the_file_to_the_answers(tmp_path, load, one, other):
    file = tmp_path / "sets.csv"
    file.write_text(f"observation,x\n{one},3\n{other},4\n")
    names = observations.read({"table": str(file)}, load("mostly_raises")).names
    assert names == [one, other]
    answers = [Estimate(np.full((2, 1), value), np.full(2, 0.5), 0) for value in (3.0, 4.0)]
    table.draws_frame(names, answers, ["a"]).to_parquet(tmp_path / "draws.parquet")
    draws = pd.read_parquet(tmp_path / "draws.parquet")
    again = table.restored(draws, table.about(names, answers), ["a"])
    assert [a.draws.ravel().tolist() for a in again] == [[3, 3], [4, 4]]
