"""Calls of a user's simulator that are kept for the next attempt: given again in order, and to the same alone."""

import numpy as np
import pytest

from preimage.inference.simulators.user import Guarded
from preimage.problems import calls
from preimage.support import kept_calls
from preimage.support.kept_calls import keeping_at, kept


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Where calls are kept, however short they are."""
    monkeypatch.setattr(kept_calls, "SECONDS_PER_BYTE", 0.0)
    return tmp_path / "resume" / "step.calls"


class Counted:
    """A simulator that counts what it is asked, and gives another answer each time."""

    def __init__(self):
        self.asked = []

    def __call__(self, X):
        self.asked.append(len(X))
        return X[:, 0] + len(self.asked)


def attempt(path, call, *asked):
    with keeping_at(lambda: path):
        return [np.asarray(kept([X], lambda X=X: call(X))) for X in asked]


def test_the_next_attempt_makes_only_the_calls_that_it_lacks(path):
    a, b, c = np.zeros((2, 2)), np.ones((3, 2)), np.full((1, 2), np.pi)
    first, second, call = Counted(), Counted(), Counted()
    before = attempt(path, first, a, b, a)
    assert first.asked == [2, 3, 2]  # a repeated question is a call of its own
    after = attempt(path, second, a, b, a, c, a)
    assert second.asked == [1, 2]
    assert all(np.array_equal(x, y) and x.dtype == y.dtype for x, y in zip(before, after[:3], strict=True))
    attempt(path, call, a, b, a, c, a)
    assert call.asked == []


def test_what_differs_in_any_part_is_another_call(path):
    X, rng = np.zeros((2, 2)), np.random.default_rng(0)
    asked = [[X], [X.astype(np.float32)], [X.ravel()], [X, 1], [X, 2], [X, rng.bit_generator.state]]
    rng.random()
    asked += [[X, rng.bit_generator.state], [X + 1j]]
    for k, parts in enumerate(asked):
        with keeping_at(lambda: path):
            assert kept(parts, lambda k=k: np.array([k])) == k
    for k, parts in enumerate(asked):
        with keeping_at(lambda: path):
            assert kept(parts, lambda: pytest.fail("called again")) == k


@pytest.mark.parametrize("lost", [1, 31, 32, 40, 200])
def test_a_record_that_a_kill_cut_short_is_simulated_again_and_those_before_it_are_not(path, lost):
    points = [np.full((1, 2), k) for k in range(3)]
    attempt(path, Counted(), *points)
    path.write_bytes(path.read_bytes()[:-lost])
    call, last = Counted(), Counted()
    attempt(path, call, *points)
    assert call.asked == [1]
    attempt(path, last, *points)
    assert last.asked == []


def test_a_damaged_record_ends_what_is_trusted(path):
    points = [np.full((1, 2), k) for k in range(3)]
    attempt(path, Counted(), *points)
    whole = path.read_bytes()
    for at in (0, 33, 36, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
        call = Counted()
        found = attempt(path, call, *points)
        assert 1 <= len(call.asked) <= 3
        assert len(found) == 3 and path.stat().st_size == len(whole)


def test_a_call_that_raised_is_made_again_and_what_is_no_array_is_not_kept(path):
    with keeping_at(lambda: path), pytest.raises(OSError, match="no licence"):
        kept([1], lambda: (_ for _ in ()).throw(OSError("no licence")))
    for value in ("text", [[1], [2, 3]], None):
        with keeping_at(lambda: path):
            assert kept([2], lambda value=value: value) is value
    assert path.stat().st_size == 0


def test_calls_that_cost_less_than_their_keeping_are_not_kept(tmp_path):
    path = tmp_path / "step.calls"
    attempt(path, lambda X: X, np.zeros((1_000_000, 1)))
    assert path.stat().st_size == 0


def test_nothing_is_kept_outside_of_a_step_and_what_is_kept_is_forgotten(path):
    assert kept([1], lambda: 5) == 5 and not path.exists()
    attempt(path, Counted(), np.zeros((1, 1)))
    kept_calls.forget(path.parent)
    assert not path.exists()


@pytest.mark.parametrize(("batch", "sizes"), [(None, [5]), (2, [2, 2, 1]), (9, [5])])
def test_a_simulator_of_ones_own_is_asked_in_batches_that_are_kept(path, batch, sizes):
    X = np.arange(10.0).reshape(5, 2)
    seen = []
    call = calls.Own(lambda X: (seen.append(len(X)), X.sum(axis=1))[1], "own:call", ["a", "b"], ["y"], batch)
    for _ in range(2):
        with keeping_at(lambda: path):
            assert call(X)[:, 0].tolist() == X.sum(axis=1).tolist()
    assert seen == sizes


def test_a_simulator_may_change_the_points_that_it_gets():
    def call(X):
        X *= 2
        return X.sum(axis=1)

    X = np.ones((3, 2))
    assert calls.Own(call, "own:call", ["a", "b"], ["y"])(X)[:, 0].tolist() == [4, 4, 4]
    assert (X == 1).all()


def test_parameters_are_simulated_in_batches_each_with_random_numbers_of_its_own(path):
    theta = np.arange(5.0)[:, None]
    seen = []

    def call(theta, size, rng):
        seen.append(len(theta))
        if (theta == 2).any():
            raise ValueError("no answer for 2")
        return theta[:, :, None] + rng.random((len(theta), size, 1))

    own = Guarded(call, "own:call", 1, 60.0, batch=2)
    with keeping_at(lambda: path):
        found = own(theta, 3, np.random.default_rng(0))
    assert seen == [2, 2, 1, 1, 1]  # the second batch fails, and is asked row by row
    assert np.isnan(found[2]).all() and len(np.unique(found[[0, 1, 3, 4]] % 1)) == 12
    assert (np.floor(found[[0, 1, 3, 4], 0, 0]) == [0, 1, 3, 4]).all()
    seen.clear()
    with keeping_at(lambda: path):
        again = own(theta, 3, np.random.default_rng(0))
    assert seen == [2, 1] and np.array_equal(again, found, equal_nan=True)  # what raised is asked again


def test_a_stochastic_simulator_is_asked_again_by_no_generator_that_it_had(path):
    seen = []

    def call(theta, size, rng):
        seen.append(len(theta))
        return rng.random((len(theta), size, 1))

    found = []
    for seeds in ([0, 1], [0, 1, 2]):
        own = Guarded(call, "own:call", 1, 60.0)
        with keeping_at(lambda: path):
            found += [own(np.zeros((4, 2)), 3, np.random.default_rng(seed)) for seed in seeds]
    assert len(seen) == 3
    assert np.array_equal(found[0], found[2]) and np.array_equal(found[1], found[3])
