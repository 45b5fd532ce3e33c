"""Methods of inference: against conjugate closed forms, the exact posterior, and the public benchmark's references."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from preimage.inference.answer import Task
from preimage.inference.base import InferenceMethod
from preimage.inference.methods import abc_smc, avo, grid, nes
from preimage.inference.prior import Margin, Prior
from preimage.inference.simulator import Simulator
from preimage.inference.simulators import loading

from ..conftest import refusal

pytestmark = pytest.mark.usefixtures("single_precision")

SEARCHES = ("nes", "avo", "abc_rejection", "abc_smc")


def ask(kind, task, x, seed=0, **options):
    made = InferenceMethod.of({"kind": kind, **options}).train(task, np.random.default_rng(seed))
    return made.infer(x, np.random.default_rng(seed + 1))


def data(name, size, theta=None, sets=1, seed=0):
    found = loading.load({"simulator": name})
    rng = np.random.default_rng(seed)
    theta = found.prior.sample(rng, sets) if theta is None else np.atleast_2d(theta)
    return Task(found, size), theta, found.draw(rng, theta, size)


def moments(answer):
    mean = answer.weights @ answer.draws
    return mean, np.sqrt(answer.weights @ (answer.draws - mean) ** 2)


def normal_mean(d):
    """A simulator of x ~ N(theta, I) with the prior N(0, 4 I), whose posterior is normal."""

    def log_likelihood(x, theta):
        return stats.norm.logpdf(x[:, None], theta).sum(axis=(0, 2))

    prior = Prior({f"t{j}": Margin("normal", 0.0, 2.0) for j in range(d)})
    return Simulator("normal_mean", prior, tuple(f"x{j}" for j in range(d)), lambda *_: None, log_likelihood)


# -- the exact posterior -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("d", "n"), [(1, 1), (1, 2000), (2, 5), (3, 4)])
def test_the_grid_is_the_conjugate_posterior(d, n):
    x = np.random.default_rng(0).normal(1, 1, (1, n, d))
    (answer,) = ask("grid", Task(normal_mean(d), n), x)
    sd = 1 / np.sqrt(n + 1 / 4)
    mean = x[0].sum(axis=0) * sd**2
    found, spread = moments(answer)
    np.testing.assert_allclose(found, mean, atol=0.03 * sd)
    np.testing.assert_allclose(spread, sd, rtol=0.03)
    at = mean + sd * np.random.default_rng(1).normal(size=(20, d))
    np.testing.assert_allclose(answer.log_density(at), stats.norm(mean, sd).logpdf(at).sum(axis=1), atol=0.01)
    assert answer.status == "ok" and answer.simulations == 0 and not answer.point
    assert answer.weights.sum() == pytest.approx(1)


def test_the_grid_finds_a_posterior_a_millionth_as_wide_as_the_prior():
    # A slope of 500 in the prior of angles: nearly all of the prior is 1e9 nats below the peak.
    task, _, x = data("linear_regression", 500, [1.5688, -0.45])
    (answer,) = ask("grid", task, x)
    assert answer.status == "ok"
    sums, y = x[0, :, :3].sum(axis=1), x[0, :, 3]
    design = np.column_stack([sums, np.ones(500)])
    slope, intercept = np.linalg.lstsq(design, y, rcond=None)[0]
    errors = 0.1 * np.sqrt(np.diag(np.linalg.inv(design.T @ design)))
    found = np.column_stack([np.tan(answer.draws[:, 0]), answer.draws[:, 1]])
    mean = answer.weights @ found
    np.testing.assert_allclose(mean, [slope, intercept], atol=0.1 * errors.max())
    np.testing.assert_allclose(np.sqrt(answer.weights @ (found - mean) ** 2), errors, rtol=0.05)


# Observations of the public benchmark (sbibm 1.1, MIT licence), and the means and sds of its 10,000 reference draws.
REFERENCES = {
    "two_moons": ([-0.6396706, 0.16234657], [-0.115667, 0.115056], [0.67654, 0.67588]),
    "gaussian_mixture": ([-8.047317, -0.021793246], [-8.01641, -0.0156376], [0.66908, 0.70832]),
    "sir": ([0, 1, 352, 40, 3, 0, 0, 0, 0, 0], [0.63252, 0.169482], [0.012572, 0.012223]),
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.long) if n == "sir" else n for n in REFERENCES])
def test_the_grid_has_the_benchmarks_reference_posterior(name):
    x, mean, sd = map(np.array, REFERENCES[name])
    (answer,) = ask("grid", Task(loading.load({"simulator": name}), 1), x[None, None].astype(float))
    found, spread = moments(answer)
    assert np.all(np.abs(found - mean) < 5 * sd / np.sqrt(10_000))
    np.testing.assert_allclose(spread, sd, rtol=0.03)
    assert np.isfinite(answer.log_density(answer.draws)).all()


def test_the_grid_tells_where_it_can_do_nothing():
    task, _, x = data("multi_distribution", 20)
    (failed,) = ask("grid", task, np.where(np.arange(5) == 3, np.nan, x))
    assert failed.status == "failed" and "NaN" in failed.message and np.isnan(failed.draws).all()
    (failed,) = ask("grid", task, x + 1e3)
    assert failed.status == "failed" and "no parameter explains" in failed.message
    few = {"SLIVER": grid.SLIVER, "MOST": 1000}
    with pytest.MonkeyPatch.context() as patch:
        for key, value in few.items():
            patch.setattr(grid, key, value)
        (early,) = ask("grid", *data("gaussian", 500)[::2])
    assert early.status == "not_converged" and "not resolved" in early.message


def test_methods_on_likelihoods_refuse_what_they_cannot_do():
    unknown = Task(loading.load({"simulator": "lotka_volterra"}), 1)
    for kind in ("grid", "maximum_likelihood"):
        assert "likelihood of 'lotka_volterra' is not known" in refusal(ask, kind, unknown, None)
    five = Task(loading.load({"simulator": "slcp"}), 1)
    assert "5 parameters" in refusal(ask, "grid", five, None)


# -- points ------------------------------------------------------------------------------------------------------------


def test_maximum_likelihood_has_the_closed_forms():
    task, _, x = data("gaussian", 200, [3.0, 0.5])
    (answer,) = ask("maximum_likelihood", task, x)
    np.testing.assert_allclose(answer.draws, [[x.mean(), np.log(x.std())]], rtol=1e-5)
    assert answer.point and answer.weights == [1.0]
    task, _, x = data("poisson", 200, [2.0])
    np.testing.assert_allclose(ask("maximum_likelihood", task, x)[0].draws, [[np.log(x.mean())]], rtol=1e-6)
    task, _, x = data("gaussian_linear", 20)
    np.testing.assert_allclose(ask("maximum_likelihood", task, x)[0].draws[0], x[0].mean(axis=0), atol=1e-5)


def test_maximum_likelihood_finds_a_jump_and_stays_inside():
    from preimage.inference.simulators.built_in.multi_distribution import ROUNDING, UNMIXING

    task, _, x = data("multi_distribution", 100, [0.5, 1.0, 0.2])
    largest = (x[0] @ UNMIXING.T)[:, 3].max()
    assert ask("maximum_likelihood", task, x)[0].draws[0, 2] == pytest.approx(largest - ROUNDING, abs=1e-4)
    task, _, x = data("gaussian", 50, [3.0, 1.4])
    assert task.simulator.prior.contains(ask("maximum_likelihood", task, 3 * x)[0].draws).all()


@pytest.mark.some(2)
@pytest.mark.parametrize(("kind", "simulations", "within"), [("nes", 60_000, 0.15), ("avo", 200_000, 0.25)])
def test_searches_come_near_the_truth(kind, simulations, within):
    task, theta, x = data("linear_regression", 200, [[1.0, 0.3], [0.5, -0.6]])
    answers = ask(kind, task, x, simulations=simulations)
    z = task.simulator.prior.to_z(np.concatenate([a.draws for a in answers]))
    np.testing.assert_allclose(z, task.simulator.prior.to_z(theta), atol=within)
    for a in answers:
        assert a.point and 0 < a.simulations <= simulations
        assert a.path[0].shape == a.path[1].shape and np.all(a.path[1] >= 0)


def test_utilities_add_up_to_0_and_fall():
    found = nes.utilities(16)
    assert abs(found.sum()) < 1e-6 and np.all(np.diff(found) <= 0) and found[0] > 0


# -- approximate Bayesian computation ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["abc_rejection", "abc_smc"])
def test_abc_has_the_exact_posterior(kind):
    task, _, x = data("gaussian", 50, [[3.0, 0.5], [-8.0, -1.5]])
    exact = ask("grid", task, x)
    found = ask(kind, task, x, simulations=500_000)
    for one, other in zip(found, exact, strict=True):
        (mean, sd), (true_mean, true_sd) = moments(one), moments(other)
        assert np.all(np.abs(mean - true_mean) < 0.4 * true_sd)
        assert np.all((sd > 0.7 * true_sd) & (sd < 1.5 * true_sd))
        assert one.simulations <= 500_000 and one.weights.sum() == pytest.approx(1)
        assert task.simulator.prior.contains(one.draws).all()


BROKEN = loading.load({"simulator": "gaussian"})


def half(key, theta, size):
    """Samples that fail wherever the first parameter is above 0."""
    return jnp.where(theta[..., None, :1] > 0, jnp.nan, BROKEN.simulate(key, theta, size))


def nowhere(key, theta, size):
    return jnp.nan * BROKEN.simulate(key, theta, size)


def failing(simulate):
    return Task(Simulator("broken", BROKEN.prior, BROKEN.coordinates, simulate, pooled=BROKEN.pooled), 20)


@pytest.mark.parametrize("kind", ["abc_rejection", "abc_smc", "nes"])
def test_a_failed_simulation_is_never_near(kind):
    x = BROKEN.draw(np.random.default_rng(0), np.array([[-1.0, 0.0]]), 20)
    (answer,) = ask(kind, failing(half), x, simulations=100_000)
    assert answer.status == "ok" and np.all(answer.draws[:, 0] <= 0)


@pytest.mark.long
def test_a_proposal_keeps_off_failed_simulations():
    x = BROKEN.draw(np.random.default_rng(0), np.array([[-0.3, 0.0]]), 20)
    (answer,) = ask("avo", failing(half), x)
    # Its sd is 0.6 at least: nearer to the edge, much of what it draws fails.
    assert answer.status == "ok" and -1.2 < answer.draws[0, 0] <= 0


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        *((kind, "did not fail") for kind in ("abc_rejection", "abc_smc")),
        pytest.param("avo", "every simulation near the answer failed", marks=pytest.mark.long),
    ],
)
def test_where_every_simulation_fails_the_answer_says_so(kind, said):
    x = BROKEN.draw(np.random.default_rng(0), np.array([[-0.3, 0.0]]), 20)
    (answer,) = ask(kind, failing(nowhere), x, simulations=20_000)
    assert answer.status == "failed" and said in answer.message


def test_new_particles_weigh_prior_over_proposal():
    w, log_weight = np.array([[0.0], [1.0], [3.0]]), np.log([1.0, 2.0, 1.0])
    new, found = abc_smc._moved(w, log_weight, 5, np.random.default_rng(0))
    weights = np.array([0.25, 0.5, 0.25])
    sd = np.sqrt(2 * (weights @ w[:, 0] ** 2 - (weights @ w[:, 0]) ** 2))
    proposal = stats.norm(w[:, 0], sd).pdf(new) @ weights
    expected = np.log(stats.norm.pdf(new[:, 0]) / proposal)
    np.testing.assert_allclose(found - found[0], expected - expected[0], rtol=1e-6)


# -- what all obey -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SEARCHES)
def test_a_budget_below_one_batch_is_refused(kind):
    task = data("gaussian", 50)[0]
    message = refusal(ask, kind, task, None, simulations=100)
    assert "simulations: found 100, expected at least one batch" in message


@pytest.mark.some(2)
@pytest.mark.parametrize("kind", ["grid", "maximum_likelihood", *SEARCHES])
def test_the_same_seed_gives_the_same_answer_from_what_was_saved_and_a_failed_set_says_so(kind):
    task, _, x = data("gaussian", 10, sets=2)
    x[0, 3] = np.nan
    options = InferenceMethod.of({"kind": kind, **({"simulations": avo.BATCH * 4} if kind in SEARCHES else {})})
    trained = options.train(task, np.random.default_rng(0))
    again = options.restored(task, trained.arrays())
    (failed, one), (_, other) = (t.infer(x, np.random.default_rng(1)) for t in (trained, again))
    assert np.array_equal(one.draws, other.draws) and np.array_equal(one.weights, other.weights)
    assert failed.status == "failed" and "NaN" in failed.message and one.status == "ok"


def test_scales_of_the_prior_are_inverse_to_each_other():
    margins = {"a": Margin("uniform", -1, 3), "b": Margin("normal", 1, 2), "c": Margin("log_normal", 0.5, 0.3)}
    prior = Prior(margins)
    theta = prior.sample(np.random.default_rng(0), 50)
    np.testing.assert_allclose(prior.from_normal(prior.to_normal(theta)), theta, rtol=1e-5)
    u = stats.norm.cdf(prior.to_normal(theta))
    np.testing.assert_allclose(prior.quantile(u), theta, rtol=1e-5)
    assert stats.kstest(u.ravel(), "uniform").pvalue > 0.01
