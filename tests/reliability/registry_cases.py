"""The registry under repetition, concurrency and faults, whatever the store: `test_registry_on_sqlite` and
`test_registry_on_postgresql` each run these on theirs.

The tests of a module share one store; each has studies, and folders to work in, of its own.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import requests

from preimage.relearning.promotion import relearned
from preimage.support.errors import StudyError
from preimage.tracking.registry import CHALLENGER, Registry

from ..running import ROOT, environment
from .registry_faults import (
    FAIR,
    GOOD,
    POOR,
    Faulty,
    challenger,
    check_aliases,
    gate_rows,
    reigns,
    state,
    train,
)  # fmt: skip

NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library")
    train(folder)
    return folder


@pytest.fixture
def at(address, tmp_path, monkeypatch):
    """Return the address; the test works in a folder of its own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "one")
    return address


def study():
    return f"study{next(NUMBERS):03d}"


def relearn(library, name, n, store=None):
    return relearned(store or Registry(), challenger(library, name, n), gate_rows(), {}, np.random.default_rng(0))


# -- twice -------------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_relearning_again_changes_nothing_and_says_the_same(at, library):
    s, store = study(), Registry()
    said = [relearn(library, f"{s}.forest", n, store) for n in (FAIR, POOR, GOOD)]
    assert [x["promoted"] for x in said] == [True, False, True]
    before = state(store.client, s)
    assert before["aliases"] == {"champion": "3", "challenger": "2"} and len(before["versions"]) == 3
    # Neither the champion, nor the one before it, nor the one that was refused when another was champion.
    assert relearn(library, f"{s}.forest", GOOD, store) == said[2]
    assert relearn(library, f"{s}.forest", FAIR, store) == said[0]
    assert state(store.client, s) == before
    assert not relearn(library, f"{s}.forest", POOR, store)["promoted"]
    after = state(store.client, s)
    assert after["aliases"] == before["aliases"] and after["runs"] == before["runs"]


# -- killed between any two steps --------------------------------------------------------------------------------------


class Killed(BaseException):
    """What no `except Exception` catches."""


def kill():
    raise Killed


def first(library, name):
    return lambda store: relearn(library, name, POOR, store)


def better(library, name):
    relearn(library, name, POOR)
    return lambda store: relearn(library, name, GOOD, store)


def better_after_refusal(library, name):
    """One that was refused is put up again, and passes."""
    for n in (FAIR, POOR):
        relearn(library, name, n)
    store = Registry()

    def put_up(store):
        return store.promote(store.version(name, "2"), store.version(name, "1"), "compared on more rows")

    assert store.alias(name, CHALLENGER).version == "2"
    return put_up


def worse(library, name):
    relearn(library, name, GOOD)
    return lambda store: relearn(library, name, POOR, store)


def back(library, name):
    for n in (POOR, GOOD):
        relearn(library, name, n)
    return lambda store: store.rollback(name, "1", "a wrong unit").version


SCENARIOS = [first, better, better_after_refusal, worse, back]


def unbroken(library, scenario):
    """Return what a run that nothing happens to decides and leaves, and how many calls it makes."""
    s, store = study(), Registry()
    run = scenario(library, f"{s}.forest")
    watched = Faulty.put(store, 0, kill)
    said = run(store)
    return plain(said, s), state(Registry().client, s), len(watched.calls)


def plain(said, s):
    return json.loads(json.dumps(said).replace(s, "STUDY"))


def strides(at):
    """How many calls apart the faults are; `make test-long` takes every call."""
    return 4 if at.startswith("sqlite") else 12


@pytest.mark.long
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_again_and_again_each_time_a_few_calls_further(at, library, scenario):
    said, whole, calls = unbroken(library, scenario)
    s = study()
    run = scenario(library, f"{s}.forest")
    for k in itertools.count(2, strides(at)):
        store = Registry()
        Faulty.put(store, k, kill)
        try:
            found = run(store)
        except Killed:
            check_aliases(Registry().client, f"{s}.forest")
        else:
            break
    assert k <= calls + strides(at)
    assert state(Registry().client, s) == whole and plain(found, s) == said


def killed_once(library, scenario, stride=1):
    """Kill before each call, one after another; the next run ends as if nothing had happened."""
    said, whole, calls = unbroken(library, scenario)
    for k in range(stride, calls + 1, stride):
        s, store = study(), Registry()
        run = scenario(library, f"{s}.forest")
        Faulty.put(store, k, kill)
        with pytest.raises(Killed):
            run(store)
        store = Registry()
        check_aliases(store.client, f"{s}.forest")
        assert plain(run(store), s) == said, k
        assert state(store.client, s) == whole, k


def test_killed_once_a_rerun_ends_as_an_unbroken_run(at, library):
    killed_once(library, better, stride=4 * strides(at))


@pytest.mark.some(2)
@pytest.mark.long
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_before_any_call_a_rerun_ends_as_an_unbroken_run(at, library, scenario):
    killed_once(library, scenario)


# -- the server gone between training and promotion --------------------------------------------------------------------


def gone():
    raise requests.ConnectionError("HTTPConnectionPool(host='127.0.0.1'): connection refused")


def test_away_from_any_call_on_nothing_is_promoted_and_the_rerun_goes_on(at, library):
    said, whole, calls = unbroken(library, better)
    s = study()
    run, name = better(library, f"{s}.forest"), f"{s}.forest"
    for k in itertools.count(1, strides(at)):
        store = Registry()
        watched = Faulty.put(store, k, gone, stays=True)
        try:
            run(store)
            break
        except StudyError as error:
            message = str(error)
        assert "\n" not in message
        assert "can't be used" in message and "the next run goes on from here" in message
        moved = "set_registered_model_alias" in watched.calls[: k - 1]
        assert (Registry().alias(name).version == "2") == moved
        assert moved or "nothing was promoted" in message
    assert len(watched.calls) <= k + 1 <= calls + 1 + strides(at)
    assert plain(run(Registry()), s) == said and state(Registry().client, s) == whole


# -- two at once -------------------------------------------------------------------------------------------------------


def check_succession(client, name, said):
    """The aliases are those of the last reign; every reign follows the one before; nobody's version is lost."""
    line = reigns(client, name)
    assert [replaced for replaced, _ in line] == [None, *(version for _, version in line[:-1])]
    model = client.get_registered_model(name)
    assert str(model.aliases["champion"]) == line[-1][1]
    assert sorted(x["version"] for x in said if x["promoted"]) == sorted(v for _, v in line if v != "1")
    tags = {str(v.version): v.tags for v in client.search_model_versions(f"name = '{name}'")}
    assert sorted(tags) == ["1", "2", "3"]
    for replaced, version in line:
        assert "promoted" in tags[version] and "refused" not in tags[version]
        assert replaced is None or tags[replaced]["demoted"].startswith(f"by version {version}:")
    assert "demoted" not in tags[line[-1][1]]
    refused = {x["version"] for x in said if not x["promoted"]}
    assert {v for v, t in tags.items() if "refused" in t} == refused
    assert {str(v) for a, v in model.aliases.items() if a == "challenger"} <= refused
    check_aliases(client, name)


BOTH_WAYS = pytest.mark.parametrize(("mine", "other"), [(FAIR, GOOD), (GOOD, FAIR)])
# The calls before these register: what another folder does meanwhile matters after that.
REGISTERS = 14


@pytest.mark.long
@BOTH_WAYS
def test_another_folder_relearns_between_two_calls(at, library, tmp_path, mine, other):
    overtaken(library, tmp_path, mine, other, range(REGISTERS + mine // GOOD, 100, 3 * strides(at)))


@pytest.mark.long
@BOTH_WAYS
def test_another_folder_relearns_between_any_two_calls(at, library, tmp_path, mine, other):
    overtaken(library, tmp_path, mine, other, range(1, 100))


def overtaken(library, tmp_path, mine, other, moments):
    """The lock of a folder is no help between folders: the rival's whole relearning comes between two of our calls."""
    for k in moments:
        name, store, said = f"{study()}.forest", Registry(), {}
        relearn(library, name, POOR, store)

        def rival():
            with elsewhere(tmp_path / "two"):
                said[other] = relearn(library, name, other)  # noqa: B023

        watched = Faulty.put(store, k, rival)
        said[mine] = relearn(library, name, mine, store)
        if k > len(watched.calls):
            return
        check_succession(Registry().client, name, said.values())
        # The better one always ends as champion; the other was before it, or has been refused beside it.
        assert said[GOOD]["version"] == Registry().alias(name).version
        assert said[GOOD]["champion_before"] == (said[FAIR]["version"] if said[FAIR]["promoted"] else "1")


class elsewhere:  # noqa: N801
    """Work in another folder for a while."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        self.before = Path.cwd()
        os.chdir(self.folder)

    def __exit__(self, *_):
        os.chdir(self.before)


class Relearners:
    """Processes that relearn when told to."""

    def __init__(self, address, count):
        paths = os.pathsep.join([str(ROOT / "workflow"), str(ROOT)])
        self.running = [
            subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "tests.reliability.relearn_at_once"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
                env=environment(PYTHONPATH=paths, MLFLOW_TRACKING_URI=address, MLFLOW_DISABLE_TELEMETRY="true"),
            ) for _ in range(count)
        ]  # fmt: skip

    def __enter__(self):
        for process in self.running:
            assert process.stdout.readline() == "ready\n", process.stderr.read()[-4000:]
        return self

    def __exit__(self, *_):
        for process in self.running:
            process.kill()
            process.communicate()

    def tell(self, which, **asked):
        process = self.running[which]
        process.stdin.write(json.dumps(asked, default=str) + "\n")
        process.stdin.flush()

    def hear(self, which):
        process = self.running[which]
        line = process.stdout.readline()
        assert line, process.stderr.read()[-4000:]
        return json.loads(line)


@pytest.fixture(scope="module")
def pair(address):
    with Relearners(address, 2) as both:
        yield both


@pytest.mark.long
@pytest.mark.parametrize(("second", "times"), [("one", 1), ("two", 3)])
def test_two_processes_at_once_one_is_first_and_the_other_compares_again(at, library, pair, tmp_path, second, times):
    """In one folder, where a lock makes them wait, and in two that share nothing but the server."""
    for _ in range(times):
        name = f"{study()}.forest"
        relearn(library, name, POOR)
        for which, folder, n in ((0, "one", FAIR), (1, second, GOOD)):
            pair.tell(which, folder=tmp_path / folder, library=library, name=name, rows=n)
        fair, good = pair.hear(0), pair.hear(1)
        client = Registry().client
        check_succession(client, name, [fair, good])
        assert good["promoted"] and good["version"] == str(client.get_registered_model(name).aliases["champion"])
        # Either fair was first and good compared with it, or good was and fair was refused beside it.
        assert good["champion_before"] == (fair["version"] if fair["promoted"] else "1")
        assert fair["champion_before"] in ("1", good["version"])


@pytest.mark.long
def test_two_processes_with_the_same_model_end_with_one_champion(at, library, pair, tmp_path):
    for _ in range(2):
        name = f"{study()}.forest"
        for which, folder in enumerate(("one", "two")):
            pair.tell(which, folder=tmp_path / folder, library=library, name=name, rows=GOOD)
        said = [pair.hear(0), pair.hear(1)]
        assert said[0] == said[1] and said[0]["promoted"] and said[0]["reasons"] == ["the first version"]
        client = Registry().client
        assert reigns(client, name) == [(None, said[0]["version"])]
        assert str(client.get_registered_model(name).aliases["champion"]) == said[0]["version"]


@pytest.mark.long
def test_processes_killed_by_the_system(at, library, tmp_path):
    """SIGKILL; then another process, in another folder, puts up a model of its own."""
    with Relearners(at, 1) as one:
        for k in (8, 28, 34) if at.startswith("sqlite") else (26, 34):
            name = f"{study()}.forest"
            relearn(library, name, POOR)
            one.tell(0, folder=tmp_path / "two", library=library, name=name, rows=FAIR, kill_before=k)
            assert one.hear(0) == signal.SIGKILL
            check_aliases(Registry().client, name)
            good, fair = relearn(library, name, GOOD), relearn(library, name, FAIR)
            assert good["promoted"]
            check_succession(Registry().client, name, [good, fair])
