"""What this project reads back of its own, damaged: ignored, said, and made again; and nothing else is touched."""

import json
import logging
import os
from pathlib import Path

import numpy as np
import pytest

from preimage.inference import arrays
from preimage.running import integrity, invocation
from preimage.support import files, limits, resume_state, tpe
from preimage.support.files import read_json, write_json
from preimage.tracking import record, sending
from preimage.tracking.record import Record

BROKEN = [b"", b"{", b'{"study": "s"', b"[]", b"3", b"null", b"{}", b'{"status": 3}', b"\xff\xfe", b"[" * 5000]


@pytest.mark.parametrize("content", BROKEN)
def test_a_damaged_record_of_an_invocation_is_said_and_removed(here, capsys, content):
    path = here / "results/s/tracking/invocation-1.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    other = path.with_name("invocation-2.json")
    whole = {"study": "s", "name": "s", "invocation": "2", "started": 1, "params": {}, "tags": {}, "metrics": []}
    write_json(other, {**whole, "status": "RUNNING"})
    invocation._note_killed({"s": {}})
    assert not path.exists() and str(path.relative_to(here)) in capsys.readouterr().err
    assert read_json(other)["status"] == "KILLED"


@pytest.mark.parametrize("content", BROKEN)
def test_a_damaged_record_that_waits_to_be_sent_holds_up_no_other(here, capsys, content):
    path = here / "results/s/tracking/train.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert record.read(path) is None
    sending._send_one(None, path)
    sending._send_one(None, path)
    assert capsys.readouterr().err.count("a damaged record, not sent") == 1


def test_a_record_that_the_server_refuses_is_said_once_and_holds_up_no_other(store, capsys):
    """An experiment without a name stands for whatever a server may find wrong."""
    at = {"invocation": "1", "started": 1, "ended": 2, "rule": "train", "wildcards": {}, "metrics": [], "params": {}}
    for k, study in enumerate(["", "s"]):
        whole = {**at, "study": study, "name": f"step {k}", "tags": {}, "artifacts": []}
        write_json(Path(f"results/s/tracking/step{k}.json"), whole)
    assert sending.send() == 1
    said = capsys.readouterr().err
    assert said.count("warning: results/s/tracking/step0.json: refused by tracking at") == 1
    experiment = store.client.get_experiment_by_name("s").experiment_id
    assert [r.info.run_name for r in store.client.search_runs([experiment])] == ["step 1"]
    assert sending.send() == 0 and not capsys.readouterr().err


def test_the_end_of_an_invocation_does_not_rely_on_its_file(here, monkeypatch):
    path = here / "results/s/tracking/invocation-3.json"
    write_json(path, {"study": "s"})
    monkeypatch.setattr(invocation, "_records", {path: {"study": "s", "status": "RUNNING"}})
    path.write_text("")
    invocation.end("FINISHED")
    assert read_json(path)["status"] == "FINISHED"


KILLED = "Command 'python train.py' died with <Signals.SIGKILL: 9>."


@pytest.mark.parametrize(
    ("text", "ended", "said"),
    [(KILLED, 2, True), (KILLED, 0, False), ("returned non-zero exit status 1", 2, False), (None, 2, False)],
)
def test_a_run_that_failed_says_where_the_kernel_has_ended_a_step(here, monkeypatch, capsys, text, ended, said):
    """The kernel may have ended something else, and a step may have been killed by somebody else."""
    counts, log = here / "vmstat", here / "snakemake.log"
    counts.write_text(f"nr_free_pages 7\noom_kill {3 + ended}\nnuma_hit 9\n")
    count = limits.ended_by_kernel(counts)
    assert (count, limits.ended_by_kernel(here / "none")) == (3 + ended, 0)
    monkeypatch.setattr(limits, "ended_by_kernel", lambda: count)
    monkeypatch.setattr(invocation, "_ended_before", [3])
    invocation.SENDER_LOG.parent.mkdir(parents=True)
    invocation.SENDER_LOG.write_text("")
    if text is None:
        invocation.end("FINISHED")
    else:
        log.write_text(text)
        invocation.end("FAILED", [str(log)])
    err = capsys.readouterr().err
    assert ("preimage: memory ran out, and the kernel ended a step: there are" in err) == said
    assert err.count("\n") == said


@pytest.mark.parametrize(
    "name",
    [
        "results/s", "results/s/", "results/s/tracking", "results/s/tracking/other.json", "results",
        "results/other/page", "results/s/../other/page", "mine", ".", "/", "results/s/link/mine", "results/s/out",
        "a\0b", "x" * 5000,
    ],
)  # fmt: skip
def test_whatever_a_sealed_record_names_only_files_of_its_own_study_are_removed(here, name):
    for path in ("results/s/page", "results/s/tracking/other.json", "results/other/page", "mine"):
        (here / path).parent.mkdir(parents=True, exist_ok=True)
        (here / path).write_text("what there is")
    Record("s", "o", "o", {}, "none", 0).write("results/s/tracking/other.json")
    (here / "results/s/link").symlink_to(here)
    (here / "results/s/out").symlink_to(here / "mine")
    before = {p: p.read_bytes() for p in here.rglob("*") if p.is_file()}
    evil = Record("s", "e", "e", {}, "none", 0, inputs={"results/s/page": "0"}, outputs={name: "0"})
    evil.write("results/s/tracking/evil.json")
    Record("s", "p", "p", {}, "none", 0, outputs={"results/s/page": "0"}).write("results/s/tracking/page.json")
    invocation.mend({"s": {}}, only_look=False)
    gone = {str(p.relative_to(here)) for p, content in before.items() if not p.exists() or p.read_bytes() != content}
    assert gone == {"results/s/page"}


def test_records_behind_a_link_are_not_removed(here):
    (here / "elsewhere").mkdir()
    (here / "elsewhere/notes.json").write_text("{}")
    (here / "results/s").mkdir(parents=True)
    (here / "results/s/tracking").symlink_to(here / "elsewhere")
    invocation.mend({"s": {}}, only_look=False)
    assert (here / "elsewhere/notes.json").exists()


@pytest.mark.parametrize("change", [{"outputs": []}, {"outputs": None}, {"inputs": 3}, {"metrics": "a"}, {"tags": [1]}])
def test_a_record_of_another_form_is_damaged_even_where_its_seal_holds(here, change):
    value = {**vars(Record("s", "e", "e", {}, "none", 0)), **change}
    write_json("results/s/tracking/e.json", {**value, "seal": files.digest(files.plain(value))})
    assert integrity.damaged(["s"])[0] == ["results/s/tracking/e.json"]


# -- resume files ------------------------------------------------------------------------------------------------------


def test_what_is_kept_for_the_next_attempt_is_taken_only_where_it_is_whole(here, caplog):
    state = here / "state.npz"
    assert resume_state.resumed(None, arrays.read) is None and resume_state.resumed(state, arrays.read) is None
    arrays.write(state, {"a": np.arange(1000.0)})
    whole = state.read_bytes()
    assert np.array_equal(resume_state.resumed(state, arrays.read)["a"], np.arange(1000.0))
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for broken in (b"", whole[: len(whole) // 2], bytes(flipped), b"{}", os.urandom(100)):
        state.write_bytes(broken)
        with caplog.at_level(logging.WARNING):
            assert resume_state.resumed(state, arrays.read) is None
        assert not state.exists() and "damaged" in caplog.text
        caplog.clear()


def test_a_damaged_state_of_a_search_begins_it_again_with_the_same_trials(here):
    from hyperopt import hp

    def search(evaluations, state):
        rng, space = np.random.default_rng(0), {"x": hp.uniform("x", -1, 1)}
        return tpe.search(space, lambda v: (v["x"] - 0.3) ** 2, evaluations, rng, state)

    whole, state = search(12, None), here / "state.json"
    rng = np.random.default_rng(0)
    rng.integers(2**31 - 1, size=6)
    tpe._save(state, search(6, None), rng)
    kept = state.read_text()
    assert search(12, state) == whole
    value = json.loads(kept)
    value["trials"][0][1] += 1
    for broken in ("", kept[:100], "[]", "{}", json.dumps(value), '{"trials": [[]], "generator": 1, "seal": "x"}'):
        state.write_text(broken)
        assert search(12, state) == whole


def test_what_is_written_is_on_the_disk_before_it_has_its_name(here, monkeypatch):
    done = []
    fsync, replace = os.fsync, type(here).replace

    def noted(at):
        done.append(str(Path(f"/proc/self/fd/{at}").readlink()))
        fsync(at)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(type(here), "replace", lambda a, b: (done.append("named"), replace(a, b))[1])
    write_json(here / "a.json", {})
    assert done[-2:] == ["named", str(here)] and done[0].endswith(".tmp")
    done.clear()
    with files.replacing(here / "folder") as temporary:
        temporary.mkdir()
        (temporary / "inner").write_text("x")
    assert done.index("named") > next(k for k, name in enumerate(done) if name.endswith("inner"))
