"""A stochastic simulator of a user's own: what it gives, and what comes of everything that can go wrong in it."""

import inspect
import time

import jax
import numpy as np
import pytest

from preimage.inference import bank, observations, table
from preimage.inference.answer import Task
from preimage.inference.base import InferenceMethod
from preimage.inference.callback import told_plainly
from preimage.inference.kinds.abc_rejection import AbcRejection
from preimage.inference.kinds.nes import Nes
from preimage.inference.simulators import loading

from ..conftest import refusal

pytestmark = pytest.mark.usefixtures("single_precision")

SPEC = {"inputs": {"a": {"low": -1, "high": 1}}, "outputs": {"x": None}, "seconds": 200}


def fine(theta, size, rng):
    return theta[:, None, :] + rng.normal(size=(len(theta), size, 1))


def raises_above_0(theta, size, rng):
    if (theta > 0).any():
        raise ValueError("no\nnegative root")
    return fine(theta, size, rng)


def no_number(theta, size, rng):
    return np.where(theta[:, None] > 0, np.inf, fine(theta, size, rng))


def flat(theta, size, rng):
    return fine(theta, size, rng)[..., 0]


def text(theta, size, rng):
    return "samples"


def hangs(theta, size, rng):
    time.sleep(30)


@pytest.fixture
def load(own_file):
    functions = (fine, raises_above_0, always, no_number, flat, text, hangs)
    source = "\n\n".join(inspect.getsource(f) for f in functions)
    own_file(f"import time\n\nimport numpy as np\n\nnumber = 3\n\n\n{source}", "own_simulators.py")
    return lambda name, **more: loading.load({"simulator": f"own_simulators:{name}", **SPEC, **more})


def draw(found, *theta):
    return found.draw(np.random.default_rng(0), np.array(theta, dtype=float)[:, None], 4)


def test_it_is_a_simulator_like_the_built_in_ones(load):
    found = load("fine")
    one, other = draw(found, 0.1, 0.5), draw(found, 0.1, 0.5)
    assert one.shape == (2, 4, 1) and np.array_equal(one, other)
    x = found.draw(np.random.default_rng(1), np.array([[0.3]]), 100)
    trained = AbcRejection(simulations=100_000).train(Task(found, 100), np.random.default_rng(0))
    (answer,) = trained.infer(x, np.random.default_rng(0))
    assert abs(answer.weights @ answer.draws - x.mean()) < 0.1


@pytest.mark.parametrize("name", ["raises_above_0", "no_number"])
def test_what_fails_is_marked_and_what_does_not_is_kept(load, name):
    x = draw(load(name), -0.5, 0.5, -0.1)
    assert np.isnan(x[1]).all() and np.isfinite(x[[0, 2]]).all()


def test_one_message_for_what_cannot_be_used(load):
    assert "shape (2, 4), expected (2, 4, 1)" in refusal(draw, load("flat"), 0.1, 0.5)
    assert "found str, expected an array" in refusal(draw, load("text"), 0.1, 0.5)
    assert "within 0.2 s (problem.seconds)" in refusal(draw, load("hangs", seconds=0.2), 0.1, 0.5)


def always(theta, size, rng):
    raise ValueError("no\nnegative root")


def test_that_a_whole_batch_raises_is_no_error_of_the_study(load):
    found = load("raises_above_0")
    assert np.isnan(draw(found, 0.3)).all() and np.isnan(draw(found, *np.linspace(0.1, 0.9, 300))).all()
    for seed in range(5):
        one = observations.simulated(found, 1, 4, np.random.default_rng(seed))
        assert one.theta[0, 0] <= 0 and np.isfinite(one.x).all()
    parts = [bank.simulate(Task(found, 4), 1, np.random.default_rng(seed)) for seed in range(8)]
    assert 0 < sum(part.failed.sum() for part in parts) < 8


@pytest.mark.long
def test_a_simulator_that_fails_all_over_the_prior_is_refused_with_what_it_said(load):
    broken, said = load("always"), "it raised ValueError: no negative root"
    assert said in refusal(bank.simulate, Task(broken, 4), 300, np.random.default_rng(0))
    assert said in refusal(observations.simulated, broken, 2, 4, np.random.default_rng(0))
    for kind in ("one_shot", "alfi", "npe"):
        options = InferenceMethod.of({"kind": kind, "simulations": 1_000_000})
        message = refusal(options.train, Task(broken, 4), np.random.default_rng(0))
        assert message.startswith("simulator 'own_simulators:always': each of") and said in message


def test_a_simulator_of_which_single_samples_fail_is_not_refused(load):
    """Nearly every set has one of them; networks leave these samples out."""
    sets = fine(np.zeros((200, 1)), 500, np.random.default_rng(0))
    sets[np.random.default_rng(1).random((200, 500)) < 0.05] = np.nan
    found = load("fine")
    found.refuse_if_broken(sets)
    assert "no finite number" in refusal(found.refuse_if_broken, sets * np.nan)


class Asking:
    """A method that simulates for each answer, and counts how often it is asked."""

    def __init__(self, found):
        self.found, self.asked = found, 0

    def infer(self, x, rng):
        self.asked += 1
        jax.jit(self.found.simulate, static_argnums=2)(jax.random.key(0), np.full((len(x), 1), 0.5, np.float32), 4)
        raise RuntimeError("first line\nFile secret/path.py")


@pytest.mark.parametrize(("name", "words"), [("hangs", "within 0.2 s (problem.seconds)"), ("flat", "shape (3, 4)")])
def test_what_is_against_its_word_ends_the_step_at_once(load, name, words):
    asking = Asking(load(name, seconds=0.2))
    message = refusal(table.ask, asking, np.zeros((3, 4, 1)), np.random.default_rng(0))
    assert words in message and "Traceback" not in message and asking.asked == 1


def test_what_a_method_raises_is_a_failed_answer_of_one_short_line(load):
    answers = table.ask(Asking(load("fine")), np.zeros((2, 4, 1)), np.random.default_rng(0))
    assert [(a.status, a.message) for a in answers] == [("failed", "RuntimeError: first line")] * 2


def test_the_message_comes_out_of_a_compiled_search(load):
    def search():
        with told_plainly():
            trained = Nes(simulations=10_000).train(Task(load("fine"), 4), np.random.default_rng(0))
            return trained, AbcRejection().train(Task(load("flat"), 4), np.random.default_rng(0))

    assert "expected" in refusal(search)


def test_bad_entries_are_refused(load):
    assert "name the parameters" in refusal(load, "fine", inputs={})
    assert "problem.inputs.a: no prior" in refusal(load, "fine", inputs={"a": {}})
    assert "low 2 is not below high 1" in refusal(load, "fine", inputs={"a": {"low": 2, "high": 1}})
    assert "name the coordinates" in refusal(load, "fine", outputs={})
    assert "found int, expected a function" in refusal(load, "number")
    assert "expected package.module:function" in refusal(load, "missing")
