"""Rows of recipes under conditions: proofs with limits of outputs and formulas, alone and beside HiGHS on the same
forest, and a mixture with counted ingredients beside TPE, BayBE and BoFire.

Times are of the processor. BayBE and BoFire are in no extra (they bring PyTorch): where they are not installed, their
rows are left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from preimage.benchmarks import forest_program, mixes, recipe_peers
from preimage.benchmarks.forest_program import Sum
from preimage.benchmarks.mixes import TREES
from preimage.benchmarks.timing import row
from preimage.core import objective, polytope
from preimage.core.conditions import Count
from preimage.core.objective import Maximize
from preimage.core.space import Input, Linear, Space
from preimage.inversion import asking
from preimage.inversion.base import Inverter
from preimage.inversion.question import Answer, Question
from preimage.problems.built_in import coating
from preimage.trees.forest import from_sklearn

SECONDS = 60
CHEAPEST = {"minimize": "price", "subject_to": {"strength": {"at_least": 60}}}
BEST = {"maximize": "strength", "subject_to": {"price": {"at_most": 60}}}
# Small forests for HiGHS.
SMALL, LEAVES, CASES = 20, 30, 5
# The least percentage of what may be left out of the coating, and of what may not.
LEAST = {"filler": 2.0, "pigment": 2.0, "plasticiser": 1.0, "solvent": 2.0, "wax": 0.5, "additive": 0.5}
NEEDED = {"resin": 20.0, "hardener": 3.0}
HARDEST = {"maximize": "hardness"}
SPRAYED = {**HARDEST, "subject_to": {"viscosity": {"at_least": 300, "at_most": 900}}}
ROWS, KNOWN, PROPOSALS, TRIALS = 400, 40, 10, 200


def measure() -> Iterator[dict[str, Any]]:
    """Yield the rows of the table."""
    proven(mixes.by_formula(BEST, SMALL, LEAVES, 0))  # compiles
    for name, entry in (("cheapest", CHEAPEST), ("best", BEST)):
        spent, answer = proven(mixes.by_formula(entry))
        proof = answer.certificate
        assert proof is not None
        state = "proven" if proof["closed"] else "open"
        what = f"concrete, {name}: {state} {proof['loss']:.6g}, {proof['boxes']} boxes"
        yield row(what, spent, float("nan"), "none", "s", "1 s", proof["closed"] and spent <= 1)
        yield _beside_highs(name, entry)
    yield from _mixture()


def proven(question: Question) -> tuple[float, Answer]:
    """Return the CPU seconds of a proof, and the answer."""
    return _spent(lambda: ask({"kind": "certified", "boxes": 10**9, "seconds": SECONDS, "memory": 2000}, question))


def ask(options: dict[str, Any], question: Question) -> Answer:
    """Return an inverter's answer."""
    ((answer, _),) = asking.ask(Inverter.of(options), [question], np.random.default_rng(0))
    return answer


def _spent(call: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.process_time()
    found = call()
    return time.process_time() - begun, found


# -- limits and formulas -----------------------------------------------------------------------------------------------


def _beside_highs(name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Return a row: small forests, ours and HiGHS beside it, and in how many the optima differ."""
    ours = theirs = 0.0
    wrong = open_ = 0
    for seed in range(CASES):
        question = mixes.by_formula(entry, SMALL, LEAVES, seed)
        spent, answer = proven(question)
        took, least = _spent(partial(_highs, question))
        ours, theirs = ours + spent, theirs + took
        open_ += least is None
        loss = float(question.loss(answer.X)[0])
        wrong += least is not None and abs(loss - least) > 1e-6 * question.objective.loss_unit
    what = f"{CASES} forests of {SMALL} trees, {name}: {wrong} differ from HiGHS, which leaves {open_} open"
    return row(what, ours, theirs, "HiGHS (scipy.optimize.milp)", "s", "none differs", not wrong)


def _highs(question: Question) -> float | None:
    wanted, prices = question.objective, np.array(mixes.PRICES)
    sums = (Sum(np.zeros(len(prices)), 1.0), Sum(prices, 0.0))
    sign = -1.0 if isinstance(wanted, Maximize) else 1.0
    aim = sums[wanted.columns[0]]
    limits = [(sums[limit.column], limit.low, limit.high) for limit in wanted.limits]
    assert question.trees is not None
    return forest_program.least(
        question.trees, question.space, Sum(sign * aim.slope, sign * aim.weight), limits, SECONDS
    )


# -- a mixture ---------------------------------------------------------------------------------------------------------


def _mixture() -> Iterator[dict[str, Any]]:
    best = 0.0
    for more, entry in ((", viscosity in a band", SPRAYED), ("", HARDEST)):
        question, rows = mixture(entry)
        spent, answer = proven(question)
        proof, best = answer.certificate, -float(question.loss(answer.X)[0])
        assert proof is not None
        state = "proven" if proof["closed"] else "open"
        what = f"mixture of 8, at most 3 of 6, gaps, sum 100{more}: {state} {best:.6g}, {proof['boxes']} boxes"
        yield row(what, spent, float("nan"), "none", "s", "10 s", proof["closed"] and spent <= 10)
    yield _proposals(f"TPE, {TRIALS} trials", question, best, lambda: ask(_tpe(), question).X)
    for name, peer in (("BayBE", recipe_peers.baybe), ("BoFire", recipe_peers.bofire)):
        try:
            yield _proposals(name, question, best, partial(peer, question, rows, PROPOSALS))
        except ImportError:
            continue


def _tpe() -> dict[str, Any]:
    return {"kind": "hyperopt", "evaluations": TRIALS}


def _proposals(name: str, question: Question, best: float, propose: Callable[[], np.ndarray]) -> dict[str, Any]:
    """Return a row: the proven optimum beside the best valid proposal."""
    spent, X = _spent(propose)
    valid = question.space.contains(X)
    value = -float(question.loss(X[valid]).min(initial=np.inf))
    what = f"mixture: hardness, proven beside {name} ({len(X)} proposals, {(~valid).sum()} not valid, {spent:.0f} s)"
    return row(what, best, value, name.partition(",")[0], "N/mm2", "no less than the peer's", best >= value)


def mixture(entry: dict[str, Any]) -> tuple[Question, np.ndarray]:
    """Return a question for coatings of at most three beside resin and hardener, by a forest of 100 trees; and the rows
    that recommenders begin with."""
    from sklearn.ensemble import RandomForestRegressor

    inputs = tuple(
        Input(name, NEEDED.get(name, 0.0), high, zero_or=LEAST.get(name)) for name, high in coating.HIGHEST.items()
    )
    whole = Linear(tuple((name, 1.0) for name in coating.HIGHEST), 100.0, 100.0)
    space = Space(inputs, (whole,), (Count(tuple(LEAST), 0, 3, (0.0,) * len(LEAST)),))
    X = polytope.sample(space, ROWS, np.random.default_rng(0))
    names = ["hardness", "viscosity"][: 1 + ("subject_to" in entry)]
    Y = coating.simulate(X)[:, : len(names)]
    forest = from_sklearn(RandomForestRegressor(TREES, random_state=0).fit(X, Y if len(names) > 1 else Y[:, 0]))
    wanted = objective.build("o", entry, names, Y.std(axis=0), np.ptp(Y, axis=0), Y)
    question = Question(space, wanted, forest.predict, X, Y, np.arange(len(X)), trees=forest)
    # The softest: a recommender that began with the best would have nothing to find.
    return question, X[np.argsort(Y[:, 0], kind="stable")[: ROWS // 2][:: ROWS // 2 // KNOWN]]
