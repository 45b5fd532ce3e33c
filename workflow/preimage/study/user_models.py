"""Models of a user's own, as a study names them: the format of each, and which version an MLflow address stands for.

Apart from the modules that load them, so that reading a study imports none of their libraries.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from preimage.support import limits
from preimage.support.errors import StudyError, did_you_mean
from preimage.surrogates.brought.source import FORMATS, in_folder

KIND = "model"
# Formats of trees that exact searches can take, the last one this project's own; of others, a file says what it is.
TREES = frozenset({"xgboost", "lightgbm", "random_forest"})
SKLEARN_TREES = frozenset(
    {
        *("BaggingRegressor", "DecisionTreeRegressor", "ExtraTreeRegressor", "ExtraTreesRegressor"),
        *("GradientBoostingRegressor", "HistGradientBoostingRegressor", "RandomForestRegressor"),
    }
)
ADDRESS = re.compile(r"models:/[^/@]+(@[^/@]+|/\d+|/latest)|models:/m-[0-9a-f]+|runs:/[^/]+/.+")
# What addresses stood for when Snakemake was started: its jobs inherit it, so that all see one version.
PINNED = "PREIMAGE_PINNED_MODELS"

_PICKLE = "a pickle can run code when it is loaded; save it with skops.io.dump"
REMEDIES = {
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), _PICKLE),
    **dict.fromkeys((".pt", ".pth"), "export it to ONNX (torch.onnx.export)"),
    **dict.fromkeys((".model", ".bin", ".deprecated"), "save an XGBoost model with save_model('model.ubj')"),
    **dict.fromkeys((".h5", ".hdf5"), "save it again with model.save('model.keras')"),
}


def completed(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a study's entry of kind `model` with its `format`, and its address pinned to a version.

    Raises StudyError for a file that isn't there, a format that isn't taken, and an address that leads nowhere.
    """
    if "path" in spec:
        form = _format(spec["path"])
        return {**spec, "format": form, **_trees(form, Path(spec["path"]))}
    if not ADDRESS.fullmatch(spec["uri"]):
        raise StudyError(f"uri '{spec['uri']}': expected models:/name@alias, models:/name/3 or runs:/<run id>/path")
    return {**spec, **_pinned(spec["uri"])}


def _format(path: str) -> str:
    file = Path(path)
    if file.suffix not in FORMATS:
        remedy = f": {REMEDIES[file.suffix]}" if file.suffix in REMEDIES else ""
        raise StudyError(f"path '{path}': found '{file.suffix}', expected {', '.join(FORMATS)}{remedy}")
    if not file.is_file():
        beside = [p.name for p in file.parent.iterdir() if p.is_file()] if file.parent.is_dir() else []
        raise StudyError(f"path '{path}': no such file{did_you_mean(file.name, beside) if beside else ''}")
    return FORMATS[file.suffix]


def _trees(form: str, file: Path) -> dict[str, bool]:
    """Return {"made_of_trees": True} where a file holds trees that exact searches can take."""
    return {"made_of_trees": True} if form in TREES or (form == "skops" and _holds_trees(file)) else {}


def _holds_trees(file: Path) -> bool:
    """Whether a skops file says that it is one of scikit-learn's ensembles of trees, or a pipeline that ends in one;
    nothing is loaded of it."""
    try:
        with limits.archive(file) as archive, archive.open("schema.json") as stream:
            # What it is itself stands before its parts, which may be many.
            head = stream.read(4096).decode(errors="replace").removeprefix("{").partition("{")[0]
            about = dict(re.findall(r'"(__class__|__module__)"\s*:\s*"([^"]*)"', head))
            if about["__class__"] == "Pipeline":
                about = _last_step(json.loads(limits.document(archive, "schema.json")))
        return about["__module__"].startswith("sklearn.") and about["__class__"] in SKLEARN_TREES
    except Exception:  # it is read whole, and refused, before any job
        return False


def _last_step(about: Any) -> Any:
    """Return what skops says of the last step of a pipeline."""
    while about["__class__"] == "Pipeline":
        about = about["content"]["content"]["steps"]["content"][-1]["content"][1]
    return about


def _pinned(address: str) -> dict[str, Any]:
    known = json.loads(os.environ.get(PINNED, "{}"))
    if address not in known:
        from preimage.tracking import models

        version = models.resolve(address)
        source = in_folder(models.fetch(version), version)
        known[address] = {"uri": version, "format": source.format, **_trees(source.format, source.file)}
        os.environ[PINNED] = json.dumps(known)
    return known[address]
