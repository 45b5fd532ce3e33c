"""Inverter `certified`: the best input of a forest with a proof, or a proof that there is none.

The line search gives a first point, branch and bound proves it the best or finds a better one. At its limit the search
says how far from the optimum the point can be at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from preimage import polytope
from preimage.evidence.certificates import Certificate, verdict
from preimage.inversion import Answer, Question
from preimage.inversion.coordinate import startpoints
from preimage.inversion.forest_boxes import build
from preimage.inversion.forest_branch_and_bound import Search, run
from preimage.inversion.forest_constraints import Near
from preimage.inversion.forest_line_search import descend, lines
from preimage.inversion.forest_objective import UNIT, largest_outputs, reduce
from preimage.objective import Objective

# Bytes of an open box beside its arrays: the place in the queue.
OF_AN_ENTRY = 200
# Of the reasons to stop that the parts of a search give, the first of these is that of the whole.
STOPPED = ("seconds", "boxes", "unsure", "gap", "closed")


def invert(
    question: Question,
    options: Mapping[str, Any],
    rng: np.random.Generator,
    state: Path | None,
    report: Callable[..., None] | None,
) -> Answer:
    """Return the best point found, with a certificate of it.

    A target of several outputs may be met at another point than the one of least loss: where the first search leaves
    that open, a second one asks it, and where it finds such a point that is a row too.

    Raises StudyError where no point satisfies the constraints.
    """
    polytope.check_feasible(question.space)
    near = Near(np.unique(question.X, axis=0), float(options["distance"])) if options.get("distance") else None
    found = _search(question, question.objective, near, options, rng, state, report)
    if np.isnan(found.x).any():
        nothing = _nothing(found.certificate, len(question.space.inputs), float(options["distance"]))
        # A part of a search hands on what it has proven; where there is no point, there is no bound to tell of either.
        return nothing if "part" in options else replace(nothing, certificate=None)
    certificates, X = [found.certificate], [found.x]
    wanted = question.objective
    if wanted.kind == "target" and len(wanted.columns) > 1 and found.certificate["feasible"] == "undecided":
        second = _search(question, _as_interval(wanted), near, options, rng, None, report)
        if wanted.met(question.outputs(second.x[None]))[0]:
            X.append(second.x)
            found.certificate["feasible"] = "yes"
        elif second.certificate["feasible"] == "no":
            found.certificate["feasible"] = "no"
        certificates.append(second.certificate)
    n = len(X)
    _check_arrays(question, np.array(X))
    return Answer(
        np.array(X),
        [c["boxes"] for c in certificates[:n]],
        ["ok"] * n,
        [_where(options.get("distance")) + _words(wanted, c) for c in certificates[:n]],
        certificate=found.certificate,
    )


def _check_arrays(question: Question, X: np.ndarray) -> None:
    """Raise RuntimeError where the arrays that were searched are not the model itself: nothing would be proven."""
    searched, said = question.trees.predict(X), question.outputs(X)
    if not np.array_equal(searched, said):
        raise RuntimeError(f"the model's own prediction {said.tolist()} is not that of its trees {searched.tolist()}")


class _Found:
    def __init__(self, x: np.ndarray, certificate: Certificate) -> None:
        self.x, self.certificate = x, certificate


def _search(
    question: Question,
    objective: Objective,
    near: Near | None,
    options: Mapping[str, Any],
    rng: np.random.Generator,
    state: Path | None,
    report: Callable[..., None] | None,
) -> _Found:
    space, (part, parts) = question.space, options.get("part", (0, 1))
    wanted, channels = reduce(objective, question.trees)
    grid, trees = build(question.trees, space, channels)
    directions = lines(space, rng)

    def improve(x: np.ndarray) -> np.ndarray:
        X, _ = descend(grid, trees, wanted, space, directions, x[None], np.random.default_rng(0))
        return np.asarray((near.pulled(space, X) if near else X)[0])

    size_of_box = 8 * len(space.inputs) + 4 * trees.score.shape[0] * len(trees.roots) + OF_AN_ENTRY
    most_open = int(options["memory"] * 1e6 / size_of_box)
    search = Search(
        space,
        grid,
        trees,
        wanted,
        lambda X: objective.loss(question.trees.predict(X)),
        max(most_open, 1000),
        near=near,
    )
    # Before a resume too: it advances the generator as the first time.
    starts, _ = descend(grid, trees, wanted, space, directions, startpoints(question, int(options["starts"]), rng), rng)
    starts, _ = polytope.repair(space, starts)
    if state is not None and state.exists():
        search.resume(state)
    else:
        search.offer(starts if near is None else np.concatenate([near.pulled(space, starts), near.data]))
        search.keep_share(part, parts)
    # What a mean over the trees is off by through rounding; a loss smaller than its square is as good as none.
    size = largest_outputs(question.trees, objective.columns)
    off = len(question.trees.roots) * UNIT * size / np.array(objective.scale or [1.0])
    rounding = float((off**2).mean()) if objective.bounded else 0.0
    stopped = run(
        search,
        -(-int(options["boxes"]) // parts),
        float(options["gap"]),
        rounding,
        options.get("seconds"),
        improve,
        state,
        report,
    )
    met = np.isfinite(search.x).all() and bool(objective.met(question.trees.predict(search.x[None]), search.loss)[0])
    low = search.bound
    certificate = Certificate(
        bound=low,
        loss=search.loss,
        closed=stopped == "closed",
        stopped=stopped,
        boxes=search.boxes,
        open_boxes=search.open,
        feasible=verdict(objective, low, met) if np.isfinite(search.x).all() else "undecided",
        limited=near is not None,
    )
    return _Found(search.x, certificate)


def together(question: Question, options: Mapping[str, Any], answers: Sequence[Answer]) -> Answer:
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
        return replace(_nothing(certificate, best.X.shape[1], float(options["distance"])), certificate=None)
    # A second row is a point that meets a target: one is enough.
    second = next((a for a in [best, *answers] if len(a.X) > 1), best)
    X = np.concatenate([best.X[:1], second.X[1:]])
    near = _where(options.get("distance"))
    words = [near + _words(question.objective, certificate), *second.message[1:]]
    spent = [certificate["boxes"], *second.evaluations[1:]]
    return Answer(X, spent, ["ok"] * len(X), words, certificate=certificate)


def _nothing(certificate: Certificate, d: int, distance: float) -> Answer:
    """Return the answer where no input near the data came up: a row that says so."""
    proven = "proven that no" if certificate["closed"] else "undecided whether any"
    said = f"{proven} input within the bounds and constraints lies within {distance:g} of a training row"
    return Answer(np.full((1, d), np.nan), [certificate["boxes"]], ["no_answer"], [said], certificate=certificate)


def _where(distance: float | None) -> str:
    return "" if not distance else f"among inputs within {distance:g} of a training row (scaled to [0, 1]): "


def _as_interval(target: Objective) -> Objective:
    """Return the target as intervals of its tolerance, wider by a rounding, so that meeting it means loss 0."""
    slack = [target.tolerance + 4e-16 * (abs(v) + target.tolerance) for v in target.low]
    low = tuple(v - s for v, s in zip(target.low, slack, strict=True))
    high = tuple(v + s for v, s in zip(target.high, slack, strict=True))
    return replace(target, kind="within", low=low, high=high)


def _words(objective: Objective, c: Certificate) -> str:
    """Say what has been proven."""
    work = f"{c['boxes']} boxes"
    if c["feasible"] == "no":
        return f"proven that no input meets the objective: the loss is at least {c['bound']:.6g} ({work})"
    if c["closed"]:
        return f"proven optimum of the surrogate ({work})"
    why = {
        "gap": "within the gap asked for",
        "boxes": "stopped at its limit of boxes",
        "seconds": "stopped by the clock, not reproducible",
        "unsure": "stopped at slivers between constraints too thin for the solver",
    }[c["stopped"]]
    return f"{why}: loss at least {c['bound']:.6g}, gap {c['loss'] - c['bound']:.3g} ({work})"
