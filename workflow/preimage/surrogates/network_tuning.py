"""Which learning rate, layers, activation and batch a network learns best with, by validation loss.

`grid`: learning rates on a logarithmic grid for every design, all trials of a design at once. `hyperopt`: trial after
trial, as the tree-structured Parzen estimator proposes them. A trial's network depends on its setting alone, not on
when or beside which others it was trained: so the estimator's first trials, which don't wait for any loss, are trained
together, and a search that is taken up again ends as one that was never stopped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from preimage.support.files import digest
from preimage.support.progress import ALONE, Report, TrainingContext
from preimage.surrogates.kinds.neural_network import NeuralNetwork, NeuralNetworkTune
from preimage.surrogates.vmapped_training import WIDTHS, Data, Jobs, Network, Trainer


class Design(NamedTuple):
    """What a compiled training program depends on."""

    layers: tuple[int, ...]
    activation: str
    batch: int


class Setting(NamedTuple):
    """What is tuned."""

    design: Design
    rate: float


class Question(NamedTuple):
    """What a search needs: the trainer of a design, the rows (those of fit 0 are used), and the choices.

    Attributes:
        choices: by field of `Design` the values to choose among.
        rates: smallest and largest learning rate.
    """

    trainer: Callable[[Design], Trainer]
    rows: Data
    choices: dict[str, list[Any]]
    rates: tuple[float, float]


def tune(
    options: NeuralNetwork,
    asked: NeuralNetworkTune,
    trainer: Callable[[Design], Trainer],
    rows: Data,
    rng: np.random.Generator,
    context: TrainingContext = ALONE,
) -> tuple[Setting, list[dict[str, Any]]]:
    """Return the setting with the smallest validation loss in the first fit's split, and a row a trial.

    Args:
        options: the surrogate's; what `asked` doesn't list is as these have it.
        context: a hyperopt search keeps its trials; a grid takes seconds to do again.
    """
    choices = {key: getattr(asked, key) or [getattr(options, key)] for key in Design._fields}
    low, high = map(float, asked.learning_rate)
    question = Question(trainer, rows, choices, (low, high))
    if asked.method == "grid":
        trials = _grid(question, asked.evaluations, rng, context.report)
    else:
        trials = _hyperopt(question, asked.evaluations, rng, context)
    best = min(trials, key=lambda trial: trial[1])[0]
    return best, [_row(*trial) for trial in trials]


Trial = tuple[Setting, float, int]


def _row(setting: Setting, loss: float, epochs: int) -> dict[str, Any]:
    design = setting.design
    return {
        "learning_rate": setting.rate,
        "layers": list(design.layers),
        "activation": design.activation,
        "batch": design.batch,
        "validation_loss": loss,
        "epochs": epochs,
        "cross_validated_error": loss,
    }


def _train(
    question: Question,
    design: Design,
    rates: Sequence[float],
    seeds: Sequence[int],
    widths: Sequence[int] = WIDTHS,
    report: Report | None = None,
) -> list[Network]:
    jobs = Jobs(np.array(rates), np.array(seeds, np.uint32), np.zeros(len(rates), int))
    return question.trainer(design).train(question.rows, jobs, report, widths)


# -- grid --------------------------------------------------------------------------------------------------------------


def _grid(question: Question, evaluations: int, rng: np.random.Generator, report: Report | None) -> list[Trial]:
    """Share the evaluations among all designs: the first get one more where they don't divide."""
    designs = [Design(tuple(layers), *rest) for layers, *rest in product(*question.choices.values())]
    seeds = np.split(
        rng.integers(2**32, size=evaluations, dtype=np.uint32),
        np.cumsum([(evaluations + k) // len(designs) for k in range(len(designs) - 1, 0, -1)]),
    )
    trials: list[Trial] = []
    for design, mine in zip(designs, seeds, strict=True):
        rates = grid(*question.rates, len(mine)).tolist()
        found = _train(question, design, rates, mine.tolist(), report=_after(trials, report))
        trials += [(Setting(design, r), n.validation_loss, n.epochs) for r, n in zip(rates, found, strict=True)]
    return trials


def grid(low: float, high: float, count: int) -> np.ndarray:
    """Return learning rates from low to high, evenly spread in their logarithm; the middle where there is only one."""
    return np.geomspace(low, high, count) if count > 1 else np.full(count, math.sqrt(low * high))


def _after(trials: Sequence[Trial], report: Report | None) -> Report | None:
    """Return a report of one design's networks that counts in the trials before."""
    if report is None:
        return None
    count, best = len(trials), min((loss for _, loss, _ in trials), default=math.inf)
    return lambda done, found: report(count + done, min(best, found))


# -- hyperopt ----------------------------------------------------------------------------------------------------------


def _hyperopt(question: Question, evaluations: int, rng: np.random.Generator, context: TrainingContext) -> list[Trial]:
    from preimage.support import tpe

    base = int(rng.integers(2**32))
    space = _space(question)
    first = [_setting(question, values) for values in tpe.first(space, evaluations, rng)]
    known: dict[Setting, Network] = {}

    def evaluate(values: dict[str, float]) -> tuple[float, dict[str, float]]:
        asked = _setting(question, values)
        if asked not in known:
            alike = [s for s in dict.fromkeys([asked, *first]) if s.design == asked.design and s not in known]
            # One program whatever the number: in one of another width, sums are rounded in another order.
            networks = _train(
                question, asked.design, [s.rate for s in alike], [_seed(base, s) for s in alike], WIDTHS[:1]
            )
            known.update(zip(alike, networks, strict=True))
        return known[asked].validation_loss, {"epochs": known[asked].epochs}

    done = tpe.search(space, evaluate, evaluations, rng, context.state, context.report)
    return [
        (_setting(question, t.values), t.loss if math.isfinite(t.loss) else math.inf, int(t.told["epochs"]))
        for t in done
    ]


def _space(question: Question) -> dict[str, Any]:
    """Return hyperopt's expressions of what there is to choose."""
    from hyperopt import hp

    low, high = question.rates
    space = {key: hp.choice(key, list(range(len(v)))) for key, v in question.choices.items() if len(v) > 1}
    if low < high:
        space["learning_rate"] = hp.loguniform("learning_rate", math.log(low), math.log(high))
    return space


def _setting(question: Question, values: Mapping[str, float]) -> Setting:
    """Return the setting of hyperopt's values: the index of a choice, a learning rate."""
    chosen = {key: options[int(values.get(key, 0))] for key, options in question.choices.items()}
    low, high = question.rates
    rate = min(max(values.get("learning_rate", low), low), high)
    return Setting(Design(tuple(chosen["layers"]), chosen["activation"], chosen["batch"]), rate)


def _seed(base: int, setting: Setting) -> int:
    return int(digest([base, setting])[:8], 16)
