"""What every inverter is: an entry of a study with options, what it can work on, and how it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from preimage.support.frozen import Distinct, Maybe, Text, option
from preimage.support.registry import Entry, Registry

if TYPE_CHECKING:
    from preimage.inversion.question import Answer, Question, SearchContext


@dataclass(frozen=True)
class Target:
    """What an inverter may be asked to work on.

    Attributes:
        trees: whether it is made of trees that exact searches can take.
        bounded: whether it has another form that exact searches can bound on boxes.
        unbounded: what of a model of the user's own stands against that; "" where nothing is known.
        gradient: whether it is a model with an exact derivative.
        traceable: whether it is a simulator of series that JAX can differentiate.
        complex_safe: whether it is a simulator that computes with complex numbers as it does with real ones.
    """

    trees: bool = False
    bounded: bool = False
    unbounded: str = ""
    gradient: bool = False
    traceable: bool = False
    complex_safe: bool = False


class Inverter(Entry):
    """A method that looks for inputs with the wanted outputs.

    Its module, or the one of the same name beside `kinds/`, has `invert(question, options, context)`, which returns an
    `Answer`; or `invert_many`, of questions and their answers, where many at once cost less than each alone. One whose
    work can be scattered over jobs has `together(question, options, answers)` as well, and an option `scatter`.

    Attributes:
        needs_trees: it works on models made of trees alone.
        needs_bounds: it works on models alone that can be bounded on boxes: of trees, or of a form that can.
        plain_only: it knows no inputs or constraints that leave a space in pieces.
        needs_gradient: it works on models with a gradient of their own alone.
        population: its rows are the members of one population, rather than starts that each went their own way.
        baseline: it does not search, but looks up.
        finds_points, finds_fronts: whether it answers objectives with one best point, and those with a front.
        finds_nearest: whether it answers objectives that are to be near a reference.
        takes_variation: whether it answers objectives of inputs that vary, for which outputs are all it may ask for.
        follows_slopes: whether its searches follow the loss's slope, and see nothing where that is flat.
        work: the options that say how much it does for a question, the first that there is.
    """

    registry: ClassVar[Registry[Inverter]] = Registry("inverter", "preimage.inversion.kinds", "preimage.inversion")
    needs_trees: ClassVar[bool] = False
    needs_bounds: ClassVar[bool] = False
    plain_only: ClassVar[bool] = False
    needs_gradient: ClassVar[bool] = False
    population: ClassVar[bool] = False
    baseline: ClassVar[bool] = False
    finds_points: ClassVar[bool] = True
    finds_fronts: ClassVar[bool] = False
    finds_nearest: ClassVar[bool] = True
    takes_variation: ClassVar[bool] = True
    follows_slopes: ClassVar[bool] = False
    work: ClassVar[tuple[str, ...]] = ("evaluations", "boxes", "starts")

    on: Maybe[Distinct[Text]] = option(
        None,
        "Surrogates to work on, or `simulator`. Default: all that the method supports (the simulator if "
        "there is no surrogate).",
        min_length=1,
    )

    # -- what it can do ------------------------------------------------------------------------------------------------

    def refusal(self, target: Target) -> str:
        """Return why it can't work on a target; "" where it can."""
        if self.needs_trees and not target.trees:
            return "it requires a tree model, such as a random forest"
        if self.needs_bounds and not (target.trees or target.bounded):
            return target.unbounded or "it requires trees, or a linear model, Gaussian process or neural network"
        if self.needs_gradient and not target.gradient:
            return "it requires exact gradients, which neural networks and Gaussian processes have"
        return ""

    @classmethod
    def preferred(cls, able: Mapping[str, Target]) -> list[str]:
        """Return the models that it works on unless a study names others, of those that it can work on: all of them;
        where bounds are needed those of trees, if there are any, whose proofs are exact."""
        trees = [name for name, target in able.items() if target.trees]
        return trees if cls.needs_bounds and trees else list(able)

    @classmethod
    def answers(cls, front: bool) -> bool:
        """Return whether it answers objectives whose answer is a front, or those whose answer is a point."""
        return cls.finds_fronts if front else cls.finds_points

    def clash(self, constrained: bool) -> tuple[str, str] | None:
        """Return an option that a study with or without constraints, of inputs or of outputs, rules out, and why; None
        where there is none."""
        return None

    @property
    def parts(self) -> int:
        """By how many jobs its work is shared."""
        return int(getattr(self, "scatter", 1))

    @property
    def planned(self) -> int:
        """How many evaluations, boxes or starts it is to do for a question, for a progress bar."""
        return next((int(getattr(self, name)) for name in self.work if hasattr(self, name)), 1)

    @property
    def kept(self) -> int:
        """How many rows it keeps of a question, at most."""
        return self.planned

    @property
    def simulations(self) -> int | None:
        """How many points it asks a simulator for, at most, where that is what it works on; None where that depends on
        what it finds."""
        return getattr(self, "evaluations", None)

    # -- asking --------------------------------------------------------------------------------------------------------

    def invert_many(self, questions: Sequence[Question], context: SearchContext) -> list[Answer]:
        """Return its answers to questions that differ in nothing but the values that their objectives want."""
        module: Any = self.computing()
        if hasattr(module, "invert_many"):
            found: list[Answer] = module.invert_many(questions, self, context)
            return found
        if len(questions) == 1:
            return [self.invert(questions[0], context)]
        return [self.invert(q, own) for q, own in zip(questions, context.each(questions, self.planned), strict=True)]

    def invert(self, question: Question, context: SearchContext) -> Answer:
        """Return its answer to a question."""
        found: Answer = self.computing().invert(question, self, context)
        return found

    def together(self, question: Question, answers: Sequence[Answer]) -> Answer:
        """Return the answer that the parts of a search make."""
        found: Answer = self.computing().together(question, self, answers)
        return found
