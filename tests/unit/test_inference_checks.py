"""Checks of inference against planted truths: exact answers pass at the nominal rate, wrong ones are caught."""

import numpy as np
import pytest
from scipy import stats

from preimage.inference import verdict
from preimage.inference.checks import (
    comparison,
    coverage,
    identifiability,
    misspecification,
    predictive,
    sbc,
    tarp,
    uniformity,
    use_of_simulations,
    weighted,
)
from preimage.inference.checks.c2st import c2st

pytestmark = pytest.mark.usefixtures("single_precision")

SETS, DRAWS, N = 1000, 100, 4


def rng(seed=0):
    return np.random.default_rng(seed)


class Linear:
    """theta ~ N(0, 1)^2, x = theta + N(0, 1) noise that is correlated, n = 4 times: the posterior is known."""

    noise = np.array([[1.0, 0.8], [0.8, 1.0]])

    def __init__(self, sets=SETS, seed=0):
        g = rng(seed)
        self.truths = g.standard_normal((sets, 2))
        self.x = self.truths[:, None] + g.multivariate_normal(np.zeros(2), self.noise, (sets, N))
        precision = np.linalg.inv(self.noise) * N
        self.cov = np.linalg.inv(np.eye(2) + precision)
        self.mean = self.x.mean(axis=1) @ precision @ self.cov

    def draws(self, seed=1, shift=0.0, factor=1.0, cov=None):
        noise = rng(seed).multivariate_normal(np.zeros(2), self.cov if cov is None else cov, (len(self.truths), DRAWS))
        return self.mean[:, None] + shift + factor * noise

    def densities(self, cov=None):
        return [stats.multivariate_normal(m, self.cov if cov is None else cov).logpdf for m in self.mean]


PROBLEM = Linear()
EQUAL = [np.full(DRAWS, 1 / DRAWS)] * SETS
SD = np.sqrt(np.diag(PROBLEM.cov))
PLANTED = {
    "exact": PROBLEM.draws(),
    "overconfident": PROBLEM.draws(factor=0.7),
    "timid": PROBLEM.draws(factor=1.5),
    "biased": PROBLEM.draws(shift=0.5 * SD),
    "right margins": PROBLEM.draws(cov=np.diag(SD**2)),
    "prior": rng(2).standard_normal((SETS, DRAWS, 2)),
}
# Below this, an answer is caught.
ALARM = 0.01


def sbc_p(draws):
    return sbc.p_values(sbc.ranks(PROBLEM.truths, draws, EQUAL, rng())).min() * 2


def sbc_likelihood_p(draws):
    inverse = np.linalg.inv(PROBLEM.noise)

    def log_likelihood(i, theta):
        r = PROBLEM.x[i][None] - theta[:, None]
        return -0.5 * np.einsum("kni,ij,knj->k", r, inverse, r)

    return sbc.p_values(sbc.ranks(PROBLEM.truths, draws, EQUAL, rng(), [log_likelihood])).min() * 3


def coverage_p(draws):
    return uniformity.p_value(coverage.by_draws(PROBLEM.truths, draws, EQUAL, rng()))


def tarp_p(draws, near):
    references = tarp.near(PROBLEM.truths, PROBLEM.x.mean(axis=1), rng(3)) if near else tarp.far(PROBLEM.truths, rng(3))
    return uniformity.p_value(tarp.levels(PROBLEM.truths, draws, EQUAL, references, rng()))


# The table of the package's docstring; None where it says "may".
CAUGHT = {
    "exact": (False, False, False, False, False),
    "overconfident": (True, True, True, True, True),
    "timid": (True, True, True, True, True),
    "biased": (True, True, None, True, None),
    "right margins": (False, True, True, None, None),
    "prior": (False, True, False, False, True),
}


@pytest.mark.parametrize("answers", PLANTED)
def test_each_check_sees_what_it_is_said_to_see(answers):
    draws = PLANTED[answers]
    found = [sbc_p(draws), sbc_likelihood_p(draws), coverage_p(draws), tarp_p(draws, False), tarp_p(draws, True)]
    said = CAUGHT[answers]
    assert [p < ALARM for p, s in zip(found, said, strict=True) if s is not None] == [s for s in said if s is not None]


# -- uniformity --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [7, 50, 500])
def test_bands_hold_uniform_values_as_often_as_they_say(n):
    repeats = 1000
    values = rng().random((repeats, n))
    points, low, high = uniformity.bands(n, 0.9)
    found = np.array([uniformity.below(v, points) for v in values])
    inside = ((found >= low - 1e-12) & (found <= high + 1e-12)).all(axis=1)
    assert 0.9 - 3 * np.sqrt(0.09 / repeats) < inside.mean() < 0.9 + (0.1 if n < 10 else 0.04)
    small = np.array([uniformity.p_value(v) for v in values[:400]]) <= 0.1
    assert small.mean() < 0.1 + 3 * np.sqrt(0.09 / 400)
    assert (small == ~inside[:400]).mean() > 0.97


def test_bands_of_one_point_are_the_binomials():
    # With two values there is one point, at a half: counts 0, 1, 2 with chances 1/4, 1/2, 1/4.
    assert uniformity.p_value(np.array([0.1, 0.2])) == pytest.approx(0.5)
    assert uniformity.p_value(np.array([0.1, 0.7])) == pytest.approx(1.0)
    assert np.isnan(uniformity.p_value(np.empty(0)))


# -- ranks and weights -------------------------------------------------------------------------------------------------


def test_ranks_of_exact_answers_are_uniform_with_very_few_draws():
    truths, draws = rng().standard_normal((20000, 1)), rng(1).standard_normal((20000, 3, 1))
    found = sbc.ranks(truths, draws, [np.ones(3)] * 20000, rng(2))
    assert stats.kstest(found[:, 0], "uniform").pvalue > 0.01


def test_importance_weights_count():
    wide = PROBLEM.draws(factor=1.5)
    weights = [
        np.exp(good(d) - broad(d))
        for d, good, broad in zip(wide, PROBLEM.densities(), PROBLEM.densities(2.25 * PROBLEM.cov), strict=True)
    ]
    assert sbc.p_values(sbc.ranks(PROBLEM.truths, wide, weights, rng())).min() > ALARM
    assert uniformity.p_value(coverage.by_draws(PROBLEM.truths, wide, weights, rng())) > ALARM


def test_resampled_draws_follow_the_weights():
    draws, weights = np.arange(4.0)[:, None], np.array([0.1, 0.2, 0.3, 0.4])
    counts = np.bincount(weighted.resampled(draws, weights, 1000, rng())[:, 0].astype(int))
    np.testing.assert_allclose(counts, 1000 * weights, atol=1)
    assert weighted.resampled(draws, np.ones(4), 4, rng()) is draws
    assert weighted.effective(np.ones(4)) == 4


# -- coverage ----------------------------------------------------------------------------------------------------------


def test_coverage_of_regions_of_highest_density():
    exact = coverage.by_density(PROBLEM.truths, PROBLEM.densities(), PLANTED["exact"], EQUAL, rng())
    found = coverage.coverage(exact)
    assert found.low < 0.9 < found.high and abs(found.error) < 0.05
    # A density that is too narrow, with its own draws: 0.7 of the sd covers chi2 cdf(0.49 quantile), in closed form.
    narrow = coverage.by_density(
        PROBLEM.truths, PROBLEM.densities(0.49 * PROBLEM.cov), PLANTED["overconfident"], EQUAL, rng()
    )
    wanted = stats.chi2(2).cdf(0.49 * stats.chi2(2).ppf(0.9))
    assert coverage.coverage(narrow).found == pytest.approx(wanted, abs=3 * np.sqrt(wanted * (1 - wanted) / SETS))
    assert np.isnan(coverage.coverage(np.empty(0)).found)


def test_density_is_asked_at_a_few_draws_and_levels_stay_uniform():
    """Of a wide proposal with importance weights, which are to count in what is taken of its draws."""
    sets, asked = 1000, []

    def density(theta):
        asked.append(len(theta))
        return stats.norm.logpdf(theta[:, 0])

    wide = 1.5 * rng(1).standard_normal((sets, 4 * coverage.ENOUGH, 1))
    weights = np.exp(stats.norm.logpdf(wide) - stats.norm(scale=1.5).logpdf(wide))[:, :, 0]
    truths = rng().standard_normal((sets, 1))
    levels = coverage.by_density(truths, [density] * sets, wide, weights, rng(2))
    assert max(asked) <= coverage.ENOUGH + 1
    assert stats.kstest(levels, "uniform").pvalue > 0.01


def test_levels_by_draws_are_uniform_where_draws_are_few():
    sets = 5000
    truths, draws = rng().standard_normal((sets, 2)), rng(1).standard_normal((sets, 8, 2))
    levels = coverage.by_draws(truths, draws, [np.ones(8)] * sets, rng(2))
    assert stats.kstest(levels, "uniform").pvalue > 0.01


# -- C2ST --------------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_c2st_of_equal_and_of_shifted_draws():
    g = rng()
    a, b = g.standard_normal((2, 500, 2))
    assert c2st(a, b) == pytest.approx(0.5, abs=0.06)
    # Bayes' accuracy for two unit normals a distance apart.
    apart = 2.0
    assert c2st(a, b + np.array([apart, 0])) == pytest.approx(stats.norm.cdf(apart / 2), abs=0.04)
    assert c2st(a, b) == c2st(a, b)
    with pytest.raises(ValueError, match="one shape"):
        c2st(a, b[:10])


# -- prediction --------------------------------------------------------------------------------------------------------


def test_prediction_flags_what_moments_do_not_show():
    g = rng()
    simulated = g.standard_normal((100, 200, 1))
    two_points = np.sign(g.standard_normal((200, 1)))
    assert predictive.check(g.standard_normal((200, 1)), simulated, rng()).p_value > 0.05
    found = predictive.check(two_points, simulated, rng())
    assert found.p_value == pytest.approx(1 / 51) and found.distance > 5 * found.typical


def test_prediction_has_no_more_false_alarms_than_its_level():
    p = []
    for i in range(200):
        g = rng(i)
        theta = g.standard_normal()
        x = theta + g.standard_normal((10, 1))
        mean, sd = x.sum() / 11, 11**-0.5
        sets = (mean + sd * g.standard_normal((40, 1, 1))) + g.standard_normal((40, 10, 1))
        p.append(predictive.check(x, sets, g).p_value)
    assert np.mean(np.array(p) <= 0.1) < 0.1 + 2 * np.sqrt(0.09 / 200)


def test_prediction_leaves_failed_sets_out_and_counts_them():
    g = rng()
    simulated = g.standard_normal((50, 20, 2))
    simulated[::2, 3] = np.nan
    found = predictive.check(g.standard_normal((20, 2)), simulated, rng())
    assert found.failed == 25 and np.isfinite(found.p_value)
    assert np.isnan(predictive.check(g.standard_normal((20, 2)), np.full((9, 20, 2), np.nan), rng()).p_value)


@pytest.mark.parametrize("sets", [3, 4, 5, 20, 197, 300])
def test_the_least_p_value_is_that_of_an_observation_far_out(sets):
    simulated = rng().standard_normal((sets, 5, 1))
    found = predictive.check(np.full((5, 1), 1e3), simulated, rng()).p_value
    assert predictive.least_p(sets) == (1.0 if np.isnan(found) else pytest.approx(found))


# -- misspecification --------------------------------------------------------------------------------------------------


def gaussians(sets, seed, n=50):
    g = rng(seed)
    mean, sd = g.uniform(-10, 10, (sets, 1, 1)), np.exp(g.uniform(-2, 1.5, (sets, 1, 1)))
    return mean + sd * g.standard_normal((sets, n, 1))


def test_false_alarms_of_misspecification_are_those_stated():
    rates = [misspecification.learn(gaussians(400, s)).flagged(gaussians(500, 100 + s), 0.05).mean() for s in range(20)]
    # Each rate is exact on average only over what it is learnt from.
    assert np.mean(rates) < 0.05 + 3 * np.std(rates) / np.sqrt(len(rates))
    assert np.mean(rates) > 0.03


def test_misspecification_sees_another_place_spread_and_shape():
    measure = misspecification.learn(gaussians(1000, 0))
    g = rng(5)
    outside = {
        "place": 30 + g.standard_normal((50, 1)),
        "spread": 40 * g.standard_normal((50, 1)),
        "shape": np.sign(g.standard_normal((50, 1))),
        "tails": g.standard_cauchy((50, 1)),
        "nan": np.full((50, 1), np.nan),
    }
    assert measure.flagged(np.stack(list(outside.values()))).all()
    assert not measure.flagged(gaussians(1, 9)).any()


def test_one_sample_a_set_and_coordinates_that_never_vary():
    sets = np.concatenate([rng().standard_normal((200, 1, 2)), np.ones((200, 1, 1))], axis=2)
    measure = misspecification.learn(sets)
    assert measure.flagged(np.array([[[9.0, 0, 1]], [[0, 0, 1.0]]])).tolist() == [True, False]
    with pytest.raises(ValueError, match="40 or more"):
        misspecification.learn(sets[:10])


# -- identifiability ---------------------------------------------------------------------------------------------------


def test_the_combination_that_samples_do_not_tell_is_named():
    # Only the sum is measured: theta ~ N(0, 1)^2, so the difference keeps its prior.
    g = rng()
    z = g.standard_normal((4000, 2)) @ np.array([[1, -1], [1, 1]]) / np.sqrt(2) * [[1.0, 1.0]]
    along = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    z = g.standard_normal((4000, 2)) * [1.0, 0.1] @ along
    first, second = identifiability.directions(identifiability.covariance(z, np.ones(4000)))
    assert first.width == pytest.approx(1, abs=0.05) and second.width == pytest.approx(0.1, abs=0.01)
    np.testing.assert_allclose(np.abs(first.vector), np.sqrt([0.5, 0.5]), atol=0.02)
    (said,) = identifiability.words([first, second], ["energy", "coupling"])
    assert "not identified" in said and "energy" in said and "−" in said
    assert identifiability.words([second], ["energy", "coupling"]) == []


def test_widths_over_sets_are_the_prior_variance_that_remains():
    covariances = [identifiability.covariance(d, np.ones(DRAWS)) for d in PLANTED["exact"]]
    widths = [d.width**2 for d in identifiability.directions(covariances)]
    np.testing.assert_allclose(widths, np.linalg.eigvalsh(PROBLEM.cov)[::-1], rtol=0.03)


def test_how_wide_parameters_would_be_were_the_others_known():
    r = 0.8
    matrix = np.diag([1.0, 0.1, 2.0]) @ np.array([[1, r, 0], [r, 1, 0], [0, 0, 1.0]]) @ np.diag([1.0, 0.1, 2.0])
    found = identifiability.given_others(identifiability.directions(matrix))
    np.testing.assert_allclose(found, [np.sqrt(1 - r**2)] * 2 + [1])
    assert identifiability.given_others(identifiability.directions(np.zeros((2, 2)))) == pytest.approx([1, 1])


# -- verdicts and comparison -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [4, 40, 300])
def test_what_so_many_sets_would_show_is_where_the_verdict_changes(n):
    def said(hits):
        share = {"nominal": 0.9, "found": hits / n, "error": hits / n - 0.9}
        return verdict.verdict(
            {"sets": n, "failed": 0, "point": False, "coverage": share, "sbc_p": {"a": 0.5}, "tarp_p": 0.5}
        )

    hits = round(n * (0.9 - verdict.visible(n, 0.9)))
    assert said(hits) == verdict.OVERCONFIDENT and said(hits + 1) in (verdict.TRUSTED, verdict.ROUGH)
    assert verdict.visible(2, 0.9) is None


def test_methods_are_compared_on_what_all_that_were_asked_everything_answered():
    values, nan = np.arange(20.0), float("nan")
    once = np.where(values == 3, nan, values)
    often = np.where(values < 8, nan, values)
    found = comparison.compared({"a": values, "b": once, "often": often, "search": np.array([1.0, nan, 2.0])})
    assert comparison.shared(found) == 19 and found["a"].shared and found["b"].shared
    np.testing.assert_array_equal(found["a"].values, np.delete(values, 3))
    np.testing.assert_array_equal(found["often"].values, values[8:])
    assert found["search"].values.tolist() == [1, 2] and not found["search"].shared
    alone = comparison.compared({"often": often})
    assert not alone["often"].shared and comparison.shared(alone) == 0 and comparison.compared({}) == {}


# -- use of simulations ------------------------------------------------------------------------------------------------


def test_comparison_finds_a_planted_gain_and_no_other():
    base = rng().exponential(size=300)
    noise = 0.2 * rng(1).standard_normal(300)
    noise -= noise.mean()
    found = use_of_simulations.compare(base, base + 0.1 + noise, rng())
    assert found.low < 0.1 < found.high and found.verdict == "the simulations help"
    assert use_of_simulations.compare(base + 0.1 + noise, base, rng()).verdict == "the simulations harm"
    same = use_of_simulations.compare(base, base + noise, rng())
    assert same.low < 0 < same.high and "no difference" in same.verdict
    assert np.isnan(use_of_simulations.compare(np.full(3, np.nan), np.ones(3), rng()).gain)
