"""The bank, answers as tables, and verdicts on answers whose faults are known."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from preimage.inference import bank, judge, observations, summary, table, verdict
from preimage.inference.answer import Bank, Estimate, Task, Untrained
from preimage.inference.prior import Margin, Prior
from preimage.inference.simulator import Simulator

pytestmark = pytest.mark.usefixtures("single_precision")


def normal(key, theta, size):
    noise = jax.random.normal(key, (*theta.shape[:-1], size, theta.shape[-1]))
    return (theta[..., None, :] + noise).astype(jnp.float32)


def fails_above_one(key, theta, size):
    x = normal(key, theta, size)
    return jnp.where(theta[..., None, :1] > 1, jnp.nan, x)


MARGINS = {"a": Margin("normal", 0, 1), "b": Margin("normal", 0, 1)}
CONJUGATE = Simulator("conjugate", Prior(MARGINS), ("x", "y"), normal)
SIZE = 4
TASK = Task(CONJUGATE, SIZE)


def exact(width=1.0, shift=0.0, draws=400):
    """The posterior of a normal mean under a normal prior, in closed form; or made wrong."""

    def ask(x, rng):
        sd = width / np.sqrt(SIZE + 1)
        mean = x.sum(axis=0) / (SIZE + 1) + shift
        return Estimate(mean + sd * rng.standard_normal((draws, 2)), np.full(draws, 1 / draws), 0)

    return Untrained(ask)


# -- the bank ----------------------------------------------------------------------------------------------------------


def test_parts_of_the_bank_add_up():
    for parts in (1, 3, 7):
        assert sum(bank.share(100, k, parts) for k in range(parts)) == 100
    assert bank.sets_for([1000, None], 10) == 10_000 and bank.sets_for([1000, 990], 10) == 100


def test_failed_simulations_stay_in_the_bank_and_out_of_training():
    task = Task(replace(CONJUGATE, simulate=fails_above_one), SIZE)
    made = bank.simulate(task, 2000, np.random.default_rng(0))
    assert len(made.x) == 2000 and made.failed.mean() == pytest.approx(0.1587, abs=0.03)
    assert (made.failed == (made.theta[:, 0] > 1)).all()
    found = bank.of(task._replace(bank=made), 1000 * SIZE, np.random.default_rng(1))
    assert len(found.x) == (~made.failed[:1000]).sum() and not found.failed.any()
    assert np.array_equal(found.theta, made.theta[:1000][~made.failed[:1000]])


def test_a_bank_is_the_same_for_one_seed_whatever_its_blocks(monkeypatch):
    one = bank.simulate(TASK, 50, np.random.default_rng(3))
    again = bank.simulate(TASK, 50, np.random.default_rng(3))
    assert one.x.tobytes() == again.x.tobytes() and one.theta.tobytes() == again.theta.tobytes()
    monkeypatch.setattr(bank, "BLOCK", 16 * SIZE)
    assert bank.simulate(TASK, 50, np.random.default_rng(3)).x.shape == one.x.shape


def test_observed_sets_are_those_that_did_not_fail():
    found = observations.simulated(replace(CONJUGATE, simulate=fails_above_one), 60, SIZE, np.random.default_rng(0))
    assert np.isfinite(found.x).all() and found.x.shape == (60, SIZE, 2) and found.redrawn > 0
    assert (found.theta[:, 0] <= 1).all()


# -- answers as tables -------------------------------------------------------------------------------------------------


def test_a_set_that_raises_costs_no_other():
    def ask(x, rng):
        if x[0, 0] > 0:
            raise FloatingPointError("no root\nto be had")
        return Estimate(np.zeros((3, 2)), np.full(3, 1 / 3), 7)

    x = np.stack([np.full((SIZE, 2), v) for v in (-1.0, 1.0, -2.0)])
    answers = table.ask(Untrained(ask), x, np.random.default_rng(0))
    assert [a.status for a in answers] == ["ok", "failed", "ok"]
    assert answers[1].message == "FloatingPointError: no root"
    frame = table.draws_frame([0, 1, 2], answers, ["a", "b"])
    assert list(frame) == ["observation", "draw", "weight", "theta.a", "theta.b"]
    assert frame["observation"].tolist() == [0, 0, 0, 2, 2, 2]
    back = table.restored(frame, table.about([0, 1, 2], answers), ["a", "b"])
    assert [a.simulations for a in back] == [7, 0, 7] and len(back[1].draws) == 0
    assert table.moments_of(back[1], CONJUGATE, None) == {
        f"{key}.{p}": None for p in ("a", "b") for key in ("mean", "sd", "true")
    }


def test_draws_that_are_kept_have_the_moments_of_the_weighted_ones():
    rng = np.random.default_rng(0)
    draws, weights = rng.normal(size=(20_000, 2)), rng.random(20_000)
    answer = Estimate(draws, weights / weights.sum(), 0)
    few = table.kept(answer, 2000, rng)
    assert len(few.draws) == 2000 and np.ptp(few.weights) == 0
    assert np.allclose(few.draws.mean(axis=0), weights @ draws / weights.sum(), atol=0.06)
    assert table.kept(answer, 20_000, rng) is answer


def test_the_summary_has_a_row_for_each_answer_with_null_sds_of_points():
    point = Estimate(np.array([[1.0, 2.0]]), np.ones(1), 5, point=True)
    sets = observations.Observed(["p", "q"], np.zeros((2, SIZE, 2)), np.array([[0.0, 1], [2, 3]]))
    checks = {"observed": [{"predictive_p": 0.5}, {}], "fresh": {"coverage": {"found": 0.8, "error": -0.1}}}
    novelty = {"p_values": [0.5, 0.001], "failed": 0.0}
    trained = {"simulations": 9, "failed": None}
    found = summary.rows(1, "m", CONJUGATE, sets, [point, point], novelty, trained, checks)
    found += summary.rows(0, "m", CONJUGATE, sets, [point, point], novelty, trained, checks)
    frame = summary.frame(found)
    assert frame[["seed", "observation"]].to_numpy().tolist() == [[1, "p"], [1, "q"], [0, "p"], [0, "q"]]
    assert frame["sd.a"].isna().all() and (frame["mean.b"] == 2).all() and frame["true.b"].tolist() == [1, 3, 1, 3]
    assert frame["misspecified"].tolist() == [False, True] * 2 and (frame["coverage_error"] == -0.1).all()


@pytest.mark.parametrize("count", [100, 1000])
def test_few_draws_are_not_compared_with_a_reference(count):
    """A hundred of a wrong posterior beside a hundred of the reference would look alike."""
    rng = np.random.default_rng(0)
    wide = Estimate(rng.normal(size=(count, 2)) * 1.5, np.full(count, 1 / count), 0)
    observed = observations.Observed(["p"], np.zeros((1, SIZE, 2)), None, [rng.normal(size=(2000, 2))])
    (row,) = judge.observed(TASK, observed, [wide], 20, rng)
    assert row["c2st"] > 0.6 if count == 1000 else "c2st" not in row
    assert row.get("c2st_missing") == (None if count == 1000 else "100 draws, of which its classifier needs 1,000")


# -- verdicts ----------------------------------------------------------------------------------------------------------


def judged(trained, sets=400, seed=0):
    rng = np.random.default_rng(seed)
    known = bank.simulate(TASK, sets, rng)
    return judge.fresh(TASK, known, table.ask(trained, known.x, rng), rng)


def test_exact_answers_are_calibrated_and_wrong_ones_are_not():
    found, sets = judged(exact())
    assert verdict.verdict(found) == verdict.TRUSTED
    # The error of a posterior mean is known: sd 1 / sqrt(n + 1).
    assert found["error"]["a"] == pytest.approx(1 / np.sqrt(SIZE + 1), rel=0.12)
    assert found["directions"][0]["width"] == pytest.approx(1 / np.sqrt(SIZE + 1), rel=0.1)
    assert len(sets) == 400 and {"level", "tarp", "rank.a", "rank.b", "mean.a", "true.b"} <= set(sets)
    assert verdict.verdict(judged(exact(width=0.6))[0]) == verdict.OVERCONFIDENT
    assert verdict.verdict(judged(exact(width=1.7))[0]) == verdict.CAUTIOUS
    assert verdict.verdict(judged(exact(shift=0.3))[0]) in (verdict.BIASED, verdict.OVERCONFIDENT)
    assert verdict.verdict(judged(exact(), sets=40)[0]) == verdict.ROUGH


@pytest.mark.parametrize(("held", "said"), [
    (875, verdict.TRUSTED), (860, verdict.OVERCONFIDENT), (925, verdict.TRUSTED), (940, verdict.CAUTIOUS),
])  # fmt: skip
def test_what_chance_does_in_one_study_of_a_hundred_refutes_nothing(held, said):
    """The exact posterior's regions held 875 of 1,000 truths in a study of ours: p = 0.011."""
    share = {"nominal": 0.9, "found": held / 1000, "error": held / 1000 - 0.9}
    found = {"sets": 1000, "failed": 0, "point": False, "coverage": share, "sbc_p": {"a": 0.004}, "tarp_p": 0.002}
    assert verdict.verdict(found) == said


def test_answers_that_are_the_prior_are_found_out():
    blind = Untrained(lambda x, rng: Estimate(CONJUGATE.prior.sample(rng, 400), np.full(400, 1 / 400), 0))
    assert verdict.verdict(judged(blind)[0]) == verdict.IGNORANT


def test_points_failures_and_what_was_not_checked_are_said_to_be_that():
    point = Untrained(lambda x, rng: Estimate(x.mean(axis=0)[None], np.ones(1), 0, point=True))
    found, _ = judged(point)
    assert verdict.verdict(found) == verdict.POINT and "coverage" not in found
    failing = Untrained(lambda x, rng: Estimate(np.full((1, 2), np.nan), np.ones(1), 0, status="failed", message="no"))
    assert verdict.verdict(judged(failing, sets=12)[0]) == verdict.FAILED
    assert (
        verdict.verdict(judge.fresh(TASK, Bank(np.empty((0, 2)), np.empty((0, SIZE, 2))), [], None)[0]) == "unchecked"
    )
    assert verdict.worst([verdict.TRUSTED, verdict.OVERCONFIDENT, verdict.ROUGH]) == verdict.OVERCONFIDENT


def test_an_observation_beyond_the_prior_is_novel_and_its_answer_predicts_it_ill():
    rng = np.random.default_rng(0)
    inside, outside = normal_set(rng, 0.5, 1.0), normal_set(rng, 0.5, 25.0)
    p_values = judge.novelty(np.stack([inside, outside]), bank.simulate(TASK, 300, rng))
    assert p_values[0] > 0.05 and p_values[1] <= 0.01
    sets = observations.Observed([0, 1], np.stack([inside, outside]))
    seen = judge.observed(TASK, sets, table.ask(exact(), sets.x, rng), 200, rng)
    assert seen[0]["predictive_p"] > 0.05 and seen[1]["predictive_p"] <= 0.01
    assert judge.novelty(sets.x, bank.simulate(TASK, 10, rng)) is None


def normal_set(rng, mean, sd):
    return mean + sd * rng.standard_normal((SIZE, 2))


def test_what_simulations_are_worth_is_compared_on_the_same_sets():
    rng = np.random.default_rng(0)
    score = rng.normal(size=200)
    tables = {
        (0, "loop"): pd.DataFrame({"score": score}),
        (0, "loop_blind"): pd.DataFrame({"score": score + 0.3 + 0.1 * rng.normal(size=200)}),
        (0, "other"): pd.DataFrame({"score": score}),
    }
    (found,) = summary.uses(tables, {"loop_blind": "loop"}, rng)
    assert found["method"] == "loop" and found["gain"] == pytest.approx(0.3, abs=0.03) and found["low"] > 0
