"""How many calls of its simulator a study makes, by purpose, before any is made; and how a budget is shared out.

What a study states itself is needed as stated: rows, and evaluations of searches on the simulator. Beyond that, each
round needs one simulation and each table of candidates one that is re-simulated. What a budget leaves goes to rounds,
then to the first candidates of each method, the diagnosis and the figure of the truth, and to further candidates. All
of it follows from the study, so that steps need not know of one another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from preimage.core.sizes import ASKED, DRAWS, FEWEST_ASKED, FEWEST_LINES, FIRST, GRID, HALVINGS
from preimage.inversion.base import Inverter
from preimage.problems.loading import load as load_problem
from preimage.study.cases import SIMULATOR, Case, Study, cases, fits, infers, is_front
from preimage.support.errors import StudyError

SAMPLES, SEARCHES, ROUNDS, EVIDENCE, DIAGNOSIS, FIGURES = (
    "samples", "searches", "rounds", "evidence", "diagnosis", "figures",
)  # fmt: skip
# What the steps of each rule call the simulator for.
PURPOSES = {
    "generate": SAMPLES,
    "simulate_part": SAMPLES,
    "invert": SEARCHES,
    "invert_part": SEARCHES,
    "next_round": ROUNDS,
    "evidence": EVIDENCE,
    "diagnose": DIAGNOSIS,
    "figures": FIGURES,
}
WORDS = {
    SAMPLES: "rows to train on",
    SEARCHES: "searches of the simulator itself",
    ROUNDS: "rounds",
    EVIDENCE: "candidates re-simulated",
    DIAGNOSIS: "diagnosis around answers",
    FIGURES: "the figure of the truth",
}
# Of the diagnosis of an answer without a budget, where each halving asks for three points.
DIAGNOSED = 1 + ASKED + 3 * HALVINGS + 2


class Wish(NamedTuple):
    """Calls that the steps of a purpose have a use for.

    Attributes:
        steps: how many there are.
        calls: of each of them; None where that is not known before.
        needed: whether the study is of no use without.
        least: fewer are of no use.
        case: of a search.
    """

    purpose: str
    steps: int
    calls: int | None
    needed: bool = False
    least: int = 0
    case: Case | None = None


def planned(study: Study) -> dict[str, int | None]:
    """Return the calls that a study without a budget makes, at most, by purpose; None where nobody knows before."""
    found: dict[str, int | None] = {}
    for wish in _wishes(study):
        before = found.get(wish.purpose, 0)
        found[wish.purpose] = None if wish.calls is None or before is None else before + wish.steps * wish.calls
    return {purpose: n for purpose, n in found.items() if n != 0}


def shared_out(study: Study) -> list[Wish]:
    """Return what a study's budget grants, in order of precedence, its numbers known. Raises StudyError where it is too
    small for what is needed."""
    total, wishes = int(study["budget"]["simulations"]), list(_wishes(study, frugal=True))
    needed = sum(w.steps * (w.calls or 0) for w in wishes if w.needed)
    if total < needed:
        parts = {p: sum(w.steps * (w.calls or 0) for w in wishes if w.needed and w.purpose == p) for p in WORDS}
        listed = ", ".join(f"{n} for {WORDS[p]}" for p, n in parts.items() if n)
        raise StudyError(
            f"key 'budget.simulations': found {total}, expected at least {needed} calls, which the study needs before "
            f"its first answer: {listed}"
        )
    left, found = total - needed, []
    for wish in wishes:
        calls = wish.calls
        if not wish.needed:
            most = left // wish.steps if wish.steps else 0
            calls = most if calls is None else min(calls, most)
            calls = calls if calls >= wish.least else 0
            left -= wish.steps * calls
        found.append(wish._replace(calls=calls))
    return found


def granted(study: Study, purpose: str, case: Case | None = None) -> int | None:
    """Return the calls that each step of a purpose may make; None in a study without a budget."""
    if "budget" not in study:
        return None
    return sum(w.calls or 0 for w in shared_out(study) if w.purpose == purpose and w.case == case)


def sentence(study: Study) -> str:
    """Return how many calls a study makes by purpose; "" where it has no simulator of points."""
    if not simulates(study):
        return ""
    if "budget" in study:
        counts: dict[str, int | None] = dict.fromkeys(WORDS, 0)
        for w in shared_out(study):
            counts[w.purpose] = (counts[w.purpose] or 0) + w.steps * (w.calls or 0)
    else:
        counts = planned(study)
    told = {WORDS[p]: "as many as it takes" if n is None else n for p, n in counts.items() if n != 0}
    listed = ", ".join(f"{n} for {words}" for words, n in told.items())
    known = sum(n or 0 for n in counts.values())
    total = f"more than {known}" if None in counts.values() else f"at most {known}"
    budget = f", of a budget of {study['budget']['simulations']}" if "budget" in study else ""
    return f"calls of the simulator: {listed}; {total} in all{budget}"


def simulates(study: Study) -> bool:
    """Whether a study has a simulator of points."""
    return "simulator" in study["problem"] and not infers(study) and not fits(study)


def check(study: Study) -> None:
    """Raise StudyError for a budget that is too small, that nothing is spent of, or that a search can't be held to."""
    if "budget" not in study:
        return
    if "simulator" not in study["problem"]:
        raise StudyError("key 'budget': the study has a table and no simulator, so nothing is simulated; remove it")
    if fits(study):
        raise StudyError("key 'budget': a fit makes as many calls as its search needs; limit its starts instead")
    for surrogate, objective, name in cases(study):
        if surrogate != SIMULATOR:
            continue
        inverter, entry = Inverter.of(study["inverters"][name]), study["objectives"][objective]
        where = f"key 'inverters.{name}'"
        if inverter.simulations is None:
            able = ", ".join(sorted(v.kind for v in Inverter.registry.values() if "evaluations" in v.model_fields))
            raise StudyError(
                f"{where}: {inverter.kind} calls the simulator as often as it needs, beyond any budget; expected a "
                f"method with `evaluations` ({able}), or a surrogate to work on"
            )
        if is_front(entry) or {"targets", "test_rows", "closest_to", "variation"} & set(entry):
            raise StudyError(
                f"{where}: with a budget, a search of the simulator itself needs a plain objective; found "
                f"'objectives.{objective}' with {_unplanned(entry)}; expected a surrogate to work on"
            )
    shared_out(study)


def _unplanned(entry: Mapping[str, Any]) -> str:
    return next(key for key in ("pareto", "targets", "test_rows", "closest_to", "variation") if key in entry)


# -- what there is a use for -------------------------------------------------------------------------------------------


def _wishes(study: Study, frugal: bool = False) -> Iterator[Wish]:
    """Yield all that a study has a use for, in order of precedence.

    Args:
        frugal: whether points that are known are asked no more, as under a budget.
    """
    seeds, rounds = len(study["seeds"]), int(study["rounds"])
    tables = seeds * (rounds + 1)
    if "table" not in study["problem"]:
        yield Wish(SAMPLES, seeds, int(study["problem"]["samples"]), needed=True)
    for case in cases(study):
        if case.surrogate == SIMULATOR:
            yield Wish(SEARCHES, tables, _searched(study, case), needed=True, case=case)
    on_models = [case for case in cases(study) if case.surrogate != SIMULATOR]
    judged = on_models if frugal else cases(study)
    pairs = {(c.surrogate, c.objective) for c in judged}
    first = 1 if judged else 0
    if rounds:
        yield Wish(ROUNDS, seeds * rounds, 1, needed=True)
    yield Wish(EVIDENCE, tables, first, needed=True)
    if rounds:
        yield Wish(ROUNDS, seeds * rounds, int(study["relearning"]["simulations"]) - 1)
    candidates = _candidates(study, judged)
    shown = len(pairs) * FIRST if candidates is None else min(candidates, len(pairs) * FIRST)
    yield Wish(EVIDENCE, tables, max(0, shown - first) + _varied(study, judged))
    each = 1 + ASKED + HALVINGS if frugal else DIAGNOSED
    yield Wish(DIAGNOSIS, 1, answers(study) * each, least=answers(study) * FEWEST_ASKED)
    yield Wish(FIGURES, 1, _lines(study) ** 2, least=FEWEST_LINES**2)
    yield Wish(EVIDENCE, tables, None if candidates is None else max(0, candidates - max(shown, first)))


def answers(study: Study) -> int:
    """Return how many answers are diagnosed, over all seeds: one of each objective on each surrogate."""
    single = {(c.surrogate, c.objective) for c in cases(study) if not _many(study["objectives"][c.objective])}
    return len(study["seeds"]) * len(single)


def _searched(study: Study, case: Case) -> int | None:
    """Return the points that one search of the simulator asks for; None where that is not known."""
    entry, inverter = study["objectives"][case.objective], Inverter.of(study["inverters"][case.inverter])
    if _many(entry) or is_front(entry) or {"closest_to", "variation"} & set(entry):
        return None
    return inverter.simulations


def _candidates(study: Study, judged: list[Case]) -> int | None:
    """Return how many candidates there are in a round of a seed, at most; None where their number is the data's."""
    total = 0
    for case in judged:
        entry, inverter = study["objectives"][case.objective], Inverter.of(study["inverters"][case.inverter])
        if _many(entry) or (is_front(entry) and inverter.baseline):
            return None
        total += inverter.kept
    return total


def _varied(study: Study, judged: list[Case]) -> int:
    """Return the points around candidates in a round of a seed, of objectives of inputs that vary."""
    varied = [case for case in judged if "variation" in study["objectives"][case.objective]]
    return DRAWS * (FIRST * len(varied) + len({case[:2] for case in varied}))


def _many(entry: Mapping[str, Any]) -> bool:
    return bool({"targets", "test_rows"} & set(entry))


def _lines(study: Study) -> int:
    """Return the lines a side of the figure of the truth, at most; 0 where there is none."""
    problem = load_problem(study["problem"], run=False)
    inputs = study["problem"].get("inputs") or {}
    if problem is None or len(problem.inputs) != 2 or any("categories" in (i or {}) for i in inputs.values()):
        return 0
    rows = int(study["problem"].get("samples", 2 * GRID**2)) if "table" not in study["problem"] else 2 * GRID**2
    lines = min(GRID, int((rows // 2) ** 0.5))
    return lines if lines >= FEWEST_LINES else 0
