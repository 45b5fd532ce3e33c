"""The command `preimage`: the study that `new` writes, the report that `open` finds, the arguments of `run`."""

import json

import numpy as np
import pandas as pd
import pytest

from preimage import study
from preimage.commands import main, new, run, show
from preimage.data import tables
from preimage.running import invocation
from preimage.support.errors import StudyError


def alloys(rows=40):
    rng = np.random.default_rng(0)
    heat, iron = rng.integers(400, 900, rows), np.round(rng.uniform(0, 100, rows), 1)
    furnace = np.where(np.arange(rows) % 3, "a: new", "no")
    return pd.DataFrame(
        {
            "heat": heat,
            "furnace": furnace,
            "wt% (Fe)": iron,
            "batch": [f"b{k}" for k in range(rows)],
            "lab": 7,
            "depth": np.round(iron * 3, 2),
            "hardness": np.round(heat / 5 - iron, 1),
        }
    )


def checked(path):
    """Read a study and check it against its table, as a run does before any job."""
    (found,) = study.load_all([path]).values()
    invocation.check({found["study"]: found})
    return found


def test_new_writes_a_study_that_runs_as_it_is(here, capsys):
    alloys().to_csv("alloys.csv", index=False)
    with pytest.raises(SystemExit) as ended:
        main.main(["new", "alloys.csv"])
    assert ended.value.code == 0 and "preimage run alloys.yaml" in capsys.readouterr().out
    found = checked("alloys.yaml")
    frame = alloys()
    assert found["study"] == "alloys" and found["problem"]["table"]["outputs"] == ["hardness"]
    assert found["problem"]["table"]["ignore"] == ["batch", "lab"]
    inputs = found["problem"]["inputs"]
    assert set(inputs) == {"heat", "furnace", "wt% (Fe)", "depth"}
    assert inputs["furnace"]["categories"] == sorted(set(frame["furnace"]))
    for name in ("heat", "wt% (Fe)", "depth"):
        assert (inputs[name]["low"], inputs[name]["high"]) == (frame[name].min(), frame[name].max())
    target = found["objectives"]["wanted"]["target"]["hardness"]
    assert np.mean(frame["hardness"] > target) == pytest.approx(0.2, abs=0.03)
    text = (here / "alloys.yaml").read_text()
    assert "integer: true" in text.split("heat:")[1].splitlines()[0]
    assert "integer: true" not in text.split('"wt% (Fe)":')[1].splitlines()[0]
    assert "others may be: heat, wt% (Fe), depth" in text


def test_new_takes_units_from_the_row_below_the_title(here):
    lines = alloys().to_csv(index=False, sep=";").splitlines()
    (here / "alloys.csv").write_text("\n".join([lines[0], "°C;;%;;;mm;HV", *lines[1:]]))
    new.write("alloys.csv")
    inputs = checked("alloys.yaml")["problem"]["inputs"]
    assert [inputs[name].get("unit") for name in ("heat", "wt% (Fe)", "depth")] == ["°C", "%", "mm"]


def test_new_leaves_rows_with_empty_cells_out_and_says_so(here):
    frame = alloys()
    frame.loc[[3, 5], "depth"] = np.nan
    frame.to_csv("alloys.csv", index=False)
    new.write("alloys.csv")
    found = checked("alloys.yaml")
    assert found["problem"]["table"]["incomplete"] == "leave_out"
    categories = {"furnace": {"categories": ["a: new", "no"]}}
    assert "depth 2" in (here / "alloys.yaml").read_text()
    assert len(tables.import_table(found["problem"]["table"], categories).table) == 38


def test_new_takes_the_outputs_that_are_named_and_a_table_in_a_folder(here):
    (here / "data").mkdir()
    alloys().to_parquet("data/my alloys.parquet")
    assert str(new.write("data/my alloys.parquet", ["depth", "hardness"])) == "data/my alloys.yaml"
    found = checked("data/my alloys.yaml")
    assert found["study"] == "my_alloys" and found["problem"]["table"]["outputs"] == ["depth", "hardness"]
    assert set(found["problem"]["inputs"]) == {"heat", "furnace", "wt% (Fe)"}


def test_new_overwrites_nothing(here):
    alloys().to_csv("alloys.csv", index=False)
    (here / "alloys.yaml").write_text("mine")
    with pytest.raises(StudyError, match=r"alloys\.yaml: the file is there already"):
        new.write("alloys.csv")
    assert (here / "alloys.yaml").read_text() == "mine"


@pytest.mark.parametrize(
    "change, outputs, said",
    [
        (lambda f: f.head(9), None, "found 9 rows, expected at least 10"),
        (lambda f: f[["hardness", "lab", "batch"]], None, "expected inputs and an output"),
        (lambda f: f, ["hardnes"], "no column of numbers 'hardnes' that varies; did you mean 'hardness'?"),
        (lambda f: f, ["lab"], "no column of numbers 'lab' that varies"),
    ],
)
def test_new_refuses_what_cannot_be_inverted(here, change, outputs, said):
    change(alloys()).to_csv("alloys.csv", index=False)
    with pytest.raises(StudyError) as refused:
        new.write("alloys.csv", outputs)
    assert said in str(refused.value) and not (here / "alloys.yaml").exists()


def test_open_finds_the_report_by_name_file_or_folder(here, monkeypatch):
    page = here / "results/alloys/report.html"
    page.parent.mkdir(parents=True)
    page.write_text("")
    seen = []
    monkeypatch.setattr("webbrowser.open", lambda address: seen.append(address))
    for said in ("alloys", "alloys.yaml", "results/alloys"):
        assert show.report(said, in_browser=True).resolve() == page
    assert seen == [page.as_uri()] * 3
    with pytest.raises(StudyError, match="no such report; did you mean 'alloys'"):
        show.report("alloy")


def test_open_prints_the_path_where_there_is_no_browser(here, monkeypatch, capsys):
    (here / "results/alloys").mkdir(parents=True)
    (here / "results/alloys/report.html").write_text("")
    monkeypatch.setattr("webbrowser._tryorder", [])
    with pytest.raises(SystemExit) as ended:
        main.main(["open", "alloys"])
    assert ended.value.code == 0 and capsys.readouterr().out == "results/alloys/report.html\n"


def test_run_hands_on_what_snakemake_takes(here):
    (here / "studies").mkdir()
    head, snakefile, *rest = run.command(["a b.yaml", "studies", "relearn", "-n"])
    assert (head, snakefile.rsplit("/", 1)[1]) == ("--snakefile", "Snakefile")
    *middle, flag, studies = rest
    assert middle == ["--cores", "all", "relearn", "-n"] and flag == "--config"
    assert json.loads(studies.removeprefix("studies=")) == ["a b.yaml", "studies"]
    given = run.command(["a.yaml", "-c1", "--config", "memory=4", "--quiet"])[2:]
    assert given == ["-c1", "--config", 'studies=["a.yaml"]', "memory=4", "--quiet"]
