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

from preimage.study.searchable import searchable
from preimage.support.errors import StudyError, did_you_mean
from preimage.surrogates.brought.source import FORMATS, in_folder

KIND = "model"
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
        return {**spec, "format": form, **searchable(form, Path(spec["path"]))}
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


def _pinned(address: str) -> dict[str, Any]:
    known = json.loads(os.environ.get(PINNED, "{}"))
    if address not in known:
        from preimage.tracking import models

        version = models.resolve(address)
        source = in_folder(models.fetch(version), version)
        known[address] = {"uri": version, "format": source.format, **searchable(source.format, source.file)}
        os.environ[PINNED] = json.dumps(known)
    return known[address]
