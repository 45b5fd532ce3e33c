"""The questions that a step of an inverter puts: its rows, its model and its objectives, from files."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from preimage.core.objective import Varied
from preimage.data import split_rows
from preimage.inversion.extended import with_formulas
from preimage.inversion.question import Question
from preimage.support.files import read_json
from preimage.surrogates import simulator
from preimage.surrogates.base import module


class Asked(NamedTuple):
    """What is asked: questions that differ in their objectives alone, the model, the training rows, the outputs."""

    questions: list[Question]
    model: Any
    train: Any
    outputs: list[str]


def build(params: dict[str, Any], files: Any, name: str, variation: np.random.Generator | None = None) -> Asked:
    """Return the questions of a step.

    Args:
        params: `problem`, `surrogate`, `objective` of the study.
        files: by name: train, info, and where there are any model, test.
        name: of the objective.
        variation: what the draws of inputs that vary come from, the same in every step of a seed.
    """
    spec, entry = params["problem"], params["objective"]
    found = split_rows.read(spec, files.info, files.train, files.get("test"))
    train = found.train
    on_simulator = params["surrogate"]["kind"] == "simulator"
    if "fit" in entry:
        # Picked at run time: no other study depends on it.
        model = importlib.import_module("preimage.calibration.building").build(spec, entry["fit"])
        train = dataclasses.replace(train, Y=model.losses(train.X)[:, None], outputs=["loss"])
    elif on_simulator:
        model = simulator.load(spec)
    else:
        model = module(params["surrogate"]["kind"]).load(Path(str(files.model)))
    idle = [n for j, n in enumerate(train.inputs) if j not in getattr(model, "takes", range(len(train.inputs)))]
    wanted = list(found.objectives({name: entry}).values())
    space = wanted[0].allowed(found.setting.space)
    first = Question(
        space,
        wanted[0],
        model.predict,
        train.X,
        train.Y,
        train.numbers,
        on_simulator=on_simulator,
        gradient=getattr(model, "gradient", None) if getattr(model, "differentiable", True) else None,
        traceable=getattr(model, "traceable", lambda: None)(),
        resolution=getattr(model, "resolution", np.finfo(float).eps),
        cancellation=getattr(model, "cancellation", 0.0),
        trees=getattr(model, "trees", None),
        form=getattr(model, "exact_form", lambda: None)(),
        fit=model if "fit" in entry else None,
        without_influence=tuple(n for n in idle if n not in found.formulas.taken),
        draws=wanted[0].variation.on(space, variation) if isinstance(wanted[0], Varied) and variation else None,
    )
    first = with_formulas(first, found.formulas)
    return Asked([first.wanting(w) for w in wanted], model, train, found.setting.outputs)


def committee(asked: Asked, about: str, rng: np.random.Generator) -> Any:
    """Return the committee that judges the candidates of an objective that asks for one; None for any other."""
    first = asked.questions[0]
    if first.objective.committee is None or first.on_simulator:
        return None
    # Picked at run time, so that a change in it reruns only what uses it.
    module = importlib.import_module("preimage.inversion.committee")
    error = np.array(read_json(about)["validation_error"])
    return module.assemble(asked.model, error, first, asked.train.levels, first.objective.committee, rng)
