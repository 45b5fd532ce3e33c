"""The search makes the trials of plain `hyperopt.fmin`, however often it is stopped and taken up again."""

import math

import hyperopt
import numpy as np
import pytest
from hyperopt import hp

from preimage.support import tpe

TRIALS = 45  # the first 20 are random; the rest are the estimator's
SPACES = {
    "continuous": lambda: {"a": hp.uniform("a", -3, 3), "b": hp.normal("b", 0, 1), "c": hp.loguniform("c", -3, 2)},
    "integer": lambda: {"a": hp.uniformint("a", 1, 9), "b": hp.randint("b", 5), "c": hp.quniform("c", 0, 10, 2.5)},
    "choice": lambda: {"a": hp.choice("a", list(range(4))), "b": hp.uniform("b", 0, 1)},
    "conditional": lambda: {
        "depth": hp.choice("depth_limited", [None, hp.uniformint("depth", 2, 30)]),
        "share": hp.choice("share_limited", [1.0, hp.uniform("share", 0.2, 1.0)]),
    },
}


def loss_of(values):
    return math.fsum((value - 0.7) ** 2 * (1 + len(label)) for label, value in values.items())


def failing(values):
    """Fails on some trials, in each of the ways a loss can be no number."""
    loss = loss_of(values)
    bad = {0: math.nan, 1: math.inf, 2: -math.inf}
    return bad.get(int(loss * 1e6) % 9, loss)


def plain(space, evaluate, seed):
    """Return (values, loss) of each trial of `hyperopt.fmin` itself; NaN where it failed."""
    trials = hyperopt.Trials()

    def objective(_):
        (running,) = (t for t in trials._dynamic_trials if t["state"] == hyperopt.JOB_STATE_RUNNING)
        loss = evaluate({k: float(v[0]) for k, v in running["misc"]["vals"].items() if v})
        if math.isfinite(loss):
            return {"status": hyperopt.STATUS_OK, "loss": loss}
        return {"status": hyperopt.STATUS_FAIL}

    hyperopt.fmin(
        objective,
        space,
        hyperopt.tpe.suggest,
        TRIALS,
        trials=trials,
        rstate=np.random.default_rng(seed),
        show_progressbar=False,
    )
    return [
        ({k: float(v[0]) for k, v in t["misc"]["vals"].items() if v}, t["result"].get("loss", math.nan))
        for t in trials.trials
    ]


def search(name, evaluate=loss_of, seed=3, state=None, evaluations=TRIALS, report=None):
    return tpe.search(SPACES[name](), evaluate, evaluations, np.random.default_rng(seed), state, report)


@pytest.mark.parametrize("evaluate", [loss_of, failing])
@pytest.mark.parametrize("seed", [0, 3])
@pytest.mark.parametrize("name", SPACES)
def test_the_trials_are_those_of_fmin(name, seed, evaluate):
    ours = search(name, evaluate, seed)
    theirs = plain(SPACES[name](), evaluate, seed)
    assert len(ours) == len(theirs) == TRIALS
    for mine, (values, loss) in zip(ours, theirs, strict=True):
        assert mine.values == values
        assert mine.loss == loss or (math.isnan(mine.loss) and math.isnan(loss))


def test_with_a_plain_float_as_loss_fmin_finds_the_same_optimum():
    space = {"a": hp.uniform("a", -3, 3), "b": hp.uniform("b", -1, 1)}
    best = hyperopt.fmin(
        lambda v: loss_of(v),
        space,
        hyperopt.tpe.suggest,
        TRIALS,
        rstate=np.random.default_rng(1),
        show_progressbar=False,
    )
    ours = tpe.search(space, loss_of, TRIALS, np.random.default_rng(1))
    assert min(ours, key=lambda t: t.loss).values == {k: float(v) for k, v in best.items()}


class Killed(BaseException):
    pass


def killed_after(done, evaluate):
    """Return `evaluate` that dies in the trial after `done`."""
    count = 0

    def wrapped(values):
        nonlocal count
        count += 1
        if count > done:
            raise Killed
        return evaluate(values)

    return wrapped


@pytest.mark.parametrize("name", SPACES)
def test_a_search_killed_at_any_trial_ends_with_the_same_trials(name, tmp_path, monkeypatch):
    monkeypatch.setattr(tpe, "SAVE_EVERY_SECONDS", -1.0)
    whole = search(name, failing)
    assert any(math.isnan(t.loss) for t in whole)
    state = tmp_path / "state.json"
    for _ in range(TRIALS // 4):  # one state, killed again and again
        with pytest.raises(Killed):
            search(name, killed_after(4, failing), seed=99 if state.exists() else 3, state=state)
    resumed = search(name, failing, seed=99, state=state)
    assert repr(resumed) == repr(whole)


@pytest.mark.parametrize("stop", [1, 19, 20, 21, TRIALS - 1])
def test_a_kill_around_the_first_estimate_changes_nothing(stop, tmp_path, monkeypatch):
    monkeypatch.setattr(tpe, "SAVE_EVERY_SECONDS", -1.0)
    with pytest.raises(Killed):
        search("conditional", killed_after(stop, loss_of), state=tmp_path / "s.json")
    evaluated = []

    def counted(values):
        evaluated.append(values)
        return loss_of(values)

    resumed = search("conditional", counted, seed=99, state=tmp_path / "s.json")
    assert repr(resumed) == repr(search("conditional"))
    assert evaluated == [t.values for t in resumed[stop:]]  # nothing is paid for twice


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("count", [3, TRIALS])
def test_the_first_trials_are_known_before_any_loss(name, count):
    rng = np.random.default_rng(3)
    first = tpe.first(SPACES[name](), count, rng)
    assert first == [t.values for t in search(name)][: min(count, 20)]
    assert rng.bit_generator.state == np.random.default_rng(3).bit_generator.state


def test_what_else_an_evaluation_tells_is_kept_over_a_kill(tmp_path, monkeypatch):
    monkeypatch.setattr(tpe, "SAVE_EVERY_SECONDS", -1.0)

    def telling(values):
        return loss_of(values), {"twice": 2 * values["a"]}

    with pytest.raises(Killed):
        search("choice", killed_after(5, telling), state=tmp_path / "s.json")
    trials = search("choice", telling, seed=99, state=tmp_path / "s.json")
    assert all(t.told == {"twice": 2 * t.values["a"]} for t in trials)


def test_a_finished_state_is_taken_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(tpe, "SAVE_EVERY_SECONDS", -1.0)
    whole = search("choice", state=tmp_path / "s.json")
    assert repr(search("choice", killed_after(0, loss_of), seed=99, state=tmp_path / "s.json")) == repr(whole)


def test_failed_trials_are_kept_and_are_never_the_best():
    reports = []
    trials = search("continuous", failing, report=lambda done, best: reports.append((done, best)))
    losses = np.array([t.loss for t in trials])
    assert np.isnan(losses).any() and not np.isinf(losses).any()
    assert [done for done, _ in reports] == list(range(1, TRIALS + 1))
    running = np.minimum.accumulate(np.where(np.isnan(losses), np.inf, losses))
    assert [best for _, best in reports] == running.tolist()


def test_a_search_in_which_everything_fails_ends():
    trials = search("continuous", lambda values: math.nan)
    assert len(trials) == TRIALS and all(math.isnan(t.loss) for t in trials)
