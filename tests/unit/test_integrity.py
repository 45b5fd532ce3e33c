"""What of the results is not what its step wrote, and all that was made of it."""

import fcntl
import shutil

import pytest

from preimage.running import integrity, invocation
from preimage.support.files import digest, read_json, write_text
from preimage.tracking.record import Record, digests, intact

TRACKING = "results/s/tracking"
# A chain of steps with a branch: name, inputs, outputs.
STEPS = [
    ("split", [], ["results/s/train", "results/s/test"]),
    ("train", ["results/s/train"], ["results/s/model"]),
    ("invert", ["results/s/model"], ["results/s/found"]),
    ("score", ["results/s/test"], ["results/s/score"]),
    ("report", ["results/s/found", "results/s/score"], ["results/s/page"]),
]


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(invocation.RUN_LOCK_HELD, raising=False)
    for name, inputs, outputs in STEPS:
        for path in outputs:
            write_text(path + ("/weights" if path.endswith("model") else ""), f"what {name} wrote in {path}")
        made = Record("s", name, name, {}, "none", 0, inputs=digests(inputs), outputs=digests(outputs))
        made.write(f"{TRACKING}/{name}.json")
    return tmp_path


def flip(path):
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)


def there(folder):
    found = [p for part in ("results/s", TRACKING) for p in (folder / part).iterdir()]
    return {p.relative_to(folder).as_posix() for p in found} - {TRACKING}


def test_whole_results_are_left_alone(results):
    (results / "results/s/model/.snakemake_timestamp").touch()
    (results / TRACKING / "invocation-1.json").write_text("{")
    (results / TRACKING / ".half.json.12.tmp.json").write_text("{")
    assert integrity.damaged(["s"]) == ([], [])
    assert invocation.mend({"s": {}}, only_look=False) == []


def test_a_study_never_run_has_nothing_to_mend(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert invocation.mend({"new": {}}, only_look=False) == []
    assert list(tmp_path.rglob("*")) == [tmp_path / "results", tmp_path / "results/.locks"]


@pytest.mark.parametrize(
    ("file", "steps"),
    [
        ("page", {"report"}),
        ("test", {"split", "train", "invert", "score", "report"}),
        ("model/weights", {"train", "invert", "report"}),
    ],
)
def test_a_flipped_bit_takes_what_was_made_of_it_along(results, file, steps):
    before = there(results)
    flip(results / "results/s" / file)
    warnings = invocation.mend({"s": {}}, only_look=True)
    assert len(warnings) == 1 and file.partition("/")[0] in warnings[0] and there(results) == before
    invocation.mend({"s": {}}, only_look=False)
    kept = [(name, outputs) for name, _, outputs in STEPS if name not in steps]
    assert there(results) == {f"{TRACKING}/{n}.json" for n, _ in kept} | {p for _, o in kept for p in o}
    assert integrity.damaged(["s"]) == ([], [])


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "not a record"])
def test_a_damaged_record_goes_with_what_read_it(results, damage):
    path = results / TRACKING / "invert.json"
    text = path.read_text()
    path.write_text({"truncated": text[:80], "flipped": text.replace('"ended": 0', '"ended": 1'), "empty": "",
                     "not a record": "[1]"}[damage])  # fmt: skip
    found, _ = integrity.damaged(["s"])
    assert found == [f"{TRACKING}/invert.json"]


def test_a_record_reads_back_intact_and_no_change_passes(results):
    value = read_json(f"{TRACKING}/train.json")
    assert intact(value)
    for key in value:
        assert not intact({**value, key: "changed"})
    assert value["seal"] == digest({k: v for k, v in value.items() if k != "seal"})


def test_a_copy_elsewhere_is_as_good(results, tmp_path_factory, monkeypatch):
    other = tmp_path_factory.mktemp("other")
    shutil.copytree(results / "results", other / "results", copy_function=shutil.copyfile)
    monkeypatch.chdir(other)
    assert integrity.damaged(["s"]) == ([], [])


def test_a_record_that_names_a_file_elsewhere_removes_nothing_there(results):
    mine = results / "mine.csv"
    mine.write_text("mine")
    for name in ("mine.csv", "results/../mine.csv", str(mine)):
        Record("s", "evil", "evil", {}, "none", 0, outputs={name: "0"}).write(f"{TRACKING}/evil.json")
        assert integrity.damaged(["s"]) == ([], [])
    Record("s", "evil", "evil", {}, "none", 0, inputs={"results/s/page": "0"}, outputs={str(mine): "0"}).write(
        f"{TRACKING}/evil.json"
    )
    flip(results / "results/s/page")
    invocation.mend({"s": {}}, only_look=False)
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("lock", [invocation.RUN_LOCK, invocation.JOBS_LOCK])
def test_nothing_is_touched_while_somebody_is_at_work(results, lock):
    flip(results / "results/s/page")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        assert invocation.mend({"s": {}}, only_look=False) == []
    assert len(invocation.mend({"s": {}}, only_look=False)) == 1


def test_a_file_system_without_locks_is_told(results, monkeypatch):
    def flock(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", flock)
    (said,) = invocation.mend({"s": {}}, only_look=False)
    assert "without locks" in said and "--nolock" in said
