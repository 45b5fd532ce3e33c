"""The No-U-Turn sampler (Hoffman and Gelman 2014, JMLR 15; with the multinomial draws and the criterion of Betancourt
2017, arXiv:1701.02434): draws from a density of which the logarithm and its gradient are given.

Chains run in lockstep: each is a generator that yields where it wants the gradient, so that one compiled call answers
all of them. During warm-up, all chains together tune one step size and one dense metric, in Stan's windows.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

# Points (n, d) to log densities (n,) and gradients (n, d).
Density = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
# What a chain yields and is sent, and what a part of it returns.
Asking = Generator[np.ndarray, tuple[float, np.ndarray], Any]

MOST_DOUBLINGS = 10
# Acceptance that the step size is tuned for.
ACCEPTANCE = 0.8
# An energy that rises by so much is an integrator that diverged.
DIVERGED = 1000.0
# Warm-up: so many iterations before the first window of the metric, in that window (each later one is twice as long),
# and after the last.
BEFORE, WINDOW, AFTER = 75, 25, 50


class Draws(NamedTuple):
    """Draws (chains, draws, d), the number of them that diverged, and the number of gradients."""

    values: np.ndarray
    diverged: int
    gradients: int


class Point(NamedTuple):
    """Position, momentum, log density and its gradient."""

    q: np.ndarray
    p: np.ndarray
    log_density: float
    gradient: np.ndarray


@dataclass
class Tree:
    """A piece of a trajectory, from its first point in time to its last.

    Attributes:
        proposal: the point that is drawn from it.
        log_weight: the logarithm of the sum of its points' densities.
        momentum: the sum of its points' momenta.
        stopped: whether it turns around or diverged.
        accepted, points: the sum of acceptances, and how many there are.
    """

    first: Point
    last: Point
    proposal: Point
    log_weight: float
    momentum: np.ndarray
    stopped: bool
    diverged: bool
    accepted: float
    points: int


@dataclass
class Chain:
    """What iterations share: step size, metric (the inverse of the mass, d x d), and random numbers."""

    step: float
    metric: np.ndarray
    rng: np.random.Generator

    def begin(self, at: Point) -> tuple[Point, float]:
        """Return a point with a momentum drawn for it, and its energy."""
        p = np.linalg.solve(np.linalg.cholesky(self.metric).T, self.rng.standard_normal(len(at.q)))
        start = at._replace(p=p)
        return start, self.energy(start)

    def energy(self, at: Point) -> float:
        return float(0.5 * at.p @ self.metric @ at.p - at.log_density)

    def leap(self, at: Point, way: int) -> Asking:
        """Return the point one step of the leapfrog further."""
        h = way * self.step
        p = at.p + h / 2 * at.gradient
        q = at.q + h * self.metric @ p
        log_density, gradient = yield q
        return Point(q, p + h / 2 * gradient, log_density, gradient)

    def turns(self, momentum: np.ndarray, *ends: Point) -> bool:
        """Whether a trajectory of this sum of momenta turns around between its ends."""
        return any(float(momentum @ self.metric @ end.p) <= 0 for end in ends)

    def joined(self, a: Tree, b: Tree, likely: float) -> Tree:
        """Return two pieces, a before b in time, as one whose proposal is b's with the probability `likely`."""
        momentum = a.momentum + b.momentum
        turning = (
            self.turns(momentum, a.first, b.last)
            or self.turns(a.momentum + b.first.p, a.first, b.first)
            or self.turns(b.momentum + a.last.p, a.last, b.last)
        )
        proposal = b.proposal if self.rng.random() < likely else a.proposal
        weight = float(np.logaddexp(a.log_weight, b.log_weight))
        stopped, diverged = a.stopped or b.stopped or turning, a.diverged or b.diverged
        return Tree(a.first, b.last, proposal, weight, momentum, stopped, diverged, a.accepted + b.accepted,
                    a.points + b.points)  # fmt: skip

    def grown(self, end: Point, way: int, depth: int, energy: float) -> Asking:
        """Return a piece of 2**depth points that goes on from the end of a trajectory, forwards or backwards."""
        if depth == 0:
            at = yield from self.leap(end, way)
            change = energy - self.energy(at)
            change = change if np.isfinite(change) else -np.inf
            bad = change < -DIVERGED
            return Tree(at, at, at, change, at.p, bad, bad, min(1.0, float(np.exp(min(change, 0.0)))), 1)
        near = yield from self.grown(end, way, depth - 1, energy)
        if near.stopped:
            return near
        far = yield from self.grown(near.last if way > 0 else near.first, way, depth - 1, energy)
        share = float(np.exp(far.log_weight - np.logaddexp(near.log_weight, far.log_weight)))
        return self.joined(near, far, share) if way > 0 else self.joined(far, near, 1 - share)

    def iteration(self, at: Point) -> Asking:
        """Return the next point of a chain, its mean acceptance and whether the trajectory diverged."""
        start, energy = self.begin(at)
        tree = Tree(start, start, start, 0.0, start.p, False, False, 0.0, 0)
        for depth in range(MOST_DOUBLINGS):
            way = 1 if self.rng.random() < 0.5 else -1
            more = yield from self.grown(tree.last if way > 0 else tree.first, way, depth, energy)
            if more.stopped:
                tree.accepted, tree.points = tree.accepted + more.accepted, tree.points + more.points
                tree.diverged = more.diverged
                break
            # Biased towards the new half, so that a chain moves on.
            likely = float(np.exp(min(0.0, more.log_weight - tree.log_weight)))
            tree = self.joined(tree, more, likely) if way > 0 else self.joined(more, tree, 1 - likely)
            if tree.stopped:
                break
        return tree.proposal, tree.accepted / max(tree.points, 1), tree.diverged


class StepSize:
    """Dual averaging (Nesterov 2009) of the step size towards an acceptance."""

    def __init__(self, step: float) -> None:
        self.centre, self.error, self.turn, self.log_mean = np.log(10 * step), 0.0, 0, 0.0
        self.step = step

    def learn(self, acceptance: float) -> None:
        self.turn += 1
        share = 1 / (self.turn + 10)
        self.error = (1 - share) * self.error + share * (ACCEPTANCE - acceptance)
        log_step = self.centre - np.sqrt(self.turn) / 0.05 * self.error
        weight = self.turn**-0.75
        self.log_mean = weight * log_step + (1 - weight) * self.log_mean
        self.step = float(np.exp(log_step))

    @property
    def mean(self) -> float:
        return float(np.exp(self.log_mean)) if self.turn else self.step


def sample(
    density: Density,
    starts: np.ndarray,
    draws: int,
    warm_up: int,
    rng: np.random.Generator,
    metric: np.ndarray | None = None,
) -> Draws:
    """Return draws from a density.

    Args:
        starts: where chains begin (chains, d), at a density above 0.
        draws, warm_up: iterations of every chain that are kept, and before those.
        metric: about the covariance (d, d) of what is drawn, to begin with.
    """
    spent = 0

    def counted(Q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nonlocal spent
        spent += len(Q)
        return density(Q)

    log_density, gradient = counted(starts)
    at = [Point(q, 0 * q, float(f), g) for q, f, g in zip(starts, log_density, gradient, strict=True)]
    metric = np.eye(starts.shape[1]) if metric is None else metric
    chains = [Chain(1.0, metric, r) for r in rng.spawn(len(starts))]
    ends, window = _windows(warm_up), list[np.ndarray]()
    size = StepSize(_first_step(counted, at, chains))
    kept, diverged = [], 0
    for turn in range(warm_up + draws):
        for chain in chains:
            chain.step = size.step if turn < warm_up else size.mean
        results = _together([c.iteration(a) for c, a in zip(chains, at, strict=True)], counted)
        at = [point for point, _, _ in results]
        if turn >= warm_up:
            kept.append([a.q for a in at])
            diverged += sum(bad for _, _, bad in results)
            continue
        size.learn(float(np.mean([accepted for _, accepted, _ in results])))
        if BEFORE <= turn < warm_up - AFTER:
            window.append(np.array([a.q for a in at]))
        if turn + 1 in ends:
            metric = _metric(np.concatenate(window))
            window = []
            for chain in chains:
                chain.metric = metric
            size = StepSize(_first_step(counted, at, chains))
    return Draws(np.swapaxes(np.array(kept), 0, 1), diverged, spent)


def _together(chains: Sequence[Asking], density: Density) -> list[Any]:
    """Return what generators return that ask for densities, all of them answered in one call."""
    found: list[Any] = [None] * len(chains)
    asked = {k: next(chain) for k, chain in enumerate(chains)}
    while asked:
        who = list(asked)
        # One shape for the compiled program: those that have ended ask along.
        log_density, gradient = density(np.array([asked.get(k, asked[who[0]]) for k in range(len(chains))]))
        for k in who:
            try:
                asked[k] = chains[k].send((float(log_density[k]), gradient[k]))
            except StopIteration as end:
                found[k] = end.value
                del asked[k]
    return found


def _windows(warm_up: int) -> set[int]:
    """Return after how many iterations the metric is estimated anew: each window twice as long as the one before, the
    last one as long as there is room."""
    end, length, found = BEFORE, WINDOW, set[int]()
    last = warm_up - AFTER
    while end + length <= last:
        end += length if end + 3 * length <= last else last - end
        found.add(end)
        length *= 2
    return found


def _metric(points: np.ndarray) -> np.ndarray:
    """Return the covariance of points (n, d), shrunk towards its diagonal as much as there are few of them."""
    n, d = points.shape
    covariance = np.cov(points.T).reshape(d, d)
    share = n / (n + 5.0 + d)
    return share * covariance + (1 - share) * np.diag(np.diag(covariance)) + 1e-12 * np.eye(d)


def _first_step(density: Density, at: Sequence[Point], chains: Sequence[Chain]) -> float:
    """Return a step size about as large as all chains together accept (Hoffman and Gelman 2014, algorithm 4)."""
    step, way = 1.0, 0
    for _ in range(50):
        for chain in chains:
            chain.step = step
        begun = [chain.begin(a) for chain, a in zip(chains, at, strict=True)]
        ended = _together([c.leap(b, 1) for c, (b, _) in zip(chains, begun, strict=True)], density)
        changes = [e - c.energy(a) for c, a, (_, e) in zip(chains, ended, begun, strict=True)]
        change = float(np.median(np.nan_to_num(changes, nan=-np.inf)))
        now = 1 if change > np.log(0.8) else -1
        if way and now != way:
            break
        way, step = now, step * 2.0**now
    return step
