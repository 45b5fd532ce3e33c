"""What `preimage.open` returns of a finished study, and the notebook that shows it."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import preimage
from preimage.results import Results
from preimage.support.errors import StudyError

from ..running import ROOT
from .conftest import spreadsheet


def test_results_are_the_tables_and_the_models_that_made_them(tiny):
    found = preimage.open(tiny / "results/tiny")
    pd.testing.assert_frame_equal(found.summary, pd.read_csv(tiny / "results/tiny/summary.csv"))
    pd.testing.assert_frame_equal(found.candidates, pd.read_parquet(tiny / "results/tiny/candidates.parquet"))
    assert found.posterior is None and found.fit is None and found.report.exists()
    assert list(found.models) == ["forest"] and found.models["forest"].inputs == ["x1", "x2"]
    # What the workflow has predicted, the models predict here.
    rows = found.candidates.query("surrogate == 'forest'").dropna(subset="predicted.y")
    model = found.models["forest"]
    points = rows[["x.x2", "x.x1"]].rename(columns=lambda name: name.removeprefix("x."))
    predicted = model.predict(points)
    np.testing.assert_array_equal(predicted["y"], rows["predicted.y"])
    assert predicted.index.equals(rows.index)
    np.testing.assert_array_equal(model.predict(points[["x1", "x2"]].to_numpy()), predicted)
    low, high = model.interval(points)
    np.testing.assert_array_equal(low["y"], rows["interval_low.y"])
    np.testing.assert_array_equal(high["y"], rows["interval_high.y"])


def test_what_is_not_there_is_said(tiny):
    with pytest.raises(StudyError, match="no finished results; did you mean 'tiny'"):
        preimage.open(tiny / "results/tine")
    found = preimage.open(str(tiny / "results/tiny"))
    with pytest.raises(StudyError, match="no models of round 0, seed 5"):
        found.models_of(round=0, seed=5)
    with pytest.raises(KeyError, match="no model 'forrest'; did you mean 'forest'"):
        found.models["forrest"]
    with pytest.raises(StudyError, match="no column 'x2'"):
        found.models["forest"].predict(pd.DataFrame({"x1": [1.0]}))
    with pytest.raises(StudyError, match=r"shape \(2,\), expected \(n, 2\): x1, x2"):
        found.models["forest"].predict([1.0, 2.0])


def test_models_of_each_seed_predict_what_the_workflow_has_predicted_with_them(mixed):
    found = Results(mixed / "results/mixed")
    assert found.candidates["seed"].unique().tolist() == [0, 1]
    for (seed, name), rows in found.candidates.groupby(["seed", "surrogate"]):
        model = found.models_of(seed=seed)[name]
        points = rows[["x.a", "x.kind"]].rename(columns=lambda name: name.removeprefix("x."))
        np.testing.assert_array_equal(model.predict(points)["y"], rows["predicted.y"])


def test_models_take_categories_by_name(mixed):
    frame, models = spreadsheet(), Results(mixed / "results/mixed").models
    assert set(models) == {"forest", "line"}
    for model in models.values():
        predicted = model.predict(frame)
        assert list(predicted) == ["y", "z"]
        np.testing.assert_allclose(predicted["y"], frame["y"], atol=0.5)
        named = pd.DataFrame({"kind": ["red"], "a": [0.5]})
        np.testing.assert_array_equal(model.predict(named), model.predict([[0.5, 0.0]]))
        with pytest.raises(StudyError, match="category 'green' is not declared"):
            model.predict(named.assign(kind="green"))


def test_the_notebook_runs(tiny, tmp_path, monkeypatch):
    """Its cells are run one after the other; a smaller study stands in for the shipped one."""
    notebook = json.loads((ROOT / "docs/notebook.ipynb").read_text(encoding="utf-8"))
    shutil.copytree(tiny / "results/tiny", tmp_path / "results/paraboloid")
    monkeypatch.chdir(tmp_path)
    names = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert len(names["predicted"]) == len(names["best"]) > 0
    np.testing.assert_allclose(names["predicted"]["y"], names["best"]["predicted.y"])
    assert names["low"].lt(names["high"]).all().all()
