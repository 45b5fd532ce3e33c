"""Networks of reactions in SBML, read by libSBML, as ordinary differential equations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from preimage.study.petab import formulas
from preimage.support.errors import StudyError

MISSING = (
    "a PEtab problem needs libSBML to read its model, which is not installed; install it with "
    "`pip install 'preimage[petab]'` (python-libsbml, LGPL)"
)


@dataclass(frozen=True)
class Network:
    """Equations as text.

    Attributes:
        initial: by state, a formula of parameters, or a number.
        derivatives: by state, a formula.
        constants: parameters and sizes, by name.
        assignments: formulas by name, each after those that it takes.
    """

    initial: Mapping[str, str]
    derivatives: Mapping[str, str]
    constants: Mapping[str, float]
    assignments: Mapping[str, str]


def read(path: str) -> Network:
    """Return the equations of an SBML file. Raises StudyError for what has none, or more than equations, by name."""
    try:
        import libsbml
    except ImportError:
        raise StudyError(MISSING) from None
    document = libsbml.readSBMLFromFile(path)
    model = document.getModel()
    if model is None or document.getNumErrors(libsbml.LIBSBML_SEV_ERROR):
        said = document.getError(0).getMessage().strip().splitlines()[0] if document.getNumErrors() else "no model"
        raise StudyError(f"{path}: libSBML can't read it: {said}")
    for conversion in ("promoteLocalParameters", "expandFunctionDefinitions"):
        properties = libsbml.ConversionProperties()
        properties.addOption(conversion, True)
        document.convert(properties)
    _check(model, path)
    return _Reader(libsbml, document.getModel(), path).network()


def _check(model: Any, path: str) -> None:
    """Raise StudyError for parts of a model that are no equations."""
    kinds = {
        "an event": model.getListOfEvents(),
        "an algebraic rule": [r for r in model.getListOfRules() if r.isAlgebraic()],
        "a fast reaction": [r for r in model.getListOfReactions() if r.getFast()],
        "a compartment whose size changes": [c for c in model.getListOfCompartments() if model.getRule(c.getId())],
        "a conversion factor": [s for s in model.getListOfSpecies() if s.isSetConversionFactor()],
    }
    for kind, found in kinds.items():
        for part in found:
            raise StudyError(f"{path}: found {kind}, '{part.getId() or part.getIdAttribute()}', which is not supported")


class _Reader:
    def __init__(self, libsbml: Any, model: Any, path: str) -> None:
        self.libsbml, self.model, self.path = libsbml, model, path
        self.rules = {r.getVariable(): r for r in model.getListOfRules()}
        self.begins = {a.getSymbol(): self.text(a) for a in model.getListOfInitialAssignments()}

    def text(self, part: Any) -> str:
        if part.getMath() is None:
            raise StudyError(f"{self.path}: found no formula in '{part.getId()}'")
        return str(self.libsbml.formulaToL3String(part.getMath()))

    def network(self) -> Network:
        derivatives = {name: self.text(r) for name, r in self.rules.items() if r.isRate()}
        moved = self.by_reactions()
        derivatives |= {
            name: f"({moved[name]}) / {size}" if size else moved[name] for name, size in self.moving().items()
        }
        assignments = {name: self.text(r) for name, r in self.rules.items() if r.isAssignment()}
        initial, constants = {}, {}
        for name, value in self.values().items():
            if name in derivatives:
                initial[name] = self.begins.get(name, repr(value))
            elif name in self.begins:
                assignments.setdefault(name, self.begins[name])
            elif name not in assignments:
                constants[name] = value
        return Network(initial, {n: derivatives[n] for n in initial}, constants, self.ordered(assignments))

    def values(self) -> dict[str, float]:
        """Return what every symbol begins with, but for initial assignments."""
        found = {c.getId(): c.getSize() if c.isSetSize() else 1.0 for c in self.model.getListOfCompartments()}
        species = {}
        for s in self.model.getListOfSpecies():
            size, amounts = found[s.getCompartment()], s.getHasOnlySubstanceUnits()
            if s.isSetInitialConcentration():
                species[s.getId()] = s.getInitialConcentration() * (size if amounts else 1.0)
            else:
                amount = s.getInitialAmount() if s.isSetInitialAmount() else 0.0
                species[s.getId()] = amount / (1.0 if amounts else size)
        parameters = {p.getId(): p.getValue() for p in self.model.getListOfParameters()}
        return {**species, **parameters, **found}

    def moving(self) -> dict[str, str]:
        """Return the species that reactions move, with the compartment of their concentration; "" of amounts."""
        moved = self.by_reactions()
        return {
            s.getId(): "" if s.getHasOnlySubstanceUnits() else s.getCompartment()
            for s in self.model.getListOfSpecies()
            if s.getId() in moved and s.getId() not in self.rules and not (s.getBoundaryCondition() or s.getConstant())
        }

    def by_reactions(self) -> dict[str, str]:
        """Return by species the sum of the rates of its reactions, as often as each makes or takes it."""
        found: dict[str, str] = {}
        for reaction in self.model.getListOfReactions():
            law = reaction.getKineticLaw()
            if law is None:
                raise StudyError(f"{self.path}: found no kinetic law of the reaction '{reaction.getId()}'")
            rate = self.text(law)
            for sign, parts in (("-", reaction.getListOfReactants()), ("+", reaction.getListOfProducts())):
                for part in parts:
                    if part.isSetStoichiometryMath() or (part.getId() and part.getId() in self.rules):
                        raise StudyError(
                            f"{self.path}: found a stoichiometry that is a formula in '{reaction.getId()}', which is "
                            "not supported"
                        )
                    many = part.getStoichiometry() if part.isSetStoichiometry() else 1.0
                    times = "" if many == 1 else f"{many!r} * "
                    name = part.getSpecies()
                    found[name] = f"{found.get(name, '')} {sign} {times}({rate})".strip()
        return found

    def ordered(self, assignments: dict[str, str]) -> dict[str, str]:
        """Return assignments, each after those that it takes. Raises StudyError for a circle."""
        found: dict[str, str] = {}
        while left := [n for n in assignments if n not in found]:
            ready = [n for n in left if not formulas.names(assignments[n]) & set(left)]
            if not ready:
                raise StudyError(f"{self.path}: the rules of {', '.join(left)} need each other")
            found |= {n: assignments[n] for n in ready}
        return found
