"""The page of a study of inference: its words and tables, from findings that are made up."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from preimage.inference import verdict
from preimage.inference.checks import predictive
from preimage.reporting import inference
from preimage.reporting.templates import environment
from preimage.study.sections import Checks
from preimage.support.frozen import json_schema

METHODS = {"loop": "alfi", "loop_blind": "alfi", "narrow": "one_shot", "best": "maximum_likelihood"}


QUANTITIES = ("energy", "strength", "asymmetry")


def fresh(held, low, high, point=False, sets=300, failed=0):
    found = {"sets": sets, "failed": failed, "point": point, "error": {}, "prior_sd": {}}
    if point:
        return found
    return {
        **found,
        "score": -1.25,
        "coverage": {"nominal": 0.9, "found": held, "low": low, "high": high, "error": held - 0.9},
        "sbc_p": {"energy": 0.5, "strength": 0.004 if held < 0.9 else 0.3},
        "tarp_p": 0.4,
        "directions": [{"vector": [0.7, 0.71], "width": 0.96}, {"vector": [0.71, -0.7], "width": 0.1}],
    }


def by_set(sets=300, error=0.1, widths=(0.9, 0.9, 0.1)):
    """Answers to fresh sets: off by `error`, and as wide as `widths` says, of the prior's width."""
    truth = np.linspace(-1, 1, 300)[:sets]
    columns = {"score": np.full(sets, -1.25)}
    for q, width in zip(QUANTITIES, widths, strict=True):
        columns |= {f"true.{q}": truth, f"mean.{q}": truth + error}
        columns |= {f"sd.{q}": np.full(sets, width * np.std(np.linspace(-1, 1, 300), ddof=1))}
    return pd.DataFrame(columns)


def without(table, failed):
    """The same answers, of which the first ones failed."""
    left = table.copy()
    left.loc[: failed - 1, [c for c in table if not c.startswith("true.")]] = np.nan
    return left


def material(seeds=(0,), observations=("a", "b")):
    checks = {"loop": fresh(0.91, 0.87, 0.94), "loop_blind": fresh(0.9, 0.86, 0.93), "narrow": fresh(0.6, 0.5, 0.7)}
    checks["best"] = fresh(0, 0, 0, point=True)
    rows = []
    for seed in seeds:
        for k, name in enumerate(observations):
            for method in METHODS:
                point = method == "best"
                rows.append(
                    {"seed": seed, "observation": name, "method": method, "status": "ok", "message": np.nan}
                    | {"simulations": 100, "predictive_p": 0.005 if method == "narrow" else 0.4, "c2st": np.nan}
                    | {"predictive_failed": 0}
                    | {f"mean.{q}": 1.5 for q in QUANTITIES}
                    | {f"sd.{q}": np.nan if point else 0.25 for q in QUANTITIES}
                    | {f"true.{q}": 1.25 for q in QUANTITIES}
                    | {"observation_p": 0.5 if k else 0.002, "misspecified": not k}
                )
    cases = [(seed, method) for seed in seeds for method in METHODS]
    uses = [
        {"seed": 0, "method": "loop", "gain": 0.2, "low": 0.1, "high": 0.3, "problems": 300, "verdict": "they help"}
    ]
    record = {
        "rule": "observe",
        "tags": {"git_commit": "c", "lock_digest": "l", "python": "3"},
        "inputs": {},
        "outputs": {},
    }
    return inference.Material(
        study={
            "study": "rays", "seeds": list(seeds), "problem": {"simulator": "collider"},
            "observations": {"table": "x.csv"}, "checks": {"predictive": 300},
            "inference": {name: {"kind": kind} for name, kind in METHODS.items()},
            "ablations": {"loop_blind": "loop"},
        },
        parameters=["energy", "strength"],
        derived=["asymmetry"],
        priors={"energy": "40 to 50", "strength": "0.5 to 1.5"},
        size=500,
        units={"energy": "GeV"},
        summary=pd.DataFrame(rows),
        timings=pd.DataFrame(
            [{"step": "infer loop", "round": np.nan, "seed": s, "wall_seconds": 1, "cpu_seconds": 2.0,
              "peak_memory_mb": 3, "evaluations": 4} for s in seeds]
        ),
        checks={case: {"fresh": dict(checks[case[1]]), "observed": []} for case in cases},
        sets=dict.fromkeys(cases, by_set()),
        trained={case: {"simulations": 1000, "failed": 0.25} for case in cases},
        observed={seed: {"failed": 0.2, "p_values": None} for seed in seeds},
        uses=uses,
        figures=[],
        records=[record],
        versions={"numpy": "2"},
    )  # fmt: skip


def page(found):
    return environment().get_template("inference.html").render(inference.context(found))


def test_the_page_begins_with_whose_answers_to_trust():
    found = inference.context(material())
    assert [(t["method"], t["verdict"]) for t in found["trust"]] == [
        ("loop", "calibrated"), ("best", "a point"), ("narrow", "overconfident"),
    ]  # fmt: skip
    assert found["trust"][0]["text"] == (
        "no fault found on 300 fresh problems, which would show coverage off by more than about 6 points "
        "(90 % regions hold 91%)"
    )
    assert found["question"].startswith("Which values of energy and strength of the simulator collider are plausible")
    text = page(material())
    assert (
        text.index("Which answers to trust")
        < text.index("The answers")
        < text.index("Cost and accuracy of each method")
    )


def test_a_method_that_is_not_compared_with_the_reference_says_why():
    found = material()
    found.summary.loc[found.summary["method"] == "loop", "c2st"] = 0.62
    checks = {case: {**about, "observed": []} for case, about in found.checks.items()}
    checks[0, "narrow"]["observed"] = [{"c2st_missing": "500 draws, of which its classifier needs 1,000"}] * 2
    text = page(dataclasses.replace(found, checks=checks))
    assert text.count("not measured: 500 draws, of which its classifier needs 1,000") == 1


def test_flags_name_what_a_reader_must_not_overlook():
    flags = inference.context(material())["flags"]
    assert len(flags) == 3
    assert flags[0].startswith("Observation a lies outside of what the simulator produces under the prior (p = 0.002)")
    assert "the answers of narrow do not look like the observed ones for 2 of 2 observations" in flags[1]
    assert flags[2].startswith("20% of the simulations") and "(25% of it)" in flags[2]


def test_what_is_not_identified_and_what_is_instead_stand_in_words():
    told = inference.context(material())["told"]
    assert told[0].startswith(
        "On fresh problems, according to loop: 0.70 energy + 0.71 strength: not identified, 96 % as wide"
    )
    assert told[1] == (
        "The samples identify asymmetry, a function of the parameters: to 10 % of the prior's width over fresh "
        "problems, but energy to 90 % and strength to 90 %."
    )
    assert "Does loop use what it simulates?" in told[2] and "they help" in told[2]


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_every_observation_seed_and_method_has_its_row(seeds):
    found = inference.context(material(seeds, observations=tuple("abcde")))
    assert len(found["answers"]) == 5 * len(seeds) and all(len(a["rows"]) == 3 for a in found["answers"])
    text = page(material(seeds, observations=tuple("abcde")))
    assert f"{5 * len(seeds) - inference.FIRST} more observations" in text
    assert ("of seed 1" in text) == (len(seeds) > 1) and not re.search(r"\bnan\b", text.lower())
    assert text.count("±") == 2 * 3 * 5 * len(seeds)


# -- what could not be told --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("failed", "silent"), [(0, False), (103, False), (104, True), (298, True)])
def test_a_predictive_check_that_could_not_speak_up_is_no_good_news(failed, silent):
    found = material()
    mine = found.summary["method"] == "loop"
    found.summary.loc[mine, "predictive_failed"] = failed
    found.summary.loc[mine, "predictive_p"] = np.nan if failed > 296 else 0.4
    said = [f for f in inference.context(found)["flags"] if "cannot be determined" in f]
    assert len(said) == silent
    if silent:
        assert "loop look like the observed ones cannot be determined for 2 of 2 observations" in said[0]
        assert f"of 300 simulated sets up to {failed} failed" in said[0]
    assert page(found).count("too few sets</span>") == (2 if silent else 0)


def test_the_schema_leaves_room_for_failed_predictive_sets():
    schema = json_schema(Checks)["properties"]["predictive"]
    assert predictive.least_p(int(0.9 * schema["minimum"])) <= inference.PREDICTIVE_P
    assert predictive.least_p(int(0.67 * schema["default"])) <= inference.PREDICTIVE_P


@pytest.mark.parametrize(("failed", "said", "counts"), [
    (3, verdict.TRUSTED, "no fault found on 297 fresh problems"),
    (201, verdict.INCOMPLETE, "no fault found on the 99 fresh problems that it answered"),
])  # fmt: skip
def test_failed_answers_are_not_counted_and_are_said(failed, said, counts):
    found = material()
    found.checks[0, "loop"]["fresh"].update(failed=failed)
    (row,) = [t for t in inference.context(found)["trust"] if t["method"] == "loop"]
    assert row["verdict"] == said and row["good"] == (said == verdict.TRUSTED)
    assert row["text"].startswith(counts) and row["text"].endswith(f"; no answer to {failed} of 300")
    assert f'{300 - failed}<br><span class="warn">{failed} failed</span>' in page(found)


def test_a_few_problems_show_next_to_nothing():
    found = material()
    found.checks[0, "loop"]["fresh"].update(sets=4)
    first = inference.context(found)["trust"][0]
    text = first["text"]
    assert not first["good"] and first["neutral"]
    assert (
        "no fault found on 4 fresh problems, which are few: they would show coverage off by more than about 90 p"
        in text
    )
    found.checks[0, "loop"]["fresh"].update(sets=2)
    assert "they would show no wrong coverage at all" in inference.context(found)["trust"][0]["text"]


def test_failures_of_the_bank_are_said_where_no_fresh_set_failed():
    found = material()
    found.observed[0]["failed"] = 0.0
    (said,) = [f for f in inference.context(found)["flags"] if "of the simulations at parameters" in f]
    assert said.startswith("25% of the simulations") and "(25% of it)" in said


def test_the_rule_on_the_page_is_that_of_the_code():
    text = page(material())
    assert f"no p-value is below {verdict.LEAST_P}" in text and "exact binomial test" in text
    assert f"answered {verdict.ENOUGH_SETS} fresh problems or more, left at most 10% without an answer" in text


# -- on which problems methods are compared ----------------------------------------------------------------------------


def test_methods_that_are_asked_few_do_not_take_the_others_problems_away():
    found = material()
    found.sets[0, "best"] = by_set(4, error=0.5)
    found.sets[0, "narrow"] = without(by_set(error=np.linspace(0.3, 0.1, 300)), 2)
    context = inference.context(found)
    cells = {row["name"]: row["errors"][0] for row in context["methods"]}
    assert context["common"] == "298" and context["apart"]
    assert cells["loop"] == {"value": "0.1", "few": ""} and cells["best"] == {"value": "0.5", "few": "on 4"}
    assert cells["narrow"]["few"] == ""
    text = page(found)
    assert "on the same 298 fresh problems" in text and '0.5<br><span class="warn">on 4</span>' in text
    assert "because the method was run on or answered fewer" in text


def test_a_method_that_fails_often_is_measured_apart():
    found = material()
    found.sets[0, "narrow"] = without(by_set(), 201)
    context = inference.context(found)
    cells = {row["name"]: row["errors"][0]["few"] for row in context["methods"]}
    assert context["common"] == "300" and cells == {"loop": "", "loop_blind": "", "narrow": "on 99", "best": ""}


def test_a_method_that_answers_nothing_takes_nothing_from_the_others():
    found = material()
    nothing = by_set().assign(**{f"mean.{q}": [None] * 300 for q in QUANTITIES}).drop(columns="score")
    found.sets[0, "narrow"] = nothing
    found.checks[0, "narrow"]["fresh"] = {"sets": 300, "failed": 300, "point": False}
    context = inference.context(found)
    cells = {row["name"]: row["errors"][0]["value"] for row in context["methods"]}
    assert context["common"] == "300" and cells["narrow"] == "–" and cells["loop"] == "0.1" and not context["apart"]
    assert context["trust"][-1]["text"] == "no answer to any fresh problem"


def test_where_all_are_asked_the_same_nothing_stands_apart():
    context = inference.context(material((0, 1)))
    assert context["common"] == "300" and not context["apart"]
    assert "because the method was run on or answered fewer" not in page(material())


# -- what is told together ---------------------------------------------------------------------------------------------


def together(widths, band=0.1):
    """Answers that are bands, `band` as wide as long, across both parameters; what is told by width."""
    found, half = material(), np.sqrt(0.5)
    narrow = [{"vector": [half, -half], "width": 0.3}, {"vector": [half, half], "width": 0.3 * band}]
    found.checks[0, "loop"]["fresh"]["directions"] = [
        {"vector": [0.0, 1.0], "width": 0.4}, {"vector": [1.0, 0.0], "width": 0.3},
    ]  # fmt: skip
    found.checks[0, "loop"]["observed"] = [{"directions": narrow}, {}]
    found.sets[0, "loop"] = by_set(widths=widths)
    return inference.context(found)["told"]


def test_parameters_that_are_told_together_only_are_named_with_what_is_told():
    told = together((0.3, 0.4, 0.08))
    assert told[0].startswith("energy and strength are identified in combination rather than separately")
    assert "each would be 20% as wide as it is, or less" in told[0]
    assert told[1].startswith("The samples identify asymmetry") and "to 8 % of the prior's width" in told[1]


def test_what_is_derived_is_not_said_to_be_told_where_it_is_not():
    told = together((0.3, 0.4, 0.25))
    assert told[1] == (
        "asymmetry, a function of the parameters, is identified to 25 % of the prior's width over fresh problems."
    )


def test_parameters_that_are_told_apart_or_well_are_not_said_to_be_told_together():
    assert together((0.3, 0.4, 0.1), band=1)[0].startswith("On fresh problems, according to loop: every direction")
    assert together((0.05, 0.05, 0.01))[0].startswith("On fresh problems, according to loop: every direction")
