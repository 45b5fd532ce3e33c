"""A study from nothing to its report: what it leaves, that it is the same each time, and that it stays done."""

import numpy as np
import pandas as pd
import pytest

from preimage.core import candidates
from preimage.data import tables
from preimage.support.files import read_json

from ..finished import SAID_AGAIN
from ..running import run_tiny

TABLES = ["results/tiny/candidates.parquet", "results/tiny/summary.csv"]


def test_every_output_of_the_interface_is_there(tiny):
    for name in ["report.html", "candidates.parquet", "summary.csv", "diagnosis.csv", "timings.csv"]:
        assert (tiny / "results/tiny" / name).stat().st_size > 0


def test_candidates_have_the_columns_of_the_interface_and_every_trial_is_kept(tiny):
    table = pd.read_parquet(tiny / TABLES[0])
    assert list(table) == candidates.columns(["x1", "x2"], ["y"])
    kept = table.groupby(["seed", "surrogate", "objective", "inverter"]).size()
    assert set(kept.xs("tpe", level="inverter")) == {30}
    assert set(kept.xs("starts", level="inverter")) == {5}
    assert set(kept.xs("direct", level="inverter")) == {5}
    assert set(kept.xs("lookup", level="inverter")) == {1}
    # 2 objectives x (tpe, starts, lookup on the forest, direct on the simulator)
    assert len(kept) == 2 * 4


def test_candidates_hold_bounds_and_fixed_inputs(tiny):
    table = pd.read_parquet(tiny / TABLES[0]).query("status == 'ok'")
    train = pd.read_parquet(tiny / "results/tiny/round0/seed0/train.parquet")
    for name in ("x1", "x2"):
        assert table[f"x.{name}"].between(train[name].min(), train[name].max()).all()
    assert (table.query("objective == 'lowest'")["x.x1"] == 10).all()
    assert table.query("objective == 'ring'")["x.x1"].nunique() > 10


def test_lookup_takes_only_rows_that_satisfy_the_fixed_inputs(tiny):
    """No training row has x1 = 10 exactly, so there is a row that says so, and no x."""
    rows = pd.read_parquet(tiny / TABLES[0]).query("inverter == 'lookup' and objective == 'lowest'")
    assert set(rows["status"]) == {"no_answer"}
    assert rows["x.x1"].isna().all() and rows["rank"].isna().all()


def test_the_truth_is_the_simulators_and_regret_is_split_by_it(tiny):
    table = pd.read_parquet(tiny / TABLES[0]).dropna(subset="predicted_loss")
    truth = table["x.x1"] ** 2 + table["x.x2"] ** 2
    assert np.allclose(table["simulated.y"], truth, rtol=1e-12)
    summary = pd.read_csv(tiny / TABLES[1], float_precision="round_trip").dropna(subset="predicted_loss")
    assert np.allclose(summary["surrogate_regret"], summary["simulated_loss"] - summary["predicted_loss"])
    best = summary.groupby(["seed", "surrogate", "objective"])["predicted_loss"].transform("min")
    assert np.allclose(summary["optimizer_regret"], summary["predicted_loss"] - best)
    on_simulator = summary.query("surrogate == 'simulator'")
    assert len(on_simulator) == 2 and (on_simulator["surrogate_regret"] == 0).all()


def test_where_a_forest_does_what_is_asked_the_summary_has_the_window_in_which_it_keeps_to_it(tiny):
    summary = pd.read_csv(tiny / TABLES[1], float_precision="round_trip")
    kept = summary.dropna(subset="tolerance_width")
    assert "ring" in set(kept["objective"]) and set(kept["surrogate"]) == {"forest"}
    for name in ("x1", "x2"):
        assert (kept[f"tolerance_low.{name}"] <= kept[f"x.{name}"]).all()
        assert (kept[f"x.{name}"] <= kept[f"tolerance_high.{name}"]).all()
    page = (tiny / "results/tiny/report.html").read_text(encoding="utf-8")
    assert "everywhere in that window, forest predicts y between 4,800 and 5,200 (proven)" in page


def test_the_summary_shows_the_candidate_of_rank_1_chosen_without_the_truth(tiny):
    table = pd.read_parquet(tiny / TABLES[0])
    summary = pd.read_csv(tiny / TABLES[1], float_precision="round_trip")
    first = table.query("rank == 1").merge(summary, on=candidates.CASE, suffixes=("", "_s"))
    assert len(first) == len(summary.dropna(subset="predicted_loss"))
    assert (first["x.x1"] == first["x.x1_s"]).all()
    least = table.groupby(candidates.CASE)["predicted_loss"].transform("min")
    assert (table.loc[table["rank"] == 1, "predicted_loss"] == least[table["rank"] == 1]).all()


def test_held_out_rows_never_reach_training(tiny):
    folder = tiny / "results/tiny/round0/seed0"
    train, test = (pd.read_parquet(folder / f"{part}.parquet") for part in ("train", "test"))
    assert not set(train["__row__"]) & set(test["__row__"])
    assert len(train) == 140 and len(test) == 60
    known = read_json(folder / "split.json")
    assert known["ranges"]["x1"] == [train["x1"].min(), train["x1"].max()]


def test_generated_rows_are_also_a_pair_of_files_that_a_study_can_name(tiny, load):
    folder = tiny / "results/tiny/round0/seed0"
    found = load(
        f"""
study: again
problem: {{table: {{features: "{folder}/features.parquet", targets: "{folder}/targets.parquet"}}}}
objectives: {{lowest: {{minimize: y}}}}
surrogates: {{forest: {{kind: random_forest}}}}
"""
    )
    again = tables.import_table(found["problem"]["table"], {})
    there = pd.read_parquet(folder / "data.parquet").drop(columns="__row__")
    assert len(there) == 200 and (again.inputs, again.outputs) == (["x1", "x2"], ["y"])
    pd.testing.assert_frame_equal(again.table.to_pandas(), there, check_exact=True)


def test_a_dry_run_after_all_studies_finds_nothing_to_do(tiny):
    assert "Nothing to be done" in (tiny / SAID_AGAIN).read_text(encoding="utf-8")


@pytest.mark.long
def test_the_same_study_twice_gives_the_same_bytes(tiny, tmp_path):
    """A run of its own, against one beside all other studies. Kills have other methods."""
    run_tiny(tmp_path)
    for table in [*TABLES, "results/tiny/round0/seed0/preimage/forest/ring.parquet"]:
        assert (tmp_path / table).read_bytes() == (tiny / table).read_bytes()


def test_no_step_imports_what_it_does_not_use(tiny):
    """What each rule may have loaded of the packages that are slow to import."""
    allowed = {
        "generate": set(),
        "split": set(),
        "train": {"numba", "sklearn", "scipy.optimize", "scipy.spatial", "scipy.stats", "skops", "hyperopt"},
        "invert": {"numba", "scipy.optimize", "scipy.spatial", "scipy.stats", "hyperopt"},
        "preimage": {"numba"},
        "evidence": {"numba", "scipy.spatial"},
        "gather": {"pandera"},
        "diagnose": {"scipy.spatial"},
        "figures": {"matplotlib"},
        "timings": set(),
        "report": set(),
    }
    seen = {}
    for path in (tiny / "results/tiny/tracking").rglob("*.json"):
        record = read_json(path)
        if "sent" not in path.parts and record["rule"] != "invocation":
            seen.setdefault(record["rule"], set()).update(record["imported"])
            if record["rule"] == "invert" and record["wildcards"]["inverter"] == "lookup":
                assert set(record["imported"]) <= {"numba"}, record["name"]
    assert set(seen) == set(allowed)
    assert "hyperopt" in seen["invert"] and "sklearn" in seen["train"]  # the list is one that can fail
    for rule, imported in seen.items():
        assert imported <= allowed[rule], rule


def test_timings_name_every_step_and_its_cost(tiny):
    timings = pd.read_csv(tiny / "results/tiny/timings.csv")
    assert (timings["wall_seconds"] > 0).all() and (timings["peak_memory_mb"] > 10).all()
    tpe = timings[timings["step"].str.match("invert forest .* tpe")]
    assert list(tpe["evaluations"]) == [30, 30]  # for each objective


def test_a_whole_preimage_is_a_file_of_disjoint_boxes_and_stands_in_the_report(tiny):
    boxes = pd.read_parquet(tiny / "results/tiny/round0/seed0/preimage/forest/ring.parquet")
    assert boxes["certain"].all() and boxes["reproducible"].all() and boxes["share"].sum() < 1
    # Every candidate that meets the objective by the forest's word is in exactly one box, no other in any.
    table = pd.read_parquet(tiny / TABLES[0]).query("surrogate == 'forest'")
    X = table[["x.x1", "x.x2"]].to_numpy()
    low, high = (boxes[[f"{end}.x1", f"{end}.x2"]].to_numpy() for end in ("low", "high"))
    inside = ((X[:, None] >= low) & (X[:, None] <= high)).all(axis=2).sum(axis=1)
    assert (inside == (table["predicted.y"] - 5000).abs().le(200)).all() and inside.sum() > 0
    page = (tiny / "results/tiny/report.html").read_text(encoding="utf-8")
    assert (
        "All inputs that meet this objective on the model forest are known" in page
        and "whole preimage on forest" in page
    )
