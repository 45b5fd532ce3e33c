"""Method npe and its parts: flow matching and truncated proposals, against closed forms."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from preimage.inference.answer import Task
from preimage.inference.checks import coverage
from preimage.inference.kinds.npe import Npe
from preimage.inference.methods import dense, npe, set_encoder, support, training
from preimage.inference.methods.flow_matching import Flow
from preimage.inference.methods.unbounded import Unbounded
from preimage.inference.prior import Margin, Prior
from preimage.inference.simulator import Simulator
from preimage.support.errors import StudyError
from preimage.support.progress import TrainingContext

pytestmark = pytest.mark.usefixtures("single_precision")

SD = 0.5


def simulate(key, theta, size):
    """theta_0 + theta_1 and theta_1, each with normal noise: the posterior is normal."""
    mean = jnp.stack([theta.sum(-1), theta[..., 1]], axis=-1)[..., None, :]
    return mean + SD * jax.random.normal(key, (*theta.shape[:-1], size, 2), jnp.float32)


NORMAL = Simulator("sums", Prior({"a": Margin("normal", 1, 2), "b": Margin("normal", 0, 1)}), ("x", "y"), simulate)
FLAT = Simulator("sums", Prior({"a": Margin("uniform", -1, 1), "b": Margin("uniform", 0, 1)}), ("x", "y"), simulate)
OPTIONS = Npe(simulations=2000, updates=300, width=32)
SET = np.array([[[1.5, 0.3]]])


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def trained():
    return OPTIONS.train(Task(NORMAL, 1), rng())


def posterior(x):
    """Return mean and covariance of the parameters of NORMAL, given one sample (2,)."""
    A = np.array([[1, 1], [0, 1.0]])
    precision = np.diag([1 / 4, 1.0])
    cov = np.linalg.inv(precision + A.T @ A / SD**2)
    return cov @ (precision @ [1, 0] + A.T @ x / SD**2), cov


def test_answers_are_the_posterior_in_closed_form(trained):
    (answer,) = trained.infer(SET, rng())
    mean, cov = posterior(SET[0, 0])
    sd = np.sqrt(np.diag(cov))
    assert answer.status == "ok" and answer.simulations == 0 and trained.simulations == 2000
    np.testing.assert_allclose(answer.draws.mean(axis=0), mean, atol=0.25 * sd.min())
    np.testing.assert_allclose(np.cov(answer.draws.T), cov, atol=0.2 * sd.max() ** 2)
    exact = stats.multivariate_normal(mean, cov)
    points = exact.rvs(200, random_state=rng())
    assert np.abs(answer.log_density(points) - exact.logpdf(points)).mean() < 0.15


def test_answers_cover_the_truth_as_often_as_they_say(trained):
    truths = NORMAL.prior.sample(rng(1), 200)
    few = replace(trained, options=OPTIONS.changed(draws=100))
    answers = few.infer(NORMAL.draw(rng(2), truths, 1), rng(3))
    found = coverage.coverage(
        coverage.by_draws(truths, [a.draws for a in answers], [a.weights for a in answers], rng())
    )
    # Three standard errors of 200 sets: a network of so few updates is only to be caught where it is far off.
    assert abs(found.error) < 3 * np.sqrt(0.9 * 0.1 / 200)


@pytest.mark.long
def test_density_of_an_answer_adds_up_to_one_over_a_bounded_prior():
    # With random weights: it holds whatever a network has learnt.
    x = FLAT.draw(rng(), FLAT.prior.sample(rng(), 64), 3).astype(np.float32)
    encoder = set_encoder.scaled_by(Task(FLAT, 3), OPTIONS, x)
    flow = Flow(2, encoder.length, width=8)
    weights = {"encoder": encoder.init(jax.random.key(0)), **flow.init(jax.random.key(1))}
    weights["out"] = dense.layer(jax.random.key(2), 8, 2, 0.5)
    made = npe.Posterior(encoder, flow, weights, np.zeros((5, 2)), np.array([[0.9, 0], [0.3, 0.5]]))
    one = npe.Npe(Task(FLAT, 3), OPTIONS, made, None, 0, {}).infer(np.ones((1, 3, 2)), rng())[0]
    assert FLAT.prior.contains(one.draws).all()
    a, b = (np.linspace(low + s / 80, low + s * (1 - 1 / 80), 40) for low, s in ((-1, 2), (0, 1)))
    grid = np.stack(np.meshgrid(a, b, indexing="ij"), axis=-1).reshape(-1, 2)
    assert np.exp(one.log_density(grid)).mean() * 2 == pytest.approx(1, abs=0.05)
    assert one.log_density(np.array([[2.0, 0.5]])) == -np.inf


def test_same_generator_same_bytes_and_what_is_saved_answers_the_same(trained, tmp_path):
    again = OPTIONS.train(Task(NORMAL, 1), rng(), TrainingContext(state=tmp_path))
    for name, array in again.arrays().items():
        assert array.tobytes() == trained.arrays()[name].tobytes(), name
    back = OPTIONS.restored(Task(NORMAL, 1), trained.arrays())
    assert back.infer(SET, rng())[0].draws.tobytes() == trained.infer(SET, rng())[0].draws.tobytes()
    with pytest.raises(StudyError, match="trained for another task"):
        OPTIONS.restored(Task(FLAT, 1), trained.arrays())


def test_further_rounds_keep_to_the_budget_and_to_the_posterior_though_some_simulations_fail():
    def fails(key, theta, size):
        x = simulate(key, theta, size)
        return jnp.where(x > 5, jnp.nan, x)

    method = OPTIONS.changed(rounds=2).train(Task(Simulator("fails", NORMAL.prior, ("x", "y"), fails), 1), rng())
    (answer,) = method.infer(SET, rng())
    mean, cov = posterior(SET[0, 0])
    assert method.simulations == 1000 and 900 < answer.simulations <= 1000
    np.testing.assert_allclose(answer.draws.mean(axis=0), mean, atol=0.4 * np.sqrt(np.diag(cov)).min())
    assert 800 < len(method.arrays()["first.w"]) < 1000


def test_a_training_that_was_killed_goes_on_to_the_same_bytes(trained, tmp_path):
    seen = []

    def stop(update, loss):
        seen.append(update)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        OPTIONS.train(Task(NORMAL, 1), rng(), TrainingContext(state=tmp_path, report=stop))
    resumed = OPTIONS.train(
        Task(NORMAL, 1), rng(), TrainingContext(state=tmp_path, report=lambda update, loss: seen.append(update))
    )
    assert len(seen) == len(set(seen)), "nothing is trained twice"
    for name, array in resumed.arrays().items():
        assert array.tobytes() == trained.arrays()[name].tobytes(), name


@pytest.mark.long
def test_rounds_that_were_killed_go_on_to_the_same_bytes(tmp_path, monkeypatch):
    method = OPTIONS.changed(rounds=3).train(Task(NORMAL, 1), rng())
    whole = method.infer(SET, rng())[0].draws
    trained, simulated, write, simulate = [], [], training._write, npe._simulated

    def stop(path, at, history):
        write(path, at, history)
        trained.append((path, history[-1][0]))
        if len(trained) == 9:  # in the second of the two further rounds, of six chunks each
            raise KeyboardInterrupt

    def count(task, w, rng):
        simulated.append(len(w))
        return simulate(task, w, rng)

    monkeypatch.setattr(training, "_write", stop)
    monkeypatch.setattr(npe, "_simulated", count)
    with pytest.raises(KeyboardInterrupt):
        method.keeping(tmp_path).infer(SET, rng())
    (resumed,) = method.keeping(tmp_path).infer(SET, rng())
    assert resumed.draws.tobytes() == whole.tobytes()
    assert len(trained) == len(set(trained)) == 12, "nothing is trained twice"
    assert len(simulated) == 2, "nothing is simulated twice"


def test_bad_budgets_and_sets_are_one_message(trained):
    with pytest.raises(
        StudyError, match="found 999, expected at least 1,000: 200 sets of 5 samples in each of 1 rounds"
    ):
        Npe(simulations=999).train(Task(NORMAL, 5), rng())
    with pytest.raises(StudyError, match=r"found sets of shape \(2, 2\), expected \(1, 2\)"):
        trained.infer(np.ones((1, 2, 2)), rng())


def test_simulators_that_always_fail_are_one_message():
    never = Simulator("never", NORMAL.prior, ("x", "y"), lambda *a: simulate(*a) * jnp.nan)
    with pytest.raises(StudyError, match="each of 2000 simulations at parameters drawn from the prior failed"):
        OPTIONS.train(Task(never, 1), rng())


# -- parts -------------------------------------------------------------------------------------------------------------


def test_an_untrained_flow_is_the_normal_and_a_linear_one_too():
    flow = Flow(2, 1, width=8)
    weights = flow.init(jax.random.key(0))
    weights["out"] = jax.tree.map(jnp.zeros_like, weights["out"])
    x, h = jnp.array([[0.3, -2.0]]), jnp.zeros((1, 1))
    assert flow.log_density(weights, x, h)[0] == pytest.approx(stats.norm.logpdf([0.3, -2.0]).sum(), abs=1e-4)
    draws = flow.draw(weights, jax.random.key(1), jnp.zeros((4000, 1)))
    assert stats.kstest(np.asarray(draws)[:, 0], "norm").pvalue > 0.01


def test_a_network_counts_as_much_as_it_is_worth_on_targets_held_out():
    """Normal targets about m want m (1 - t) / s^2 beside what standard normal ones want, s^2 = (1 - t)^2 + t^2; a
    network that is its last bias b says b / s. With weights s^2, least squares give m / b times the mean (1 - t) / s.
    """
    t = (np.arange(1000) + 0.5) / 1000
    mean = ((1 - t) / np.sqrt((1 - t) ** 2 + t**2)).mean()
    flow, middle = Flow(3, 1, width=8), np.array([1.0, -1, 1])
    weights = flow.init(jax.random.key(0))
    weights["out"] = {"w": jnp.zeros((8, 3)), "b": jnp.array([2 * mean, mean, mean / 2])}
    target = jnp.asarray(middle + rng().standard_normal((4000, 3)), jnp.float32)
    found = flow.shrunk(weights, target, jnp.zeros((4000, 1)), jax.random.key(3))
    np.testing.assert_allclose(found["out"]["b"] / weights["out"]["b"], [0.5, 0, 1], atol=0.03)


def test_a_network_too_sure_of_itself_draws_as_widely_as_targets_held_out_lie():
    """An untrained flow leaves draws as they are: normal targets of another sd are that many times as far out."""
    flow = Flow(2, 1, width=8)
    weights = flow.init(jax.random.key(0))
    weights["out"] = jax.tree.map(jnp.zeros_like, weights["out"])
    h = jnp.zeros((4000, 1))
    for sd in (0.5, 1.7):
        target = sd * rng().standard_normal((4000, 2))
        found = flow.widened(weights, jnp.asarray(target, jnp.float32), h)
        assert np.asarray(flow.draw(found, jax.random.key(1), h)).std() == pytest.approx(target.std(), rel=0.03)
        exact = stats.norm.logpdf(target[:100], scale=target.std()).sum(axis=1)
        np.testing.assert_allclose(
            flow.log_density(found, jnp.asarray(target[:100], jnp.float32), h[:100]), exact, atol=0.01
        )


@pytest.mark.parametrize("begin", [1.0, 1.5])
def test_density_is_that_of_the_draws(begin):
    flow = Flow(1, 1, width=8)
    weights = {**flow.init(jax.random.key(0)), "begin": jnp.log(begin)}
    weights["out"] = dense.layer(jax.random.key(5), 8, 1, 1.0)
    draws = np.asarray(flow.draw(weights, jax.random.key(1), jnp.zeros((20000, 1))))[:, 0]
    grid = np.linspace(-12, 12, 2401)
    density = np.exp(
        np.asarray(flow.log_density(weights, jnp.asarray(grid[:, None], jnp.float32), jnp.zeros((2401, 1))))
    )
    cumulative = np.cumsum(density) * (grid[1] - grid[0])
    assert cumulative[-1] == pytest.approx(1, abs=0.01)
    assert np.abs(np.interp(np.sort(draws), grid, cumulative) - np.linspace(0, 1, 20000)).max() < 0.02


def test_truncated_proposals_are_the_prior_within_the_region():
    # Two clumps: a region that is not convex.
    draws = np.concatenate([rng(1).normal([-1, 0], 0.1, (500, 2)), rng(2).normal([1, 1], 0.1, (500, 2))])
    region = support.around(draws)
    found = region.sample(lambda w: -np.square(w).sum(axis=1) / 2, rng(7), 20_000)
    assert len(found) == 20_000 and region.contains(found).all()
    prior = rng(3).standard_normal((300_000, 2))
    brute = prior[region.contains(prior)]
    assert stats.ks_2samp(found[:, 0], brute[:, 0]).pvalue > 0.01
    assert stats.ks_2samp(found.sum(axis=1), brute.sum(axis=1)).pvalue > 0.01
    fresh = np.concatenate([rng(4).normal([-1, 0], 0.1, (5000, 2)), rng(5).normal([1, 1], 0.1, (5000, 2))])
    assert region.contains(fresh).mean() > 0.995


def test_sets_of_all_rounds_together_are_the_prior_cut_to_the_last_region():
    """Further out than the region before, there would be those of the last round alone."""
    log_prior = lambda w: -np.square(w).sum(axis=1) / 2  # noqa: E731
    first = support.around(rng(1).normal(0, 0.5, (2000, 2)))
    second = support.around(rng(2).normal(0.3, 0.5, (2000, 2)), first)
    before, new = first.sample(log_prior, rng(3), 60_000), second.sample(log_prior, rng(4), 30_000)
    assert first.contains(new).all() and not first.contains(rng(2).normal(0.3, 0.5, (2000, 2))).all()
    kept = before[second.contains(before)]
    assert len(new) == 30_000 and len(kept) > 10_000
    for way in ([1, 0], [0, 1], [1, 1]):
        assert stats.ks_2samp(kept @ way, new @ way).pvalue > 0.01


def test_the_scale_without_ends_is_the_prior_plus_a_little():
    prior = Prior({"a": Margin("uniform", -1, 4), "b": Margin("log_normal", 0, 0.5)})
    scale = Unbounded(prior)
    theta = prior.sample(rng(), 20_000)
    w = scale.values(theta)
    np.testing.assert_allclose(scale.parameters(w), theta, rtol=1e-6)
    assert prior.contains(scale.parameters(np.array([[50.0, 0], [-50.0, 0]]))).all()
    # Slopes by differences: the prior's density per unit of w is that per unit of theta times the slope.
    step = 1e-5
    slope = (scale.parameters(w + step) - scale.parameters(w - step)) / (2 * step)
    wanted = prior.log_density(theta) + np.log(slope).sum(axis=1)
    inside = np.abs(w[:, 0]) < 2.2
    np.testing.assert_allclose(scale.log_prior(w)[inside], wanted[inside], atol=1e-4)
    # Independent of that: a uniform and a logistic variable, added.
    added = (rng(1).random(20_000) + rng(2).logistic(0, 0.03, 20_000) - 0.5) * 12**0.5
    assert stats.ks_2samp(w[:, 0], added).pvalue > 0.01
