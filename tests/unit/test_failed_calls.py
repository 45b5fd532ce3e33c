"""Points at which a user's simulator fails: each costs its own row, is noted with its message, and not asked again."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from preimage import study as study_module
from preimage.core import objective
from preimage.core.candidates import NOT_RUN, UNTRUE
from preimage.core.space import Input, Space
from preimage.data import generate
from preimage.evidence import assess
from preimage.inversion import asking
from preimage.inversion.question import Question
from preimage.problems import calls, loading, timed
from preimage.relearning import batch
from preimage.support import spending
from preimage.support.places import python_path

from ..conftest import inverter, refusal
from .test_evidence import LOWEST

SOURCE = """
import os, sys, time
from pathlib import Path
import numpy as np

def note(X):
    with Path("asked").open("a") as file:
        file.writelines(f"{x}\\n" for x in X[:, 0].tolist())

def bake(X):
    note(X)
    if (X[:, 0] > 0.8).any():
        raise ValueError("too hot, password=hunter22")
    return np.where(X[:, 0] < 0.1, np.nan, 2 * X[:, 0])

def killed(X):
    note(X)
    if X[0, 0] > 0.8 or not Path("once").exists():
        Path("once").touch()
        os.kill(os.getpid(), 9)
    return 2 * X[:, 0]

def slow(X):
    note(X)
    print("baking")
    if X[0, 0] > 0.8:
        time.sleep(60)
    if X[0, 0] < 0.1:
        os._exit(3)
    if X[0, 0] < 0.2:
        sys.exit("done")
    return 2 * X[:, 0]
"""
POINTS = np.array([[0.5], [0.9], [0.05], [0.3]])


# Called `wait_at` times in all, a call says so and waits to be killed.
WAIT = """

def wait():
    at, so_far = Path("wait_at"), len(set(Path("asked").read_text().split())) - 1
    if at.exists() and so_far == int(at.read_text()):
        Path("waiting").touch()
        time.sleep(600)
"""


def environment():
    return {**os.environ, "PYTHONPATH": python_path()}


def entry(function="bake", **more):
    return {"simulator": f"own:{function}", "inputs": {"a": {"low": 0, "high": 1}}, "outputs": {"y": {}}, **more}


@pytest.fixture
def asked(own_file, here):
    """Return the points that the simulator was asked for so far."""
    own_file(SOURCE)
    return lambda: [float(line) for line in (here / "asked").read_text().split()]


def simulate(spec, path, X=POINTS, limit=None):
    """Simulate in a step of its own; return the outputs, the reasons, and the step's account."""
    with spending.opened(limit, path) as account:
        Y, why = calls.attempt(loading.simulator(spec).simulate, X)
        return Y[:, 0], why, account


def test_a_point_that_raises_or_gives_no_number_costs_its_own_row(asked, here):
    path = here / "failed.jsonl"
    Y, why, account = simulate(entry(), path)
    assert np.array_equal(Y, [1.0, np.nan, np.nan, 0.6], equal_nan=True)
    assert why == ["", "ValueError: too hot, password=***", "no finite number for y", ""]
    assert account.asked == 4 and sum(account.reasons.values()) == 2
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["x"] for line in lines] == [{"a": 0.9}, {"a": 0.05}]
    assert [line["message"] for line in lines] == [why[1], why[2]]


def test_the_next_run_does_not_call_it_again_unless_the_code_is_another(asked, here, own_file):
    path = here / "failed.jsonl"
    Y, why, _ = simulate(entry(batch=1), path)
    before = asked()
    again, said, account = simulate(entry(batch=1), path)
    assert np.array_equal(Y, again, equal_nan=True) and said == why and account.asked == 4
    assert asked()[len(before) :] == [0.5, 0.3]
    with path.open("ab") as file:
        file.write(b'{"x": {"a": 0.')  # cut short by a kill
    assert simulate(entry(batch=1), path)[1] == why
    own_file(SOURCE + "\n# mended\n")
    assert simulate(entry(batch=1), path, POINTS[1:2])[1] == why[1:2]
    assert asked()[-1] == 0.9 and len(path.read_text().splitlines()) == 4


def test_a_batch_that_raises_is_asked_point_by_point_but_under_a_budget(asked, here):
    X = np.array([[0.5], [0.9], [0.4], [0.3], [0.2]])
    Y, _, _ = simulate(entry(batch=2), None, X)
    assert np.isnan(Y).tolist() == [False, True, False, False, False]
    assert asked() == [0.5, 0.9, 0.5, 0.9, 0.4, 0.3, 0.2]
    Y, why, account = simulate(entry(batch=2), None, X, limit=5)
    assert np.isnan(Y).tolist() == [True, True, False, False, False]
    assert "in a call of 2 points" in why[0] and account.asked == 5 and len(asked()) == 7 + 5


def test_a_call_that_takes_too_long_or_ends_python_is_killed_and_the_next_one_works(asked):
    Y, why, _ = simulate(entry("slow", seconds=0.5, batch=1), None, np.vstack([POINTS, [[0.15]]]))
    assert np.array_equal(Y, [1.0, np.nan, np.nan, 0.6, np.nan], equal_nan=True)
    assert why[1] == "no answer within 0.5 s" and why[2] == "it ended Python (status 3)"
    assert why[4] == "RuntimeError: it called sys.exit('done')"
    assert asked() == [0.5, 0.9, 0.05, 0.3, 0.15]


def test_a_call_that_is_killed_from_outside_is_made_once_more(asked):
    Y, why, _ = simulate(entry("killed", seconds=50.0, batch=1), None, POINTS[:2])
    assert Y[0] == 1.0 and np.isnan(Y[1]) and why[1] == "it was killed twice (status -9), perhaps for want of memory"
    assert asked() == [0.5, 0.5, 0.9, 0.9]


def test_a_call_in_a_process_of_its_own_dies_with_the_step(asked, here):
    code = (
        "import sys, numpy as np\nfrom preimage.problems.timed import Timed\nt = Timed('own:slow', 50.0)\n"
        "t._started()\nprint(t._process.pid, flush=True)\nt(np.array([[0.9]]))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        child = int(process.stdout.readline())
        while not (here / "asked").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    import psutil

    _, alive = psutil.wait_procs([psutil.Process(child)] if psutil.pid_exists(child) else [], timeout=10)
    assert not alive
    assert os.getpid() != child and timed.MODULE


def test_a_file_that_cannot_be_imported_is_refused_there_too(own_file, here):
    own_file("raise RuntimeError('no licence')\ndef slow(X): return X\n")
    with spending.opened(None, None):
        said = refusal(loading.simulator(entry("slow", seconds=5.0)).simulate, POINTS)
    assert "own.py" in said and "no licence" in said


def test_rows_are_given_up_as_soon_as_too_few_can_succeed(asked, here):
    problem, space = loading.simulator(entry(batch=1)), Space((Input("a", 0, 1),))
    with spending.opened(None, here / "failed.jsonl"):
        table, failed = generate.generate(problem, space, 40, np.random.default_rng(0))
    assert len(table) + len(failed) == 40 and set(failed["of"]) == {"rows"} and len(failed) > 5
    hot = loading.simulator({**entry(batch=1), "inputs": {"a": {"low": 0.81, "high": 1}}})
    before = len(asked())
    with spending.opened(None, None):
        said = refusal(generate.generate, hot, Space((Input("a", 0.81, 1),)), 40, np.random.default_rng(0))
    assert "21 of 40 points" in said and "too hot" in said and "problem.success_fraction" in said
    assert len(asked()) == before + 21


def test_a_candidate_that_fails_is_said_to_have_no_known_truth(asked):
    frame = pd.DataFrame({"x.a": POINTS[:, 0], "objective": "lowest", "predicted_loss": 0.0, "surrogate": "gp"})
    frame = frame.assign(**{"predicted.y": 0.0, "message": ""})
    frame = frame.assign(round=0, seed=0, inverter="r", rank=[1, 2, 3, 4], start=range(4))
    space, problem = Space((Input("a", 0, 1),)), loading.simulator(entry(batch=1))
    with spending.opened(None, None):
        table = assess.resimulate(frame, space, problem.simulate, {"lowest": LOWEST}, ["y"])
    assert table["simulated_loss"].isna().tolist() == [False, True, True, False]
    assert table[UNTRUE].tolist()[1:3] == ["ValueError: too hot, password=***", "no finite number for y"]
    assert table[UNTRUE].isna().tolist() == [True, False, False, True]
    assert table["true_rank"].isna().tolist() == [False, True, True, False]
    with spending.opened(2, None) as account:
        few = assess.resimulate(
            frame, space, problem.simulate, {"lowest": LOWEST}, ["y"], None, 2, np.array([4.0, 1.0, 3.0, 2.0])
        )
    assert account.asked == 2 and few["simulated_loss"].isna().tolist() == [True, True, True, False]
    assert few[UNTRUE].tolist()[:3] == [NOT_RUN, "ValueError: too hot, password=***", NOT_RUN]
    found = batch.failed_before([], few, space)
    assert found["x.a"].tolist() == [0.9] and found["of"].tolist() == ["candidates"]


def test_a_failed_row_of_a_round_is_kept_apart(asked):
    problem, space = loading.simulator(entry(batch=1)), Space((Input("a", 0, 1),))
    like = generate.generate(problem, space, 20, np.random.default_rng(0)).table
    made = batch.simulated(
        problem, space, batch.Batch(POINTS, ["candidate", "improves", "learns", "learns"]), like, 0.0,
        np.random.default_rng(0),
    )  # fmt: skip
    assert made.table["a"].to_pylist() == [0.5, 0.3] and made.table[batch.WHY].to_pylist() == ["candidate", "learns"]
    assert made.failed["x.a"].tolist() == [0.9, 0.05]


STUDY = """
study: s
problem: {simulator: PROBLEM}
objectives: {o: {minimize: y}}
inverters: {r: {kind: random, evaluations: 5}}
"""


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        ("paraboloid, seconds: 3", "'problem.seconds': valid only for your own simulator"),
        ('"own:bake", inputs: {a: {low: 0, high: 1}}, outputs: {y: }, seconds: 0', "found 0, expected more than 0"),
        ('"own:bake", inputs: {a: {low: 0, high: 1}}, outputs: {y: }, seconds: -1', "found -1, expected more than 0"),
        ("paraboloid, success_fraction: 1.5", "found 1.5, expected at most 1"),
        ("paraboloid, success_fraction: 0", "found 0, expected more than 0"),
    ],
)
def test_limits_that_make_no_sense_are_refused(own_file, problem, said):
    own_file(SOURCE)
    own_file(STUDY.replace("PROBLEM", problem), "s.yaml")
    assert said in refusal(study_module.load, "s.yaml")


def test_a_simulator_that_costs_is_called_for_one_point_after_the_other(own_file):
    own_file(SOURCE)
    problem = '"own:bake", inputs: {a: {low: 0, high: 1}}, outputs: {y: }, samples: 20'
    for more, batches in (("", None), (", seconds: 5", 1), (", seconds: 5, batch: 4", 4)):
        own_file(STUDY.replace("PROBLEM", problem + more), "s.yaml")
        assert study_module.load("s.yaml")["problem"].get("batch") == batches


STEP = """
import sys
import numpy as np
from pathlib import Path
from preimage.problems import calls, loading
from preimage.support import kept_calls, spending

kept_calls.SECONDS_PER_BYTE = 0.0
inputs = {"a": {"low": 0, "high": 1}}
spec = {"simulator": "own:bake", "inputs": inputs, "outputs": {"y": {}}, "batch": 1} | eval(sys.argv[1])
X = np.linspace(0, 1, 12)[:, None]
with kept_calls.keeping_at(lambda: Path("step.calls")), spending.opened(None, Path("failed.jsonl")):
    Y, why = calls.attempt(loading.simulator(spec).simulate, X)
print(Y.tobytes().hex(), why)
"""


@pytest.mark.parametrize("more", [{}, {"seconds": 60.0}], ids=["in the step", "in a process of its own"])
def test_a_kill_loses_no_call_that_had_returned_or_failed(asked, here, own_file, more):
    """Killed in two of twelve calls, one that gives no number and one that fails."""
    own_file(SOURCE.replace("    note(X)\n    if (X", "    note(X)\n    wait()\n    if (X") + WAIT)
    found = []
    for kill_at in (1, 11, None):
        if kill_at is not None:
            (here / "wait_at").write_text(str(kill_at))
        with subprocess.Popen(
            [sys.executable, "-c", STEP, repr(more)], stdout=subprocess.PIPE, text=True, env=environment()
        ) as process:
            while kill_at is not None and not (here / "waiting").exists():
                assert process.poll() is None
                time.sleep(0.01)
            if kill_at is not None:
                process.kill()
            found.append(process.communicate()[0])
        (here / "waiting").unlink(missing_ok=True)
        (here / "wait_at").unlink(missing_ok=True)
    points = np.linspace(0, 1, 12).tolist()
    assert [x for x in points if asked().count(x) != 1] == [points[k] for k in (1, 11)]
    assert [asked().count(points[k]) for k in (1, 11)] == [2, 2]
    Y, why = found[-1].split(" ", 1)
    expected = np.where(np.linspace(0, 1, 12) < 0.1, np.nan, 2 * np.linspace(0, 1, 12))
    expected[np.linspace(0, 1, 12) > 0.8] = np.nan
    assert np.array_equal(np.frombuffer(bytes.fromhex(Y)), expected, equal_nan=True)
    assert why.count("too hot") == 3 and why.count("no finite number") == 2


def test_a_search_of_the_simulator_says_why_a_point_failed(asked):
    problem, space = loading.simulator(entry(batch=1)), Space((Input("a", 0, 1),))
    X = np.linspace(0.2, 0.7, 10)[:, None]
    wanted = objective.build("o", {"minimize": "y"}, ["y"])
    with spending.opened(None, None):
        one = Question(space, wanted, problem.simulate, X, 2 * X, np.arange(10), on_simulator=True)
        ((answer, Y),) = asking.ask(inverter("random", {"evaluations": 30}), [one], np.random.default_rng(0))
    hot = answer.X[:, 0] > 0.8
    assert hot.any() and (np.isnan(Y[:, 0]) == (hot | (answer.X[:, 0] < 0.1))).all()
    assert {answer.message[k] for k in np.flatnonzero(hot)} == {"ValueError: too hot, password=***"}
    assert {answer.status[k] for k in np.flatnonzero(hot)} == {"failed"}
