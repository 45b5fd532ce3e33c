"""Inverter `certified`: the best input of a model with a proof, or a proof that there is none.

A local search gives a first point, branch and bound proves it the best or finds a better one. At its limit the search
says how far from the optimum the point can be at most. Trees are searched on their cells, or with more conditions on
boxes; other models on boxes, where they have a form that is bounded there (`exact.bounding`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from preimage.core import polytope
from preimage.core.certificates import Certificate, verdict
from preimage.core.objective import Objective, Pareto, Target, Within
from preimage.inversion import proving
from preimage.inversion.coordinate import startpoints
from preimage.inversion.kinds.certified import Certified
from preimage.inversion.question import Answer, Question, SearchContext
from preimage.support import digits
from preimage.support.resume_state import resumed
from preimage.trees.boxes import Trees, build, build_together
from preimage.trees.branch_and_bound import FIRST, Search, run
from preimage.trees.domain import Domain, Isolation, Near, isolation
from preimage.trees.line_search import descend, lines
from preimage.trees.objective import UNIT, largest_outputs, reduce

# Bytes of an open box beside its arrays: the place in the queue.
OF_AN_ENTRY = 200
# Of the reasons to stop that the parts of a search give, the first of these is that of the whole.
STOPPED = ("seconds", "boxes", "unsure", "gap", "closed")


def invert(question: Question, options: Certified, context: SearchContext) -> Answer:
    """Return the best point found, with a certificate of it.

    A target of several outputs may be met at another point than the one of least loss: where the first search leaves
    that open, a second one asks it, and where it finds such a point that is a row too.

    Raises StudyError where no point satisfies the constraints.
    """
    polytope.check_feasible(question.space)
    levels = np.array([len(i.categories) for i in question.space.inputs])
    most = options.isolation
    common = isolation(question.X, float(most), _seed(context.rng), levels) if most else None
    if isinstance(question.objective, Pareto):
        answer = proving.prove_front(question, _domain(question, options, common, None), options, context)
        return _front(question, common, answer, options, context.part is None)
    found = _search(question, question.objective, common, options, context)
    if np.isnan(found.x).any():
        nothing = _nothing(found.certificate, len(question.space.inputs), question.objective, options)
        # A part of a search hands on what it has proven.
        return nothing if context.part else _told(nothing, question, options)
    certificates, X = [found.certificate], [found.x]
    wanted = question.objective
    if isinstance(wanted, Target) and len(wanted.columns) > 1 and found.certificate["feasible"] == "undecided":
        second = _search(question, _as_interval(wanted), common, options, replace(context, state=None))
        if wanted.met(question.outputs(second.x[None]))[0]:
            X.append(second.x)
            found.certificate["feasible"] = "yes"
        elif second.certificate["feasible"] == "no":
            found.certificate["feasible"] = "no"
        certificates.append(second.certificate)
    n = len(X)
    _check_arrays(question, np.array(X))
    if common is not None:
        common.check(np.array(X))
    return Answer(
        np.array(X),
        [c["boxes"] for c in certificates[:n]],
        ["ok"] * n,
        [_where(options) + _words(wanted, c, question.trees is not None) for c in certificates[:n]],
        certificate=found.certificate,
    )


def _check_arrays(question: Question, X: np.ndarray) -> None:
    """Raise RuntimeError where the arrays that were searched are not the model itself: nothing would be proven. What
    bounds a form of another model is asked at the model's own predictions."""
    if question.trees is None:
        return
    searched = question.trees.predict(X)
    said = question.outputs(X)[:, : searched.shape[1]]
    if not np.array_equal(searched, said):
        raise RuntimeError(f"the model's own prediction {said.tolist()} is not that of its trees {searched.tolist()}")


def _front(question: Question, common: Isolation | None, answer: Answer, options: Certified, whole: bool) -> Answer:
    """Return the answer for a front: checked, and a row that says so where it has no point."""
    if not len(answer.X):
        nothing = _nothing(answer.certificate, answer.X.shape[1], question.objective, options)
        return _told(nothing, question, options) if whole else nothing
    _check_arrays(question, answer.X)
    if common is not None:
        common.check(answer.X)
    return replace(answer, message=[_where(options) + said for said in answer.message])


def _told(nothing: Answer, question: Question, options: Certified) -> Answer:
    """Return the answer of a whole search without a point: there is no bound to tell of either, but that there is none,
    and why."""
    if nothing.certificate["feasible"] != "no":
        return replace(nothing, certificate=None)
    why = proving.excluded(question, options, np.random.default_rng(0))
    return replace(nothing, message=[f"{said}; {why}" if why else said for said in nothing.message])


class _Found:
    def __init__(self, x: np.ndarray, certificate: Certificate) -> None:
        self.x, self.certificate = x, certificate


def _search(
    question: Question,
    objective: Objective,
    common: Isolation | None,
    options: Certified,
    context: SearchContext,
) -> _Found:
    hunt: _Hunt | proving.Hunt
    if proving.is_plain(question, objective):
        hunt = _Hunt(question, objective, common, options, context)
    else:
        hunt = proving.Hunt(question, objective, _domain(question, options, common, None), options, context.rng)
    search, parts = hunt.search, context.share[1]
    hunt.begin(context.state, context.share)
    stopped = run(
        search,
        -(-options.boxes // parts),
        float(options.gap),
        _rounding(question, objective),
        options.seconds,
        hunt.improve,
        context.state,
        context.report,
    )
    found = np.isfinite(search.x).all()
    met = found and bool(objective.met(question.outputs(search.x[None]), search.loss)[0])
    low = search.bound
    certificate = Certificate(
        bound=low,
        loss=search.loss,
        closed=stopped == "closed",
        stopped=stopped,
        boxes=search.boxes,
        open_boxes=search.open,
        feasible=verdict(objective, low, met) if found else hunt.without_point(stopped == "closed"),
        limited=hunt.domain is not None,
    )
    return _Found(search.x, certificate)


class _Hunt:
    """A branch and bound, and the line search that finds it points: from the first of its starts before it begins, from
    the others where it goes on for long, and from the middle of the next box now and then."""

    def __init__(
        self,
        question: Question,
        objective: Objective,
        common: Isolation | None,
        options: Certified,
        context: SearchContext,
    ) -> None:
        space, rng = question.space, context.rng
        self.wanted, channels = reduce(objective, question.trees)
        if common is None:
            grid, self.trees = build(question.trees, space, channels)
            paths = None
        else:
            grid, (self.trees, paths) = build_together(
                [question.trees, common.paths], space, [channels, common.channels]
            )
        self.domain = _domain(question, options, common, paths)
        self.grid, self.space = grid, space
        self.lines = lines(space, rng)
        self.starts = startpoints(question, options.starts, rng)
        size_of_box = 8 * len(space.inputs) + 4 * self.trees.score.shape[0] * len(self.trees.roots) + OF_AN_ENTRY
        most_open = max(int(options.memory * 1e6 / size_of_box), 1000)
        self.search = Search(
            space,
            grid,
            self.trees,
            self.wanted,
            lambda X: objective.loss(question.trees.predict(X)),
            most_open,
            domain=self.domain,
        )

    def without_point(self, closed: bool) -> str:
        """Return whether the objective can be met where no point was found: what lies elsewhere is not known."""
        return "undecided"

    def begin(self, state: Path | None, part: tuple[int, int]) -> None:
        """Take up the search where it was left, or offer it its first points."""
        if resumed(state, self.search.resume):
            return
        X = self._descended(self.starts[: proving.AT_FIRST])
        self.search.offer(X if self.domain is None else self.domain.offers(X))
        self.search.keep_share(*part)

    def improve(self, search: Search) -> np.ndarray:
        """Return points that may be better than what the search has."""
        middle = search.middle()
        X = np.empty((0, len(self.starts[0]))) if middle is None else middle[None]
        if search.batches == FIRST:
            X = np.concatenate([self.starts[proving.AT_FIRST :], X])
        X = self._descended(X)
        return X if self.domain is None else self.domain.pulled(X)

    def _descended(self, X: np.ndarray) -> np.ndarray:
        ends, _ = descend(self.grid, self.trees, self.wanted, self.space, self.lines, X, np.random.default_rng(0))
        return np.asarray(polytope.repair(self.space, ends)[0])


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _domain(question: Question, options: Certified, common: Isolation | None, paths: Trees | None) -> Domain | None:
    rows = np.unique(question.X, axis=0) if common or options.distance else np.empty((0, 0))
    near = Near(rows, float(options.distance)) if options.distance else None
    if near is None and common is None:
        return None
    inside = rows[question.space.contains(rows)]
    return Domain(question.space, inside, near, common, paths)


def _rounding(question: Question, objective: Objective) -> float:
    """Return the loss that rounding may make of none: the square of what a mean over the trees is off by."""
    if (
        question.trees is None
        or not objective.bounded
        or getattr(objective, "near", None)
        or max(objective.columns) >= question.trees.values.shape[1]
    ):
        return 0.0
    size = largest_outputs(question.trees, objective.columns)
    off = len(question.trees.roots) * UNIT * size / np.array(objective.scale or [1.0])
    return float((off**2).mean())


def together(question: Question, options: Certified, answers: Sequence[Answer]) -> Answer:
    """Return the answer that the parts of a search make: the best point of all of them, and what they prove.

    Each part has proven its share of the space against a point of its own, so the least of their bounds holds for all.
    """
    parts: list[Certificate] = [a.certificate for a in answers]
    bound, loss = min(c["bound"] for c in parts), min(c["loss"] for c in parts)
    best = answers[[c["loss"] for c in parts].index(loss)]
    said = {c["feasible"] for c in parts}
    closed = all(c["closed"] for c in parts) or bound >= loss
    certificate = Certificate(
        bound=bound,
        loss=loss,
        closed=closed,
        stopped="closed" if closed else next(w for w in STOPPED for c in parts if c["stopped"] == w),
        boxes=sum(c["boxes"] for c in parts),
        open_boxes=sum(c["open_boxes"] for c in parts),
        feasible="yes" if "yes" in said else "no" if said == {"no"} else "undecided",
        limited=parts[0]["limited"],
    )
    if np.isnan(best.X).any():
        return _told(_nothing(certificate, best.X.shape[1], question.objective, options), question, options)
    if isinstance(question.objective, Pareto):
        return proving.together(question, certificate, answers)
    # A second row is a point that meets a target: one is enough.
    second = next((a for a in [best, *answers] if len(a.X) > 1), best)
    X = np.concatenate([best.X[:1], second.X[1:]])
    words = [_where(options) + _words(question.objective, certificate, question.trees is not None), *second.message[1:]]
    spent = [certificate["boxes"], *second.evaluations[1:]]
    return Answer(X, spent, ["ok"] * len(X), words, certificate=certificate)


def _nothing(certificate: Certificate, d: int, objective: Objective, options: Certified) -> Answer:
    """Return the answer where no input in the domain, or within the limits, came up: a row that says so."""
    proven = "proven that no" if certificate["closed"] else "undecided whether any"
    kept = " and ".join(limit.words() for limit in objective.limits)
    asked = " and ".join(filter(None, [_limits(options), kept and f"gives {kept}"]))
    said = f"{proven} input within the bounds and constraints {asked or 'exists'}"
    return Answer(np.full((1, d), np.nan), [certificate["boxes"]], ["no_answer"], [said], certificate=certificate)


def _where(options: Certified) -> str:
    limits = _limits(options)
    return f"where an input {limits}: " if limits else ""


def _limits(options: Certified) -> str:
    """Say where inputs must lie."""
    said = []
    if distance := options.distance:
        said.append(f"lies within {distance:g} of a training row (scaled to [0, 1])")
    if score := options.isolation:
        said.append(f"has an anomaly score of at most {score:g} by an isolation forest of the training rows")
    return " and ".join(said)


def _as_interval(target: Target) -> Within:
    """Return the target as intervals of its tolerance, wider by a rounding, so that meeting it means loss 0."""
    return target.as_interval([4e-16 * (abs(v) + t) for v, t in zip(target.low, target.tolerance, strict=True)])


def _words(objective: Objective, c: Certificate, exact: bool = True) -> str:
    """Say what has been proven; `exact` says whether all that can be left of a gap is rounding."""
    work = f"{c['boxes']} boxes"
    if c["feasible"] == "no":
        return f"proven that no input meets the objective: the loss is at least {digits.down(c['bound'])} ({work})"
    if c["closed"]:
        gap = c["loss"] - c["bound"]
        left = f"{' to rounding' if exact else ''} (within {_above(gap)})" if gap > 0 else ""
        return f"proven optimum of the surrogate{left} ({work})"
    why = {
        "gap": "within the gap asked for",
        "boxes": "stopped at its limit of boxes",
        "seconds": "stopped by the clock, not reproducible",
        "unsure": "stopped at cells in which no valid input was found nor ruled out",
    }[c["stopped"]]
    gap = c["loss"] - c["bound"]
    return f"{why}: loss at least {digits.down(c['bound'], digits.step(gap))}, gap {digits.number(gap)} ({work})"


def _above(size: float) -> str:
    """Say a positive number to one digit, not too small."""
    said = f"{size:.0e}"
    return said if float(said) >= size else f"{size + 0.5 * 10.0 ** np.floor(np.log10(size)):.0e}"
