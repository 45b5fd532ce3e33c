"""A question put to the exact search over boxes (`preimage.exact`): what it is made of, and where it gets points from.

It answers what the search on cells (`trees.branch_and_bound`) does not know: models that are not made of trees, limits
of outputs, formulas, fronts, and spaces with listed values, gaps, counts, exclusions or curved constraints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from preimage.core import fronts, polytope
from preimage.core.certificates import Certificate
from preimage.core.objective import Limit, Objective, Pareto
from preimage.core.space import Space
from preimage.exact.affine import Terms
from preimage.exact.conflict import AnyPoint, conflict
from preimage.exact.front import front
from preimage.exact.goal import Goal, Least, Nearest
from preimage.exact.guarded import Guarded
from preimage.exact.model import BoxModel
from preimage.exact.problem import Problem
from preimage.exact.search import Search
from preimage.exact.trade_off import FrontProblem, TradeOff
from preimage.inversion import bounded, nsga2
from preimage.inversion.kinds.certified import Certified
from preimage.inversion.kinds.nsga2 import Nsga2
from preimage.inversion.question import Answer, Question, SearchContext
from preimage.support import digits
from preimage.support.errors import StudyError
from preimage.support.resume_state import resumed
from preimage.trees.domain import Domain
from preimage.trees.objective import refuse_unknown_loss

# Bytes of an open box beside its arrays: the place in the queue.
OF_AN_ENTRY = 200
# Starts that are followed before a search begins; many a search is over before it needs the others. A search over boxes
# follows all after so many batches, of which the first are small.
AT_FIRST, LATE = 2, 16
# A front of more points than these, by which ranks span it, is thinned.
MOST_ROWS = 1000
# Evaluations of the front that a proof of one begins from, for each start.
EVOLVED, MOST_EVOLVED = 400, 10_000_000


def is_plain(question: Question, objective: Objective) -> bool:
    """Whether the search on cells alone knows all that a question has."""
    if question.trees is None:
        return False
    space = question.space
    more = space.listed.any() or space.in_pieces or space.curved or getattr(objective, "near", None)
    return not (more or objective.limits or max(objective.columns) >= question.measured.shape[1])


class Hunt:
    """A search over boxes for a question, and the points that it begins from."""

    def __init__(
        self,
        question: Question,
        objective: Objective,
        domain: Domain | None,
        options: Certified,
        rng: np.random.Generator,
    ) -> None:
        self.question, self.objective, self.domain = question, objective, domain
        self.bounded = bounded.of(question)
        self.reach = self.bounded.reach
        problem = self._problem()
        most_open = int(options.memory * 1e6 / _size_of_box(problem.model, len(question.space.inputs)))
        self.search = Search(problem, max(most_open, 1000))
        self.starts, self.drawn = options.starts, int(rng.integers(2**31))

    def _problem(self) -> Problem:
        """Return what is asked, as the search sees it."""
        space, objective, parts = self.question.space, self.objective, (self.question.formulas, self.reach)
        if isinstance(objective, Pareto):
            front = TradeOff(space, objective, *parts)
            return FrontProblem(space, self._model(front, space), front, self.outputs)
        goal: Goal
        if (near := getattr(objective, "near", None)) is not None:
            values, widths, zero_one = near.numbers
            distance = Terms(np.zeros(len(values)), np.where(zero_one, 1.0, 1 / widths), values, zero_one)
            goal = Nearest(space, objective, *parts, distance)
        else:
            refuse_unknown_loss(objective)
            goal = Least(space, objective, *parts)
        return Problem(space, self._model(goal, space), goal, self.loss)

    def _model(self, goal: Goal, space: Space) -> BoxModel:
        model = self.bounded.boxes(space, goal.sides)
        return model if self.domain is None else Guarded(model, self.domain)

    def any_point(self, space: Space, limits: tuple[Limit, ...]) -> Search:
        """Return a search for any point of a space that keeps limits."""
        objective = replace(self.objective, limits=limits)
        goal = AnyPoint(space, objective, self.question.formulas, self.reach)

        def loss(X: np.ndarray) -> np.ndarray:
            return np.where(objective.violation(self._predicted(X)) == 0, 0.0, np.inf)

        return Search(Problem(space, self._model(goal, space), goal, loss))

    def _predicted(self, X: np.ndarray) -> np.ndarray:
        Y = self.bounded.predict(X)
        return self.question.formulas.extended(X, Y) if self.question.formulas else Y

    def outputs(self, X: np.ndarray) -> np.ndarray:
        """Return all outputs at points (n, d), NaN where a limit is missed or a point is out of the domain (n, m)."""
        Y = self._predicted(X)
        return np.where(self._counts(X, Y)[:, None], Y, np.nan)

    def loss(self, X: np.ndarray) -> np.ndarray:
        """Return the loss at points (n, d), infinite where there is none that counts; the distance from a reference,
        where the objective has one."""
        Y, near = self._predicted(X), getattr(self.objective, "near", None)
        loss = self.objective.loss(Y) if near is None else near.distance(X)
        return np.where(self._counts(X, Y) & ~np.isnan(loss), loss, np.inf)

    def _counts(self, X: np.ndarray, Y: np.ndarray) -> np.ndarray:
        """Return which points (n, d) with outputs (n, m) keep the limits and lie in the domain (n,)."""
        kept = self.objective.violation(Y) == 0
        return kept if self.domain is None else kept & self.domain.holds(X)

    def without_point(self, closed: bool) -> str:
        """Return whether the objective can be met where no point was found."""
        return "no" if closed and self.domain is None else "undecided"

    def begin(self, state: Path | None, part: tuple[int, int]) -> None:
        """Take up the search where it was left, or offer it its first points."""
        # A local search from a part's box may end in another part, of which this one's bounds say nothing.
        self.descends = part[1] == 1
        near = getattr(self.objective, "near", None)
        self.later = self.descends and not near and not isinstance(self.objective, Pareto)
        if resumed(state, self.search.resume):
            return
        own = self._started(min(AT_FIRST, self.starts) if self.later else self.starts)
        X = np.concatenate([self.question.X, own])
        if near:
            X = np.concatenate([X, self.bounded.nearer(near, self.loss, X)])
        self.search.offer(X if self.domain is None else np.concatenate([X, self.domain.pulled(own)]))
        self.search.keep_share(*part)

    def _started(self, n: int) -> np.ndarray:
        """Return points to begin from (k, d)."""
        rng = np.random.default_rng(self.drawn)
        return _evolved(self.question, n, rng) if isinstance(self.objective, Pareto) else self.bounded.starts(n, rng)

    def improve(self, search: Search) -> np.ndarray:
        """Return a valid point near the middle of the next box, none where it takes too long to find; and, where the
        search goes on for long, where all of its starts lead."""
        X = self._near(search.middle())
        if self.later and search.batches == LATE:
            X = np.concatenate([self._started(self.starts), X])
        return X if self.domain is None else self.domain.pulled(X)

    def _near(self, middle: np.ndarray | None) -> np.ndarray:
        """Return valid points near one (d,): none or more (k, d)."""
        none = np.empty((0, len(self.question.space.inputs)))
        if middle is None:
            return none
        try:
            X = np.asarray(polytope.repair(self.question.space, middle[None])[0])
        except StudyError:
            return none
        return self.bounded.descended(X) if self.descends else X


def excluded(question: Question, options: Certified, rng: np.random.Generator) -> str:
    """Say which conditions exclude each other where no input meets all of them."""
    hunt = Hunt(question, question.objective, None, options, rng)
    found = conflict(question.space, question.objective.limits, hunt.any_point, options.boxes)
    named = [c.words() if isinstance(c, Limit) else str(c) for c in found]
    if len(named) == 1:
        return f"none within the bounds has {named[0]}"
    return f"these exclude each other: {'; '.join(named)}" if named else ""


def prove_front(question: Question, domain: Domain | None, options: Certified, context: SearchContext) -> Answer:
    """Return the points of a trade-off's front that were found, with what is proven of it."""
    wanted = question.objective
    assert isinstance(wanted, Pareto)
    hunt = Hunt(question, wanted, domain, options, context.rng)
    hunt.begin(context.state, context.share)
    gap = max(float(options.gap), wanted.tolerance[0])
    boxes = -(-options.boxes // context.share[1])
    found = front(hunt.search, boxes, gap, options.seconds, context.state, context.report)
    X = found.points[np.argsort(wanted.ranking(question.outputs(found.points)), kind="stable")[:MOST_ROWS]]
    corners = wanted.outputs_at(found.corners)
    certificate = Certificate(
        bound=float(np.min(wanted.loss_of(corners, wanted.goal), initial=np.inf)),
        loss=float(np.min(wanted.loss(question.outputs(X)), initial=np.inf)),
        closed=found.stopped == "closed",
        stopped=found.stopped,
        boxes=hunt.search.boxes,
        open_boxes=hunt.search.open,
        feasible="yes" if len(X) else hunt.without_point(found.stopped == "closed"),
        limited=domain is not None,
        front=corners.tolist(),
    )
    words = front_words(certificate, found.bound, found.volume)
    spent = shared(hunt.search.boxes, len(X))
    return Answer(X, spent, ["ok"] * len(X), [words] * len(X), certificate=certificate)


def together(question: Question, certificate: Certificate, answers: Sequence[Answer]) -> Answer:
    """Return the front that the parts of a search make: each has proven its share of the space against its own."""
    wanted = question.objective
    assert isinstance(wanted, Pareto)
    X = np.concatenate([a.X[~np.isnan(a.X).any(axis=1)] for a in answers])
    Y = question.outputs(X)
    best = np.flatnonzero(wanted.best(Y))
    # Of equal outputs the first.
    best = best[np.sort(np.unique(wanted.shares(Y[best]), axis=0, return_index=True)[1])]
    X = X[best[np.argsort(wanted.ranking(Y[best]), kind="stable")][:MOST_ROWS]]
    corners = np.concatenate(
        [np.array(a.certificate["front"], float).reshape(-1, len(wanted.columns)) for a in answers]
    )
    shares = wanted.shares_of(corners)
    kept = fronts.undominated(shares)
    certificate["front"] = corners[kept].tolist()
    lacks = fronts.hypervolume(shares[kept]), fronts.hypervolume(wanted.shares(question.outputs(X)))
    words = front_words(certificate, *lacks)
    return Answer(X, shared(certificate["boxes"], len(X)), ["ok"] * len(X), [words] * len(X), certificate=certificate)


def shared(total: int, n: int) -> list[int]:
    """Return a number as n whole ones that are about equal."""
    return [total // n + (k < total % n) for k in range(n)]


def front_words(certificate: Certificate, bound: float, volume: float) -> str:
    """Say what has been proven of a front."""
    work = f"{certificate['boxes']} boxes"
    if certificate["closed"]:
        return f"proven front of the surrogate, to rounding ({work})"
    why = {"gap": "", "boxes": "stopped at its limit of boxes: ", "seconds": "stopped by the clock, not reproducible: "}
    lacks = f"at most {digits.number(max(bound - volume, 0.0))} of hypervolume {digits.number(volume)}"
    return f"{why[certificate['stopped']]}proven to lack {lacks} ({work})"


def _size_of_box(model: BoxModel, d: int) -> int:
    """Return the bytes that an open box takes."""
    return 16 * d + model.fresh(1).nbytes + 8 * len(model.sides) + OF_AN_ENTRY


def _evolved(question: Question, starts: int, rng: np.random.Generator) -> np.ndarray:
    """Return a front to begin from (k, d), by NSGA-II; none where it takes too long to find any."""
    options = Nsga2(evaluations=min(EVOLVED * starts, MOST_EVOLVED))
    try:
        return nsga2.invert(question, options, SearchContext(rng)).X
    except StudyError:
        return np.empty((0, len(question.space.inputs)))
