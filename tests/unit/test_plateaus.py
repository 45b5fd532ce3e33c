"""Plateaus of sorted losses, against counting by hand."""

import numpy as np
import pandas as pd
import pytest

from preimage.core import objective
from preimage.evidence import plateaus
from preimage.evidence.plateaus import Plateau
from preimage.reporting import words

NAN = float("nan")


def equal_to(loss):
    return loss + 1e-6 * max(1.0, abs(loss))


@pytest.mark.parametrize(
    ("losses", "found"),
    [
        ([], []),
        ([NAN, NAN, NAN], []),
        ([1, 1], []),
        ([2, NAN, 2, 1, 2], [Plateau(1, 3, 2)]),
        ([3, 3, 3, 0, 0, 0, 0, 1], [Plateau(0, 4, 0), Plateau(5, 3, 3)]),
        ([0, 1e-7, 1e-6], [Plateau(0, 3, 0)]),  # below 1 the scale is 1
        ([1e6, 1e6 + 0.5, 1e6 + 1], [Plateau(0, 3, 1e6)]),
        ([-1e6, -1e6 + 0.5, -1e6 + 1], [Plateau(0, 3, -1e6)]),
        ([1e6, 1e6 + 0.5, 1e6 + 2], []),
        (np.arange(9) * 0.7e-6, []),  # neighbours agree, the whole doesn't
        (np.arange(9) * 0.45e-6, [Plateau(0, 3, 0), Plateau(3, 3, 3 * 0.45e-6), Plateau(6, 3, 6 * 0.45e-6)]),
    ],
)
def test_plateaus_are_those_counted_by_hand(losses, found):
    assert plateaus.plateaus(np.array(losses, float), equal_to) == found


def test_many_starts_give_what_a_plain_loop_gives():
    rng = np.random.default_rng(0)
    losses = rng.choice(rng.normal(0, 100, 300), 2000) + rng.uniform(0, 2e-6, 2000)
    rest, found = sorted(losses), []
    while rest:
        group = [v for v in rest if v <= rest[0] + 1e-6 * max(1, abs(rest[0]))]
        if len(group) >= 3:
            found.append(Plateau(len(losses) - len(rest), len(group), rest[0]))
        rest = rest[len(group) :]
    assert plateaus.plateaus(losses, equal_to) == found and len(found) > 100


def table(losses, evaluations, inverter="starts"):
    case = {"surrogate": "gp", "objective": "low", "inverter": inverter}
    return pd.DataFrame({"predicted_loss": losses, "evaluations": evaluations}).assign(**case)


def test_cases_with_starts_say_how_they_ended():
    parts = [
        table([0.5, 0.5, 0.5, NAN, 2.0], 7),
        table([0.0] * 9, 1, "random"),  # trials
        table([0.0] * 3, 7, "few"),
        table(np.repeat(np.arange(30.0), 3), 7, "many"),
        table([1e-32] * 3 + [1.0], 7, "zero"),
    ]
    wanted = {"low": objective.build("low", {"minimize": "y"}, ["y"])}
    one, many, zero = plateaus.by_case(pd.concat(parts, ignore_index=True), wanted)
    case = {"surrogate": "gp", "objective": "low", "inverter": "starts"}
    assert one == {**case, "starts": 4, "count": 1, "plateaus": [{"size": 3, "loss": 0.5}]}
    assert many["count"] == 30 and many["starts"] == 90
    assert [p["loss"] for p in many["plateaus"]] == list(range(plateaus.MOST))
    assert words.plateaus(one) == "of 4 starts 3 at loss 0.5"
    assert words.plateaus(many) == ("of 90 starts 3 at loss 0, 3 at loss 1 and 3 at loss 2, others on 27 more plateaus")
    assert words.plateaus(zero) == "of 4 starts 3 at loss 0"
    assert "no three of 5 starts" in words.plateaus({"starts": 5, "count": 0, "plateaus": []})


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e9])
@pytest.mark.parametrize("moved", [0.0, 1e6])
def test_what_agrees_does_not_depend_on_unit_or_offset(unit, moved):
    """Losses of an output in another unit, counted from another zero: the same starts end together."""
    losses = np.array([0.0, 1e-8, 3e-7, 0.5, 0.5, 0.5 + 1e-3, 0.7, 0.7, 0.7])
    wanted = objective.build("low", {"minimize": "y"}, ["y"], reach=[2 * unit])
    found = plateaus.plateaus(unit * (losses + moved), wanted.equal_to)
    assert [(p.first, p.size) for p in found] == [(0, 3), (6, 3)]
    target = objective.build("t", {"target": {"y": unit * moved}}, ["y"], reach=[2 * unit])
    met = target.loss(unit * (losses + moved)[:, None])
    assert [(p.first, p.size) for p in plateaus.plateaus(met, target.equal_to)] == [(0, 3), (6, 3)]
