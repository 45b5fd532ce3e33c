"""The experiments to run next on the page: what they say, and files that come out as they went in."""

import base64
from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from preimage.core.space import Input, Space
from preimage.reporting import next_experiments

# One input has the name of a column of the list, which is then called otherwise.
SPACE = Space((Input("chance", 0, 1, unit="g"), Input("Härte [x]", 0, 9)))


def material(folder):
    path = folder / "next_experiments.csv"
    frame = pd.DataFrame(
        {
            "recipe": ["r1", "r2"], "chance": [0.25, 0.5], "Härte [x]": [3.0, 4.5], "y": None,
            "reason": ["largest expected improvement: o", "least known: o"], "chance.": [0.123, None],
            "predicted.y": [5.0, 6.0], "predicted.cost": [2.0, 3.0], "interval_low.y": [4.0, 5.0],
            "interval_low.cost": [2.0, 3.0], "interval_high.y": [6.0, 7.0], "interval_high.cost": [2.0, 3.0],
        }
    )  # fmt: skip
    frame.to_csv(path, index=False)
    (folder / "next_experiments.xlsx").write_bytes(b"PK\x03\x04 a workbook")
    files = [str(path), str(folder / "next_experiments.xlsx")]
    return SimpleNamespace(next_experiments=files, space=SPACE, units={"y": "MPa"})


def test_a_row_has_its_recipe_prediction_chance_and_reason(tmp_path):
    found = next_experiments.section(material(tmp_path))
    assert [i["name"] for i in found["inputs"]] == ["chance", "Härte [x]"]
    assert [o["unit"] for o in found["outputs"]] == ["MPa", ""]
    first, second = found["rows"]
    assert first["x"] == ["0.25", "3"] and first["chance"] == "12%" and second["chance"] == "–"
    assert first["predicted"] == [("5", "4 to 6"), ("2", "")]
    assert second["reason"] == "least known: o"


def test_the_files_on_the_page_are_those_of_the_study(tmp_path):
    asked = material(tmp_path)
    for path, file in zip(asked.next_experiments, next_experiments.section(asked)["files"], strict=True):
        kind, _, content = file["url"].partition(";base64,")
        assert base64.b64decode(content) == Path(path).read_bytes()
        assert kind.startswith("data:") and path.endswith(file["name"])


def test_a_study_that_asks_for_none_shows_none():
    assert next_experiments.section(SimpleNamespace(next_experiments=())) is None
