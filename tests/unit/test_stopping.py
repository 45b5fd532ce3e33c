"""Steps that are asked to end: long loops save and end at once, the rest is broken off, and nothing is half-written."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hyperopt import hp
from sklearn.ensemble import RandomForestRegressor

from preimage.core import objective
from preimage.core.space import Input, Space
from preimage.inversion import certified
from preimage.inversion.question import Question, SearchContext
from preimage.support import stopping, tpe
from preimage.support.files import replacing
from preimage.trees import branch_and_bound
from preimage.trees.forest import from_sklearn

from ..conftest import inverter
from ..running import ROOT

SPACE = {"x": hp.uniform("x", -5, 5)}


@pytest.fixture
def listening():
    kept = {s: signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGALRM)}
    stopping.listen()
    signal.set_wakeup_fd(-1)  # this process is not to end
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    stopping._asked.clear()
    for number, handler in kept.items():
        signal.signal(number, handler)


def again():
    signal.setitimer(signal.ITIMER_REAL, 0)
    stopping._asked.clear()


def test_tpe_saves_and_ends_and_goes_on_to_the_same_end(tmp_path, listening):
    state, rng = tmp_path / "state.json", np.random.default_rng
    whole = tpe.search(SPACE, lambda v: v["x"] ** 2, 30, rng(0))

    def stopped(values):
        if len(asked) == 12:
            signal.raise_signal(signal.SIGTERM)
        asked.append(values)
        return values["x"] ** 2

    asked = []
    with pytest.raises(SystemExit) as ended:
        tpe.search(SPACE, stopped, 30, rng(0), state=state)
    assert ended.value.code == 143 and state.exists() and len(asked) == 13
    again()
    assert tpe.search(SPACE, stopped, 30, rng(0), state=state) == whole and len(asked) == 30


def test_branch_and_bound_saves_and_ends_and_goes_on_to_the_same_end(tmp_path, listening, monkeypatch):
    X = np.random.default_rng(0).uniform(-10, 10, (300, 4))
    Y = np.column_stack([(X**2).sum(axis=1), X @ np.arange(1.0, 5)])
    forest = from_sklearn(RandomForestRegressor(10, random_state=0, n_jobs=1).fit(X, Y))
    wanted = objective.build(
        "o", {"target": {"a": 100, "b": 40}, "tolerance": 1}, ["a", "b"], Y.std(axis=0), np.ptp(Y, axis=0)
    )
    space = Space(tuple(Input(f"x{j}", -10, 10) for j in range(4)))
    q = Question(space, wanted, forest.predict, X, Y, np.arange(300), trees=forest)
    options = {"boxes": 2000, "gap": 0.0, "memory": 100, "starts": 4}
    whole = certified.invert(q, inverter("certified", options), SearchContext(np.random.default_rng(1)))
    state, step = tmp_path / "state", branch_and_bound.Search.step

    def stopped(search):
        if search.batches == 5 and not state.exists():
            signal.raise_signal(signal.SIGTERM)
        return step(search)

    monkeypatch.setattr(branch_and_bound.Search, "step", stopped)
    with pytest.raises(SystemExit):
        certified.invert(q, inverter("certified", options), SearchContext(np.random.default_rng(1), state))
    assert state.exists()
    again()
    resumed = certified.invert(q, inverter("certified", options), SearchContext(np.random.default_rng(1), state))
    assert np.array_equal(resumed.X, whole.X) and resumed.certificate == whole.certificate


def test_what_saves_nothing_is_broken_off_and_leaves_nothing(tmp_path, listening, monkeypatch):
    monkeypatch.setattr(stopping, "GRACE_SECONDS", 0.1)
    with pytest.raises(SystemExit), replacing(tmp_path / "table") as temporary:
        temporary.write_text("half")
        signal.raise_signal(signal.SIGTERM)
        while True:
            time.sleep(0.01)
    assert list(tmp_path.iterdir()) == []


IN_C = """
import ctypes, os, signal
from preimage.support import stopping
stopping.listen()
for number in (signal.SIGTERM, signal.SIGALRM):
    signal.siginterrupt(number, False)  # a call that goes on after a signal, as a compiled program does
print("ready", flush=True)
ctypes.CDLL(None).read(os.pipe()[0], ctypes.create_string_buffer(1), 1)
"""


# A step with something that Python waits for as it ends, as it does for a compiled program that is still at work.
SLOW = """
import time
from pathlib import Path
from types import SimpleNamespace
from preimage.support.files import replacing
from preimage.running.step import step
class Slow:
    def __del__(self, sleep=time.sleep):
        sleep(60)
slow = Slow()
about = SimpleNamespace(log=["log"], params={}, wildcards={"study": "s"}, rule="train", input=[], output=[])
with step(about), replacing("table") as temporary:
    temporary.write_text("half")
    print("ready", flush=True)
    while True:
        time.sleep(0.01)
"""


def test_a_step_that_has_cleaned_up_waits_for_nothing_else(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    command = [sys.executable, "-c", SLOW]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path)
    assert process.stdout.readline() == "ready\n"
    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=90)
    assert process.returncode == stopping.CODE and time.monotonic() - asked < 5
    assert (tmp_path / "log").read_text().endswith("asked to end: what could be saved is saved\n")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log", "results"]


def test_what_hears_no_signal_ends_within_5_seconds_all_the_same():
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    process = subprocess.Popen([sys.executable, "-c", IN_C], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout.readline() == "ready\n"
    asked = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == stopping.CODE
    assert stopping.GRACE_SECONDS < time.monotonic() - asked < 5


def test_nobody_asked():
    stopping.end_if_asked()
    assert not stopping.asked() and stopping.GRACE_SECONDS < 5
