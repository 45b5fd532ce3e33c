"""The page of a study of inference: its words and tables, from findings that are made up."""

import numpy as np
import pandas as pd
import pytest

from preimage.reporting import inference
from preimage.reporting.templates import environment

METHODS = {"loop": "alfi", "loop_blind": "alfi", "narrow": "one_shot", "best": "maximum_likelihood"}


def fresh(held, low, high, point=False):
    found = {"sets": 300, "failed": 0, "point": point, "error": {}, "prior_sd": {}}
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
                    | {f"mean.{q}": 1.5 for q in ("energy", "strength", "asymmetry")}
                    | {f"sd.{q}": np.nan if point else 0.25 for q in ("energy", "strength", "asymmetry")}
                    | {f"true.{q}": 1.25 for q in ("energy", "strength", "asymmetry")}
                    | {"observation_p": 0.5 if k else 0.002, "misspecified": not k}
                )
    cases = [(seed, method) for seed in seeds for method in METHODS]
    sets = pd.DataFrame({f"{k}.{q}": [1.0, 2.0] for k in ("mean", "true") for q in ("energy", "strength", "asymmetry")})
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
            "observations": {"table": "x.csv"}, "inference": {name: {"kind": kind} for name, kind in METHODS.items()},
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
        checks={case: {"fresh": checks[case[1]], "observed": []} for case in cases},
        sets=dict.fromkeys(cases, sets),
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
    assert found["trust"][0]["text"] == "regions and ranks are right on 300 fresh problems (90 % regions hold 91%)"
    assert found["question"].startswith("Which values of energy and strength of the simulator collider are plausible")
    text = page(material())
    assert text.index("Whose answers to trust") < text.index("The answers") < text.index("What each method costs")


def test_flags_name_what_a_reader_must_not_overlook():
    flags = inference.context(material())["flags"]
    assert len(flags) == 3
    assert flags[0].startswith("Observation a lies outside of what the simulator produces under the prior (p = 0.002)")
    assert "the answers of narrow do not look like the observed ones for 2 of 2 observations" in flags[1]
    assert flags[2].startswith("20% of the simulations") and "(25% of it)" in flags[2]


def test_what_is_not_identified_and_what_is_instead_stand_in_words():
    told = inference.context(material())["told"]
    assert told[0].startswith("Over fresh problems, by loop: 0.70 energy + 0.71 strength: not identified, 96 % as wide")
    assert "What the samples do tell is asymmetry" in told[1]
    assert "Does loop use what it simulates?" in told[2] and "they help" in told[2]


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_every_observation_seed_and_method_has_its_row(seeds):
    found = inference.context(material(seeds, observations=tuple("abcde")))
    assert len(found["answers"]) == 5 * len(seeds) and all(len(a["rows"]) == 3 for a in found["answers"])
    text = page(material(seeds, observations=tuple("abcde")))
    assert f"{5 * len(seeds) - inference.FIRST} more observations" in text
    assert ("of seed 1" in text) == (len(seeds) > 1) and "nan" not in text.lower().replace("alternance", "")
    assert text.count("±") == 2 * 3 * 5 * len(seeds)
