"""What a study comes to: its cases, and what each part of it depends on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from preimage.inversion.base import Inverter
from preimage.study.objectives import ObjectiveEntry
from preimage.support.frozen import plain_value
from preimage.surrogates.base import form_of, made_of_trees

SIMULATOR = "simulator"
LOOKUP = "lookup"
Study = dict[str, Any]


class Case(NamedTuple):
    """One cell of a study: an inverter asks a surrogate for an objective."""

    surrogate: str
    objective: str
    inverter: str


def infers(study: Mapping[str, Any]) -> bool:
    """Whether a study infers the parameters of a stochastic simulator; it has no surrogates then, and no inverters."""
    return "inference" in study


def fits(study: Mapping[str, Any]) -> bool:
    """Whether a study fits a simulator's series to data: all of its objectives do, or none."""
    return any("fit" in entry for entry in study["objectives"].values())


def cases(study: Mapping[str, Any]) -> list[Case]:
    """Return every (surrogate, objective, inverter) of a study, in its own order."""
    return [
        Case(surrogate, objective, name)
        for surrogate in [*study["surrogates"], SIMULATOR]
        for objective, entry in study["objectives"].items()
        for name, inverter in study["inverters"].items()
        if surrogate in inverter.on and inverter.answers(is_front(entry))
    ]


def is_front(entry: Mapping[str, Any]) -> bool:
    """Whether the answer to an objective's entry is a front of points."""
    return ObjectiveEntry.named(entry).front


def fronts(study: Mapping[str, Any]) -> list[Case]:
    """Return the cases of a study whose answer is a front."""
    return [case for case in cases(study) if is_front(study["objectives"][case.objective])]


def simulation_parts(study: Study) -> int:
    """Return by how many jobs the simulation of a study's rows is shared."""
    return int(study.get("simulation_parts", 1))


def parts(study: Study, inverter: str) -> int:
    """Return by how many jobs an inverter's work is shared."""
    return int(study["inverters"][inverter].parts)


def preimages(study: Study) -> list[tuple[str, str]]:
    """Return every (surrogate, objective) whose whole preimage a study asks for: on models made of trees, or where
    there are none on those that are bounded otherwise."""
    trees = [name for name, spec in study["surrogates"].items() if made_of_trees(spec)]
    bounded = [name for name, spec in study["surrogates"].items() if form_of(spec)]
    return [(surrogate, objective) for objective in study["preimages"] for surrogate in trees or bounded]


def asked_next(study: Study) -> dict[str, Any]:
    """Return the entries of the objectives that a study asks for experiments for."""
    asked = study["next"].get("objectives") or study["objectives"]
    return {name: entry for name, entry in study["objectives"].items() if name in asked}


def baselines(study: Study) -> list[str]:
    """Return the inverters of a study that don't search, but look up."""
    return [name for name, inverter in study["inverters"].items() if Inverter.of(inverter).baseline]


def searched_exactly(study: Study) -> set[str]:
    """Return the surrogates that some method needs as arrays of trees."""
    methods = (v for v in study["inverters"].values() if v.needs_trees or v.needs_bounds)
    return {name for method in methods for name in method.on} | {surrogate for surrogate, _ in preimages(study)}


def space_part(problem: Mapping[str, Any], surrogate: str) -> dict[str, Any]:
    """Return what a search depends on of a `problem` entry: the space, and the simulator where that is asked."""
    kept = {"inputs", "outputs", "formulas", "constraints"}
    if surrogate == SIMULATOR:
        kept |= {"simulator", "dimension", "shift", "ode", "curve", "solver", "batch", "seconds"}
    return {key: value for key, value in problem.items() if key in kept}


def plain(study: Study) -> dict[str, Any]:
    """Return a study as plain values, as steps and records take it."""
    return {key: plain_value(value) for key, value in study.items()}
