"""What a file of a model is to exact searches, by what stands in it: trees, a form that can be bounded, or why not.

Nothing of a file is loaded. What is found decides which models `certified` takes unless a study names them; all that a
file has is looked at when it is tried, before any job.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from preimage.support import limits
from preimage.support.errors import StudyError
from preimage.surrogates.base import SurrogateKind
from preimage.surrogates.brought import onnx_wire
from preimage.surrogates.brought.supported import (
    BAGGING,
    INVERSES,
    KERAS_LAYERS,
    LIGHTGBM_LINKS,
    ONNX_OPERATIONS,
    SKLEARN_FORMS,
    SKLEARN_TREES,
    STEPS,
    TARGETS,
    UNBOUNDED_KERNELS,
    VECTORS,
    VOTING,
    XGBOOST_LINKS,
)

# Formats of trees that exact searches can take, the last one this project's own; of others, a file says what it is.
TREES = frozenset({"xgboost", "lightgbm", "random_forest"})
# Bytes of a file of trees in which its objective stands.
LOOKED_AT = 65_536
LINKED, MADE_OF_TREES = {"form": "linked"}, {"made_of_trees": True}


def searchable(form: str, file: Path) -> dict[str, Any]:
    """Return {"made_of_trees": True}, {"form": a form that is bounded on boxes}, or {"unbounded": what stands against
    it}; nothing where that is not to be seen."""
    if form in TREES:
        return LINKED if _has_link(form, file) else MADE_OF_TREES
    if form == "onnx":
        return _of_operations(file)
    if form in SurrogateKind.registry:  # one of this project's own
        return {"form": own} if (own := SurrogateKind.registry[form].form) else {}
    try:
        with limits.archive(file) as archive:
            if form == "keras":
                return {"form": _of_layers(json.loads(limits.document(archive, "config.json")))}
            if form == "skops":
                return _of_class(archive)
    except StudyError as error:
        return {"unbounded": str(error)}
    except Exception:  # it is read whole, and refused, before any job
        return {}
    return {}


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


# -- Keras -------------------------------------------------------------------------------------------------------------


def _of_layers(config: Any) -> str:
    """Return the form of a Keras model. Raises StudyError for a layer that has no bounds."""
    pending, strange = [config], []
    while pending:
        part = pending.pop()
        if part["class_name"] in ("Sequential", "Functional"):
            pending += part["config"]["layers"]
        elif part["class_name"] not in KERAS_LAYERS:
            strange.append(f"'{part['config'].get('name', '')}' ({part['class_name']})")
    if strange:
        raise StudyError(f"layer {sorted(strange)[0]} has no proven bounds; supported: {', '.join(KERAS_LAYERS)}")
    return "network"


# -- ONNX --------------------------------------------------------------------------------------------------------------


def _of_operations(file: Path) -> dict[str, Any]:
    """Return the form of a graph, or which of its nodes has no bounds; nothing of a file that is damaged."""
    try:
        limits.check_file(file)
        strange = [
            f"'{name}' ({operation})"
            for domain, operation, name in onnx_wire.operations(file)
            if domain not in ("", "ai.onnx.ml") or operation not in ONNX_OPERATIONS
        ]
    except Exception:  # it is read whole, and refused, before any job
        return {}
    if strange:
        return {"unbounded": f"node {strange[0]} has no proven bounds; supported: {', '.join(ONNX_OPERATIONS)}"}
    return {"form": "network"}


# -- scikit-learn ------------------------------------------------------------------------------------------------------


def _of_class(archive: Any) -> dict[str, Any]:
    """Return what a skops file is. Raises StudyError for what has no bounds, and ValueError for what is not
    scikit-learn's."""
    with archive.open("schema.json") as stream:
        # What it is itself stands before its parts, which may be many.
        head = stream.read(4096).decode(errors="replace").removeprefix("{").partition("{")[0]
    about = dict(re.findall(r'"(__class__|__module__)"\s*:\s*"([^"]*)"', head))
    if not about["__module__"].startswith("sklearn."):
        raise ValueError(about["__module__"])
    name = about["__class__"]
    if name in SKLEARN_TREES and name not in ("HistGradientBoostingRegressor", BAGGING):
        return MADE_OF_TREES
    return _of_parts(json.loads(limits.document(archive, "schema.json")))


def _of_parts(about: Any) -> dict[str, Any]:
    """Return what a model of scikit-learn is, from what skops says of all its parts."""
    name, own = about["__class__"], about["content"]["content"]
    if name == "Pipeline":
        steps = [step["content"][1] for step in own["steps"]["content"]]
        found = _of_parts(steps[-1])
        strange = [step["__class__"] for step in steps[:-1] if step["__class__"] not in STEPS]
        if strange and found != MADE_OF_TREES:  # which are looked through with all that stands before them
            raise StudyError(f"{strange[0]} before the model has no proven bounds; expected {', '.join(STEPS[1:])}")
        return found
    if name == "TransformedTargetRegressor":
        _check_target(own)
        found = _of_parts(own["regressor_"])
        return LINKED if found == MADE_OF_TREES else found
    if name in (VOTING, BAGGING):
        return _of_several(name, [_of_parts(part) for part in own["estimators_"]["content"]])
    if name in SKLEARN_TREES:
        return LINKED if '"LogLink"' in json.dumps(own.get("_loss", {})) else MADE_OF_TREES
    if name not in SKLEARN_FORMS:
        raise StudyError(f"{name} has no proven bounds; expected one of {', '.join([*SKLEARN_TREES, *SKLEARN_FORMS])}")
    if name in VECTORS and "rbf" not in json.dumps(own["kernel"]):
        raise StudyError(f"{name} of another kernel than rbf has no proven bounds")
    kernel = json.dumps(own.get("kernel_", {}))
    if strange := [part for part in UNBOUNDED_KERNELS if f'"{part}"' in kernel]:
        raise StudyError(f"kernel {strange[0]} has no proven bounds; expected sums of RBF, Matern and the like")
    return {"form": SKLEARN_FORMS[name]}


def _of_several(name: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the mean of models is."""
    if all(part == MADE_OF_TREES for part in found):
        return MADE_OF_TREES if name == BAGGING else LINKED
    if any(part in (MADE_OF_TREES, LINKED) for part in found):
        raise StudyError(f"{name} of trees beside other models, or with a link, has no proven bounds")
    forms = {part["form"] for part in found}
    return {"form": forms.pop() if len(forms) == 1 else "total"}


def _check_target(own: Any) -> None:
    """Raise StudyError for a transformed target that is not scaled, nor a logarithm."""
    name = own["transformer_"]["__class__"]
    function = json.dumps(own.get("inverse_func", {}))
    known = name == "FunctionTransformer" and ("null" in function or any(f in function for f in INVERSES))
    if not known and name not in TARGETS:
        raise StudyError(f"a target transformed by {name} has no proven bounds; expected {', '.join(TARGETS)}")
