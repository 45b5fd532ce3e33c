"""Rows of likelihood-free inference: ALFI and what it is made of, against maximum likelihood where the likelihood is
known, and against the best that a Gaussian can do.

All methods see the same fresh problems, which none trained on. Densities are those of the answers, truncated to the
prior's support (and where it is said those of whole Gaussians, from networks that were trained so), per unit of
parameters whose prior has sd 1; an answer's 90 % region is that of highest density.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy import stats

from preimage.benchmarks.timing import row
from preimage.inference import observations
from preimage.inference.answer import Estimate, Task
from preimage.inference.base import InferenceMethod
from preimage.inference.checks import coverage
from preimage.inference.kinds.alfi import Alfi
from preimage.inference.methods.amortised import Amortised
from preimage.inference.methods.proposal import log_slopes
from preimage.inference.simulators import loading
from preimage.inference.simulators.built_in import collider
from preimage.support.jax_setup import use_one_thread
from preimage.support.rng import generator

SIZE, PROBLEMS = 500, 3000
# The forms of the ablation; none of them is judged.
ABLATION: dict[str, dict[str, Any]] = {
    "plain ALFI": {"kind": "alfi", "refine": False},
    "refined ALFI, simulated features zeroed": {"kind": "alfi", "simulated": False},
    "refined ALFI, learned features only": {"kind": "alfi", "features": "learned"},
    "refined ALFI, pooled statistics only": {"kind": "alfi", "features": "pooled"},
    "one-shot": {"kind": "one_shot"},
}
# What searches anew for each set, on every so many of the problems.
SEARCHES, EVERY = ("nes", "avo"), 60
# What is recommended beside refined ALFI on the two above: simulator, samples of a set, and method; and how many
# problems tell how often its 90 % regions hold the truth.
RECOMMENDED: list[tuple[str, int, dict[str, Any]]] = [
    ("gaussian", 100, {"kind": "alfi", "simulations": 2e7}),
    ("linear_regression", 200, {"kind": "alfi", "simulations": 2e7}),
    ("multi_distribution", 200, {"kind": "alfi", "simulations": 2e7}),
    ("lotka_volterra", 5, {"kind": "npe", "simulations": 50_000, "updates": 2000, "draws": 300}),
]
JUDGED, MOST_OFF = 1000, 0.03
MOST_MISSED = 0.52


class Whole(Alfi):
    """Whole Gaussians, of which part may lie outside of the prior: what the best possible Gaussian is compared with."""

    truncated: ClassVar[bool] = False

    @classmethod
    def computing(cls) -> ModuleType:
        return Alfi.computing()


class Problems(NamedTuple):
    """Sets x (problems, n, D) of parameters theta (problems, d)."""

    task: Task
    theta: np.ndarray
    x: np.ndarray


class Score(NamedTuple):
    """Of a method on problems.

    Attributes:
        rmse: of the means of answers, in the unit of the parameters, (d,).
        missed: mean -log q at the truth.
        coverage: of the 90 % region.
        cpu: seconds of training.
        new: milliseconds of CPU for one more set.
    """

    rmse: np.ndarray
    missed: float
    coverage: float
    cpu: float
    simulations: int
    new: float


def poisson_problems() -> Problems:
    """Parameters evenly over the prior."""
    task = Task(loading.load({"simulator": "poisson"}), SIZE)
    theta = (0.2 + 6.8 * (np.arange(PROBLEMS) + 0.5) / PROBLEMS)[:, None]
    return Problems(task, theta, task.simulator.draw(generator(2026, "poisson"), theta, SIZE))


def collider_problems() -> Problems:
    """Parameters from the prior."""
    task, rng = Task(loading.load({"simulator": "collider"}), SIZE), generator(2026, "collider")
    theta = task.simulator.prior.sample(rng, PROBLEMS)
    return Problems(task, theta, task.simulator.draw(rng, theta, SIZE))


def trained(problems: Problems, options: InferenceMethod, seed: int) -> tuple[Amortised, float]:
    """Return a method of one seed, and the CPU seconds of its training, compilation included."""
    before = _cpu()
    made = options.train(problems.task, generator(seed, options.kind))
    assert isinstance(made, Amortised)
    return made, _cpu() - before


def score(problems: Problems, made: Amortised, cpu: float) -> Score:
    rng, prior, theta = generator(0, "answers"), problems.task.simulator.prior, problems.theta
    answers = made.infer(problems.x, rng)
    units = log_slopes(prior, theta)
    missed = np.array([_missed(a, t) for a, t in zip(answers, theta, strict=True)]) + units
    covered = [_covered(a, t) for a, t in zip(answers, theta, strict=True)]
    means = np.array([a.weights @ a.draws for a in answers])
    made.infer(problems.x[:1], rng)
    before = time.process_time()
    for _ in range(20):
        made.infer(problems.x[:1], rng)
    new = (time.process_time() - before) / 20
    rmse = np.sqrt(((means - theta) ** 2).mean(axis=0))
    return Score(rmse, float(missed.mean()), float(np.mean(covered)), cpu, made.simulations, 1e3 * new)


def _missed(answer: Estimate, theta: np.ndarray) -> float:
    assert answer.log_density is not None
    return -float(answer.log_density(theta[None])[0])


class Gaussians(NamedTuple):
    """Of last proposals where nothing is cut off: mean -log q at the truth, per unit of z; and how often the truth lies
    in the ellipsoid that holds 90 %."""

    missed: float
    coverage: float


def of_gaussians(problems: Problems, made: Amortised) -> Gaussians:
    z, last = problems.task.simulator.prior.to_z(problems.theta), made.paths(problems.x)[-1]
    far = (np.asarray(made.proposals.whitened(last, z)) ** 2).sum(axis=-1)
    missed = -float(np.mean(made.proposals.log_density(last, z)))
    return Gaussians(missed, float(np.mean(far < stats.chi2.ppf(0.9, made.proposals.d))))


def _covered(answer: Estimate, theta: np.ndarray) -> bool:
    """Return whether less than 90 % of the answer is denser than it is at theta."""
    assert answer.log_density is not None
    return bool(answer.weights @ (answer.log_density(answer.draws) > answer.log_density(theta[None])) < 0.9)


def maximum_likelihood(problems: Problems) -> np.ndarray:
    """Return the Poisson's maximum-likelihood answers (problems, 1), moved into the prior's support."""
    return np.log(np.maximum(problems.x.mean(axis=1), 1e-9)).clip(0.2, 7.0)


def exact_asymmetry(problems: Problems) -> np.ndarray:
    """Return the mean (problems,) of the asymmetry, which is what samples of the collider tell, under the exact
    posterior."""
    exact = InferenceMethod.of({"kind": "grid"}).train(problems.task, generator(0, "grid"))
    return np.array([a.weights @ collider.asymmetry(a.draws) for a in exact.infer(problems.x, generator(0, "exact"))])


def rms(errors: np.ndarray) -> float:
    return float(np.sqrt((errors**2).mean()))


def best_gaussian(problems: Problems, cells: int = 101) -> tuple[float, Gaussians]:
    """Return the mean -log q of the exact posterior of the collider on a grid, and the figures of Gaussians of its
    moments."""
    prior = problems.task.simulator.prior
    edge = 3**0.5 * (2 * (np.arange(cells) + 0.5) / cells - 1)
    z = np.stack(np.meshgrid(edge, edge, indexing="ij"), axis=-1).reshape(-1, 2)
    A = collider.asymmetry(np.asarray(prior.from_z(z), dtype=float))
    # The likelihood depends on A alone: computed on a fine line, then looked up.
    line = np.linspace(A.min() - 0.1, A.max() + 0.1, 400)
    at_line = np.stack([(45 + 4.5 * np.arctanh(np.clip(line / 3, -0.99, 0.99))), np.full(400, 1.5)], axis=-1)
    line = collider.asymmetry(at_line)
    exact, moments, far = [], [], []
    log_likelihood = problems.task.simulator.log_likelihood
    assert log_likelihood is not None
    log_cell = np.log((edge[1] - edge[0]) ** 2)
    for x, theta in zip(problems.x, problems.theta, strict=True):
        at = log_likelihood(x, at_line)
        # Far from the truth it is minus infinity, where the density has been cut.
        at = np.maximum(at, at.max() - 1e3)
        logs = np.interp(A, line, at)
        p = np.exp(logs - logs.max())
        whole = np.log(p.sum()) + logs.max() + log_cell
        exact.append(whole - np.interp(collider.asymmetry(theta), line, at))
        p /= p.sum()
        mean = p @ z
        centred = z - mean
        covariance = (centred * p[:, None]).T @ centred
        off = prior.to_z(theta) - mean
        moments.append(-stats.multivariate_normal.logpdf(off, cov=covariance))
        far.append(off @ np.linalg.solve(covariance, off))
    inside = np.array(far) < stats.chi2.ppf(0.9, 2)
    return float(np.mean(exact)), Gaussians(float(np.mean(moments)), float(inside.mean()))


def of_poisson(seeds: int = 3) -> Iterator[dict[str, Any]]:
    problems = poisson_problems()
    peer, name = rms(maximum_likelihood(problems) - problems.theta), "maximum likelihood"
    for seed in range(seeds):
        found = score(problems, *trained(problems, Alfi(), seed))
        what = f"poisson, refined ALFI, training seed {seed}"
        ratio = found.rmse[0] / peer
        yield row(f"{what}: RMSE over that of {name}", ratio, 1.0, name, "", "at most 1.05", ratio <= 1.05)
        yield row(
            f"{what}: mean -log q", found.missed, -4.17, "exact posterior on other problems", "nats", "reported", True
        )
        off = abs(found.coverage - 0.9)
        yield row(
            f"{what}: error of the coverage of the 90 % region", off, 0.0, "nominal", "", f"at most {MOST_OFF}",
            off <= MOST_OFF,
        )  # fmt: skip
        yield from costs(what, found)
    for form, spec in ABLATION.items():
        found = score(problems, *trained(problems, InferenceMethod.of(spec), 0))
        ratio = found.rmse[0] / peer
        yield row(f"poisson, {form}: RMSE over that of {name}", ratio, 1.0, name, "", "reported", True)
        yield row(
            f"poisson, {form}: mean -log q",
            found.missed,
            -4.17,
            "exact posterior on other problems",
            "nats",
            "reported",
            True,
        )
    some = few(problems)
    yield from of_searches("poisson", some, lambda theta: theta[:, 0], maximum_likelihood(some)[:, 0], name)


def few(problems: Problems) -> Problems:
    return Problems(problems.task, problems.theta[::EVERY], problems.x[::EVERY])


def of_searches(
    what: str, some: Problems, quantity: Callable[[np.ndarray], np.ndarray], peer: np.ndarray, name: str
) -> Iterator[dict[str, Any]]:
    """Yield the errors of searches in a quantity of the parameters, beside a peer's answers (problems,), with what each
    search costs."""
    truth = quantity(some.theta)
    for kind in SEARCHES:
        before = _cpu()
        made = InferenceMethod.of({"kind": kind}).train(some.task, generator(0, kind))
        answers = made.infer(some.x, generator(0, f"ask {kind}"))
        cpu = (_cpu() - before) / len(answers)
        found = np.array([a.weights @ quantity(a.draws) for a in answers])
        each = np.median([a.simulations for a in answers])
        cost = f"{each:,.0f} samples and {cpu:.2g} s of CPU a problem, {len(some.x)} problems"
        ratio = rms(found - truth) / rms(peer - truth)
        yield row(f"{what}, {kind}, {cost}: RMSE over that of {name}", ratio, 1.0, name, "", "reported", True)


def of_coverage() -> Iterator[dict[str, Any]]:
    """Yield how far 90 % regions, ellipsoids about the draws, are off on fresh problems."""
    for name, size, spec in RECOMMENDED:
        task, rng = Task(loading.load({"simulator": name}), size), generator(2026, name)
        found = observations.simulated(task.simulator, JUDGED, size, rng)
        answers = InferenceMethod.of(spec).train(task, generator(0, name)).infer(found.x, rng)
        prior = task.simulator.prior
        assert found.theta is not None
        levels = coverage.by_draws(
            prior.to_z(found.theta), [prior.to_z(a.draws) for a in answers], [a.weights for a in answers], rng
        )
        off = abs(coverage.coverage(levels).error)
        what = f"{name}, {spec['kind']}, {JUDGED} problems: error of the coverage of the 90 % region"
        yield row(what, off, 0.0, "nominal", "", f"at most {MOST_OFF}", off <= MOST_OFF)


def of_collider(seeds: int = 3) -> Iterator[dict[str, Any]]:
    problems = collider_problems()
    exact, best = best_gaussian(problems)
    peer = "best Gaussian, not truncated"
    yield row("collider, exact posterior: mean -log q", exact, best.missed, peer, "nats", "reported", True)
    for seed in range(seeds):
        yield from of_whole(problems, best, seed)
    for seed in range(seeds):
        found = score(problems, *trained(problems, Alfi(), seed))
        what = f"collider, refined ALFI, training seed {seed}"
        cut = f"{what}: mean -log q, truncated to the prior"
        yield of_missed(cut, found.missed, best.missed, peer)
        yield of_region(what, found.coverage)
        yield from costs(what, found)
    for form, spec in ABLATION.items():
        found = score(problems, *trained(problems, InferenceMethod.of(spec), 0))
        yield row(f"collider, {form}: mean -log q", found.missed, best.missed, peer, "nats", "reported", True)
    some = few(problems)
    yield from of_searches("collider, A", some, collider.asymmetry, exact_asymmetry(some), "the exact posterior's mean")


def of_whole(problems: Problems, best: Gaussians, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of whole Gaussians; and how often the truth lies in the regions of the answers that are made of
    these by cutting off what lies outside of the prior, which they were not trained for."""
    made, cpu = trained(problems, Whole(passes=3), seed)
    what, peer = f"collider, refined ALFI of whole Gaussians, training seed {seed}", "best Gaussian"
    whole = of_gaussians(problems, made)
    yield of_missed(f"{what}: mean -log q", whole.missed, best.missed, peer)
    yield of_region(what, whole.coverage, best.coverage, peer)
    found = score(problems, made, cpu)
    cut = f"{what}: coverage of the 90 % region after cutting to the prior"
    yield row(cut, found.coverage, 0.9, "nominal", "", "reported", True)
    yield from costs(what, found)


def of_missed(what: str, found: float, best: float, peer: str) -> dict[str, Any]:
    return row(what, found, best, peer, "nats", f"at most {MOST_MISSED}", found <= MOST_MISSED)


def of_region(what: str, found: float, peer: float = 0.9, name: str = "nominal") -> dict[str, Any]:
    good = 0.88 <= found <= 0.92
    return row(f"{what}: coverage of the 90 % region", found, peer, name, "", "0.88 to 0.92", good)


def costs(what: str, found: Score) -> Iterator[dict[str, Any]]:
    limits = (
        ("samples simulated in training", found.simulations, 1e8, ""),
        ("CPU of training", found.cpu, 120.0, "s"),
        (f"CPU of an answer to a new set of {SIZE}", found.new, 10.0, "ms"),
    )
    for name, value, most, unit in limits:
        yield row(f"{what}: {name}", value, most, "limit", unit, f"at most {most:g} {unit}".strip(), value <= most)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


PARTS: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
    "poisson": of_poisson,
    "collider": of_collider,
    "coverage": of_coverage,
}


def measure(part: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of one of PARTS."""
    use_one_thread()
    yield from PARTS[part]()
