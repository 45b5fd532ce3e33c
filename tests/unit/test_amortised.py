"""Networks that infer: what they learn against a posterior in closed form; stopped, saved, restored, refused."""

from dataclasses import replace
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from preimage.inference import judge
from preimage.inference.answer import Task
from preimage.inference.kinds.alfi import Alfi
from preimage.inference.kinds.one_shot import OneShot
from preimage.inference.methods import alfi, amortised, one_shot, set_encoder, training
from preimage.inference.methods.training import Course
from preimage.inference.prior import Margin, Prior
from preimage.inference.simulator import Simulator
from preimage.support.progress import TrainingContext
from tests.conftest import refusal

pytestmark = pytest.mark.usefixtures("single_precision")

SIZE = 4
SMALL = {"simulations": 12_000, "batch": 16, "hidden": 8, "draws": 50}
STEPS = {"step_draws": 4, "step_samples": 2}
FORMS = {
    "one_shot": OneShot(**SMALL),
    "plain": Alfi(**SMALL, **STEPS, refine=False, steps=2),
    "refined": Alfi(**SMALL, **STEPS, steps=1),
}


class WholeGaussians(OneShot):
    """Of densities that are not truncated to the prior."""

    truncated = False

    @classmethod
    def computing(cls):
        return one_shot


@jax.custom_jvp
def no_slope(theta):
    return theta


@no_slope.defjvp
def _(primals, tangents):
    raise AssertionError("a gradient was asked of the simulator")


def simulate(key, theta, size):
    """One coordinate a sample: the sum of parameters, and unit noise."""
    shape = (*theta.shape[:-1], size, 1)
    return no_slope(theta).sum(-1)[..., None, None] + jax.random.normal(key, shape, jnp.float32)


def shifted(d=1, **changes):
    prior = Prior({f"p{j}": Margin("normal", 0.0, 1.0) for j in range(d)})
    return replace(Simulator("shifted", prior, ("x",), simulate), **changes)


TASK = Task(shifted(), SIZE)


def trained(form, task=TASK, context=None, **spec):
    return FORMS[form].changed(**spec).train(task, np.random.default_rng(5), context or TrainingContext())


@pytest.fixture(autouse=True, scope="module")
def short_chunks():
    """Small trainings are several chunks too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "CHUNK", 10)
        yield


@cache
def plainly_trained(form):
    """What several tests look at."""
    return trained(form)


def sets(count, task=TASK):
    rng = np.random.default_rng(3)
    theta = task.simulator.prior.sample(rng, count)
    return theta, task.simulator.draw(rng, theta, task.size)


@pytest.mark.long
@pytest.mark.parametrize(
    "form", [*(pytest.param(form, marks=pytest.mark.long) for form in ("one_shot", "plain")), "refined"]
)
def test_what_is_learned_is_nearly_the_exact_posterior(form):
    """With a normal prior and normal noise the posterior is N(n m / (n + 1), 1 / (n + 1)), m the mean of n samples."""
    made = trained(form, simulations=200_000, learning_rate=0.01)
    theta, x = sets(100)
    answers = made.infer(x, np.random.default_rng(0))
    found = -np.mean([a.log_density(t[None])[0] for a, t in zip(answers, theta, strict=True)])
    middle = x.sum(axis=(1, 2)) / (SIZE + 1)
    exact = np.mean((theta[:, 0] - middle) ** 2 * (SIZE + 1) + np.log(2 * np.pi / (SIZE + 1))) / 2
    prior = np.mean(theta[:, 0] ** 2 + np.log(2 * np.pi)) / 2
    assert exact - 0.02 < found < exact + 0.08 < prior - 0.5


def test_the_simulator_of_these_tests_has_no_slope():
    """So that training it at all shows that none was asked for."""
    with pytest.raises(AssertionError, match="gradient was asked"):
        jax.grad(lambda t: simulate(jax.random.key(0), t, SIZE).sum())(jnp.ones((1, 1)))


# The refined form has both stages, that of the one-shot network first.
@pytest.mark.long
@pytest.mark.parametrize("form", [pytest.param("one_shot", marks=pytest.mark.long), "refined"])
def test_training_that_was_stopped_goes_on_to_the_same_bytes(form, tmp_path):
    whole, seen = plainly_trained(form).arrays(), []

    def stop(update, loss):
        seen.append(update)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(form, context=TrainingContext(state=tmp_path, report=stop))
    resumed = trained(
        form, context=TrainingContext(state=tmp_path, report=lambda update, loss: seen.append(update))
    ).arrays()
    assert seen.count(seen[0]) == 1 or form == "refined"  # nothing is trained twice
    assert whole.keys() == resumed.keys()
    assert all(whole[k].tobytes() == resumed[k].tobytes() for k in whole)


def test_sets_that_are_kept_are_trained_on_several_times_for_the_price_of_once():
    once, thrice = plainly_trained("one_shot"), trained("one_shot", passes=3)
    assert thrice.simulations == once.simulations <= SMALL["simulations"]
    assert thrice.history["loss"][-1][0] == 3 * once.history["loss"][-1][0]
    theta, x = sets(200)
    missed = [
        -np.mean([a.log_density(t[None])[0] for a, t in zip(m.infer(x, np.random.default_rng(0)), theta, strict=True)])
        for m in (once, thrice)
    ]
    assert missed[1] < missed[0]


def test_whole_gaussians_are_those_of_the_posteriors_moments():
    """Samples that say next to nothing leave the posterior flat over (-1, 1). The best whole Gaussian has its sd, the
    prior's; the best one that is cut to the prior is as flat as it can be."""

    def faint(key, theta, size):
        return 100 * simulate(key, theta / 100, size)

    task = Task(Simulator("faint", Prior({"p": Margin("uniform", -1.0, 1.0)}), ("x",), faint), SIZE)
    x, spec = np.zeros((1, SIZE, 1)), {"simulations": 60_000, "learning_rate": 0.03}
    kinds = {True: FORMS["one_shot"].changed(**spec), False: WholeGaussians(**SMALL | spec)}
    made = {cut: options.train(task, np.random.default_rng(5)) for cut, options in kinds.items()}
    mu, log_sd = np.array([made[cut].paths(x)[-1, 0] for cut in (False, True)]).T
    assert np.abs(mu[0]) < 0.3 and np.exp(log_sd[0]) == pytest.approx(1, abs=0.2)
    assert np.exp(log_sd[1]) > 2
    message = refusal(FORMS["one_shot"].restored, task, made[False].arrays())
    assert "found truncated False, expected True" in message
    assert (np.abs(made[False].infer(x, np.random.default_rng(0))[0].draws) <= 1).all()


@pytest.fixture
def no_training(monkeypatch):
    """Networks stay as they began; where a state would be kept, there is an empty file."""

    def train(loss, weights, seed, course, state, *rest):
        if state is not None:
            state.touch()
        return weights, []

    monkeypatch.setattr(amortised, "train", train)


def test_a_state_of_another_training_is_not_taken_up(tmp_path, no_training):
    for name in ("shifted", "other"):
        trained("one_shot", Task(shifted(name=name), SIZE), TrainingContext(state=tmp_path))
    assert len(list(tmp_path.glob("one_shot-*.npz"))) == 2


@pytest.mark.parametrize("form", FORMS)
def test_what_is_restored_answers_the_same(form):
    made, x = plainly_trained(form), sets(3)[1]
    again = FORMS[form].restored(TASK, made.arrays())
    assert again.simulations == made.simulations and again.history == made.history
    for one, other in zip(*(m.infer(x, np.random.default_rng(1)) for m in (made, again)), strict=True):
        assert one.draws.tobytes() == other.draws.tobytes()
        assert one.path[0].tobytes() == other.path[0].tobytes()


def test_weights_for_something_else_are_refused():
    options = FORMS["refined"]
    arrays = plainly_trained("refined").arrays()
    other = Task(shifted(name="moons"), SIZE)
    assert "found simulator 'shifted', expected 'moons'" in refusal(options.restored, other, arrays)
    edited = Task(replace(TASK.simulator, version="b"), SIZE)
    assert "found version of the simulator '', expected 'b'" in refusal(options.restored, edited, arrays)
    assert "found size 4, expected 5" in refusal(options.restored, Task(TASK.simulator, 5), arrays)
    assert "found hidden 8, expected 9" in refusal(options.changed(hidden=9).restored, TASK, arrays)
    assert "found method 'alfi', expected 'one_shot'" in refusal(FORMS["one_shot"].restored, TASK, arrays)


def test_a_budget_below_one_batch_is_refused():
    for form in FORMS:
        assert "simulations" in refusal(trained, form, simulations=1000)


def test_sets_of_another_shape_are_refused():
    made = plainly_trained("one_shot")
    assert "(3, 1), expected (samples, coordinates) = (4, 1)" in refusal(
        made.infer, np.zeros((2, 3, 1)), np.random.default_rng(0)
    )


def test_an_answer_has_weighted_draws_its_path_and_its_simulations(no_training):
    made = trained("refined", Task(shifted(d=2), 1), steps=3)
    (answer,) = made.infer(np.zeros((1, 1, 1)), np.random.default_rng(0))
    assert answer.draws.shape == (50, 2) and answer.weights.sum() == pytest.approx(1)
    assert [p.shape for p in answer.path] == [(4, 2), (4, 2)]  # the first proposal, and 3 steps
    assert answer.simulations == 3 * 4 * 2
    assert made.simulations <= SMALL["simulations"]


def test_the_way_before_training_starts_at_the_prior_and_is_shown_with_its_samples():
    made, x = plainly_trained("plain"), sets(2)[1]
    found = judge.untrained(TASK, x, made.untrained(), np.random.default_rng(1))
    trained_way = made.infer(x[:1], np.random.default_rng(1))[0].path[0]
    assert found["untrained_mean.0"].shape == trained_way.shape == (3, 1)
    assert found["untrained_mean.1"][0] == trained_way[0] == 0 and found["untrained_sd.1"][0] == 1
    assert np.abs(found["untrained_mean.0"][-1] - trained_way[-1]) > 0.01
    assert found["untrained.0"].shape == (3, SIZE, 1) and "untrained.2" not in found
    assert judge.untrained(TASK, x, plainly_trained("one_shot").untrained(), np.random.default_rng(1)) == {}


def test_a_set_is_answered_alike_alone_and_among_others():
    """One-shot: nothing random goes into a proposal."""
    made, x = plainly_trained("one_shot"), sets(5)[1]
    together = made.paths(x)
    for k in range(5):
        np.testing.assert_allclose(made.paths(x[k : k + 1])[:, 0], together[:, k], rtol=1e-4, atol=1e-5)


def test_without_sight_of_the_simulations_only_the_real_set_counts():
    """The proposal then depends on nothing that is simulated."""

    def elsewhere(key, theta, size):
        return 100 + simulate(key, theta, size)

    encoder, _ = set_encoder.fitted(TASK, OneShot(hidden=8), jax.random.key(0))
    x = sets(2)[1].astype(np.float32)
    for simulated in (True, False):
        found = []
        for how in (simulate, elsewhere):
            there = replace(encoder, task=Task(shifted(simulate=how), SIZE))
            start = one_shot.OneShot(there, one_shot.proposals_of(TASK, OneShot()))
            network = alfi.Alfi(start, None, steps=2, draws=3, samples=2, simulated=simulated)
            found.append(network.path(network.init(jax.random.key(1)), x, jax.random.key(2)))
        assert found[0].shape == (3, 2, 2)
        assert (np.abs(found[0] - found[1]).max() > 0) == simulated


@pytest.mark.parametrize("features", set_encoder.FEATURES)
def test_failed_samples_are_left_out_of_features(features):
    encoder, _ = set_encoder.fitted(TASK, OneShot(features=features, hidden=8), jax.random.key(0))
    weights = encoder.init(jax.random.key(1))
    x = np.array([[[0.5], [1.0], [np.nan], [np.nan]], [[0.5], [1.0], [0.5], [1.0]], [[np.nan]] * 4], np.float32)
    found = np.asarray(encoder(weights, x))
    assert found.shape == (3, encoder.length) and np.isfinite(found).all()
    np.testing.assert_allclose(found[0, 1:], found[1, 1:], rtol=1e-5)
    np.testing.assert_allclose(found[:, 0], [0.5, 0, 1])


def test_statistics_of_one_sample_are_that_sample_as_it_is_encoded():
    """A regression on them is then exact where parameters and samples are jointly normal."""
    encoder, _ = set_encoder.fitted(
        Task(shifted(encoded=lambda x: 3 * x), 1), OneShot(features="pooled"), jax.random.key(0)
    )
    np.testing.assert_allclose(encoder.statistics(np.array([[[7.0]], [[-0.5]]])), [[21.0], [-1.5]])


def test_inputs_are_scaled_by_samples_from_the_prior():
    def wide(key, theta, size):
        return 1000 + 1e4 * simulate(key, theta, size)

    encoder, spent = set_encoder.fitted(Task(shifted(simulate=wide), SIZE), OneShot(), jax.random.key(0))
    assert spent == set_encoder.SETS * SIZE
    assert encoder.centre == pytest.approx([1000], abs=3000)
    assert encoder.scale == pytest.approx([1e4 * 2**0.5], rel=0.2)


def test_adam_goes_to_the_minimum_and_past_slopes_that_are_not_finite():
    def loss(weights, key, _):
        value = ((weights["a"] - 3) ** 2).sum()
        broken = jnp.where(jax.random.bernoulli(key, 0.1), jnp.nan, 1.0)
        return value * broken, value

    weights, history = training.train(loss, {"a": jnp.zeros(2, jnp.float32)}, 0, Course(300, 0.1))
    np.testing.assert_allclose(weights["a"], 3, atol=1e-2)
    assert [update for update, _ in history] == list(range(10, 301, 10))


def test_the_learning_rate_rises_then_falls():
    course = Course(100, 0.5)
    rates = np.array([course.rate(k) for k in range(100)])
    assert rates.argmax() in (9, 10) and rates.max() == pytest.approx(0.5)
    assert (np.diff(rates[:10]) > 0).all() and (np.diff(rates[11:]) < 0).all() and rates[-1] < 0.005
