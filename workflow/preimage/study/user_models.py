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
from preimage.surrogates.base import SurrogateKind
from preimage.surrogates.brought.source import FORMATS, in_folder
from preimage.surrogates.brought.supported import (
    KERAS_LAYERS,
    LIGHTGBM_LINKS,
    SKLEARN_FORMS,
    VOTING,
    WITHIN,
    XGBOOST_LINKS,
)

KIND = "model"
# Formats of trees that exact searches can take, the last one this project's own; of others, a file says what it is.
TREES = frozenset({"xgboost", "lightgbm", "random_forest"})
SKLEARN_TREES = frozenset(
    {
        *("BaggingRegressor", "DecisionTreeRegressor", "ExtraTreeRegressor", "ExtraTreesRegressor"),
        *("GradientBoostingRegressor", "HistGradientBoostingRegressor", "RandomForestRegressor"),
    }
)
# Bytes of a file of trees in which its objective stands.
LOOKED_AT = 65_536
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
        return {**spec, "format": form, **_searched(form, Path(spec["path"]))}
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


def _searched(form: str, file: Path) -> dict[str, Any]:
    """Return what a file is to exact searches: {"made_of_trees": True}, {"form": a form that is bounded on boxes}, or
    {"unbounded": what stands against it}; nothing of it is loaded."""
    if form in TREES:
        return {"form": "linked"} if _has_link(form, file) else {"made_of_trees": True}
    if form in SurrogateKind.registry:  # one of this project's own
        return {"form": own} if (own := SurrogateKind.registry[form].form) else {}
    try:
        with limits.archive(file) as archive:
            if form == "keras":
                return _of_layers(json.loads(limits.document(archive, "config.json")))
            if form == "skops":
                return _of_class(*_named(archive))
    except Exception:  # it is read whole, and refused, before any job
        return {}
    return {}


def _of_layers(config: Any) -> dict[str, str]:
    """Return {"form": "network"} where a Keras model has layers alone that are bounded."""
    pending, strange = [config], []
    while pending:
        part = pending.pop()
        if part["class_name"] in ("Sequential", "Functional"):
            pending += part["config"]["layers"]
        elif part["class_name"] not in KERAS_LAYERS:
            strange.append(f"'{part['config'].get('name', '')}' ({part['class_name']})")
    if not strange:
        return {"form": "network"}
    return {"unbounded": f"layer {sorted(strange)[0]} has no proven bounds; supported: {', '.join(KERAS_LAYERS)}"}


def _has_link(form: str, file: Path) -> bool:
    """Whether a file of trees says that its output is a function of their sum. XGBoost says so at the end of a file,
    LightGBM at the beginning."""
    if form not in ("xgboost", "lightgbm") or not file.is_file():
        return False
    with file.open("rb") as stream:
        if form == "xgboost":
            stream.seek(max(file.stat().st_size - LOOKED_AT, 0))
        text = stream.read(LOOKED_AT)
    if form == "xgboost":
        found = re.findall(rb"objective.*?name.{1,12}?((?:reg|count|binary):[a-z]+)", text, re.DOTALL)
        return bool(found) and found[-1].decode() in XGBOOST_LINKS
    said = re.search(rb"^objective=(\S*)(.*)$", text, re.MULTILINE)
    return said is not None and (said[1].decode() in LIGHTGBM_LINKS or b"sqrt" in said[2])


def _of_class(name: str, text: str, transformed: bool) -> dict[str, Any]:
    """Return what a class of scikit-learn is to exact searches.

    Args:
        text: what a file says of all its parts, where they decide.
        transformed: whether its target is transformed.
    """
    if name == VOTING or (name in SKLEARN_TREES and (transformed or "LogLink" in text)):
        return {"form": "linked"}
    if name in SKLEARN_TREES:
        return {"made_of_trees": True}
    if form := SKLEARN_FORMS.get(name):
        return {"form": form}
    known = ", ".join([*sorted(SKLEARN_TREES), *SKLEARN_FORMS])
    return {"unbounded": f"{name} has no proven bounds; expected one of {known}"}


def _named(archive: Any) -> tuple[str, str, bool]:
    """Return the class of scikit-learn's that a skops file says it is, or of the model within a pipeline or behind a
    transformed target; what the file says, where that decides; and whether the target is transformed."""
    with archive.open("schema.json") as stream:
        # What it is itself stands before its parts, which may be many.
        head = stream.read(4096).decode(errors="replace").removeprefix("{").partition("{")[0]
    about, text, transformed = dict(re.findall(r'"(__class__|__module__)"\s*:\s*"([^"]*)"', head)), "", False
    if about["__class__"] in (*WITHIN, "HistGradientBoostingRegressor"):
        text = limits.document(archive, "schema.json").decode()
        about = json.loads(text)
    while about["__class__"] in WITHIN:
        own = about["content"]["content"]
        transformed = transformed or "regressor_" in own
        about = own["regressor_"] if "regressor_" in own else own["steps"]["content"][-1]["content"][1]
    if not about["__module__"].startswith("sklearn."):
        raise ValueError(about["__module__"])
    return str(about["__class__"]), text, transformed


def _pinned(address: str) -> dict[str, Any]:
    known = json.loads(os.environ.get(PINNED, "{}"))
    if address not in known:
        from preimage.tracking import models

        version = models.resolve(address)
        source = in_folder(models.fetch(version), version)
        known[address] = {"uri": version, "format": source.format, **_searched(source.format, source.file)}
        os.environ[PINNED] = json.dumps(known)
    return known[address]
