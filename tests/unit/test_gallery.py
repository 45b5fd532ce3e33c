"""The gallery of a study: which figures there are, in which order, in every odd case."""

import numpy as np
import pandas as pd

from preimage.core import building, objective
from preimage.figures import gallery, style
from preimage.problems import loading

from .test_figures import NAN, rng, texts


def material(built, outputs, objectives, simulator=None, cases=(), failed=False, measured=True):
    """A made-up study: rows drawn from the space, candidates at some of them."""
    draw = rng()
    width = np.array([i.high - i.low for i in built.inputs])
    X = np.array([i.low for i in built.inputs]) + np.round(draw.random((30, len(width))) * width)
    Y = np.column_stack([X.sum(axis=1) + k for k in range(len(outputs))])
    parts = []
    for (surrogate, inverter), evaluations in cases:
        for name, wanted in objectives.items():
            n = len(evaluations)
            predicted = np.where(failed, NAN, Y[:n])
            loss = wanted.loss(predicted)
            part = pd.DataFrame(
                {
                    "surrogate": surrogate,
                    "objective": name,
                    "inverter": inverter,
                    "start": np.arange(n),
                    "rank": pd.Series(loss).rank(method="first").astype("Int64"),
                    **built.decode(np.where(failed, NAN, X[:n]), "x."),
                    **{f"predicted.{o}": predicted[:, k] for k, o in enumerate(outputs)},
                    "predicted_loss": loss,
                    "domain_score": np.where(failed, NAN, np.linspace(0, 1, n)),
                    "in_domain": pd.array([None if failed else True] * n, dtype="boolean"),
                    "evaluations": evaluations,
                    "solves": True,
                }
            )
            parts.append(part)
    candidates = pd.concat(parts, ignore_index=True)
    columns = {p: Y + k for k, p in enumerate(["predicted", "interval_low", "interval_high"])}
    test = pd.DataFrame({f"{p}.{o}": v[:, k] for p, v in columns.items() for k, o in enumerate(outputs)})
    return gallery.Material(
        space=built,
        outputs=list(outputs),
        units=dict.fromkeys(outputs, "MPa"),
        objectives=objectives,
        train=(X, Y),
        test=(X, Y),
        measured=measured,
        tests={"forest": test} if any(s == "forest" for (s, _), _ in cases) else {},
        candidates=candidates,
        solutions=candidates.groupby(["surrogate", "objective"]).head(2),
        simulator=simulator,
    )


CASES = [
    (("forest", "tpe"), [1] * 8),
    (("forest", "starts"), [5, 9, 7, 5]),
    (("forest", "lookup"), [0]),
    (("simulator", "direct"), [25] * 4),
]


def draw_all(m):
    return {s.file: style.to_svg(figure, s.file) for s in gallery.plan(m) if (figure := s.draw()) is not None}


def bowl():
    return loading.load({"simulator": "paraboloid", "dimension": 2})


def test_gallery_of_a_simulator_with_two_inputs():
    built = building.build({}, [], {"x1": (-100.0, 100.0), "x2": (-100.0, 100.0)})
    objectives = {"lowest": objective.build("lowest", {"minimize": "y"}, ["y"])}
    m = material(built, ["y"], objectives, bowl(), CASES, measured=False)
    assert list(draw_all(m)) == [
        "surface.svg",
        "training_scatter.svg",
        "predicted_against_truth.forest.svg",
        "answers_on_test.lowest.svg",
        "parallel_coordinates.forest.lowest.svg",
        "domain.forest.lowest.svg",
        "parallel_coordinates.simulator.lowest.svg",
        "domain.simulator.lowest.svg",
        "convergence.forest.lowest.svg",
        "convergence.simulator.lowest.svg",
        "history.lowest.svg",
        "waterfall.lowest.svg",
    ]
    for shown in gallery.plan(m):
        assert shown.title
        assert shown.caption.endswith(".")
        assert (f".{shown.objective}." in shown.file) == (shown.objective is not None)


def test_gallery_of_a_table_with_categories_and_several_outputs():
    settings = {"grade": {"categories": ["a", "b", "c"]}, "water": {"unit": "kg"}, "count": {"integer": True}}
    bounds = {"grade": (0.0, 0.0), "water": (0.0, 9.0), "count": (0.0, 4.0)}
    built = building.build(settings, [], bounds)
    outputs = ["strength", "cost"]
    objectives = {
        "cheap": objective.build("cheap", {"minimize": {"cost": 1, "strength": -1}}, outputs),
        "both": objective.build("both", {"target": {"cost": 5, "strength": 9}}, outputs, [1, 1], [10, 10]),
    }
    drawn = draw_all(material(built, outputs, objectives, None, CASES[:3]))
    assert {"predicted_against_truth.forest.strength.svg", "predicted_against_truth.forest.cost.svg"} < set(drawn)
    assert {"parallel_coordinates.forest.cheap.svg", "domain.forest.both.svg", "waterfall.both.svg"} < set(drawn)
    assert not any(name.startswith(("surface", "training", "answers")) for name in drawn)
    assert "kg" in texts(drawn["parallel_coordinates.forest.cheap.svg"])


def test_a_trade_off_has_its_front_and_inputs_along_it_and_nothing_of_its_loss():
    built = building.build({}, [], {"a": (0.0, 9.0), "b": (0.0, 9.0), "c": (0.0, 9.0)})
    rows = np.array([[0.0, 0.0], [30.0, 30.0]])
    trade = objective.build("trade", {"pareto": {"maximize": ["y"], "minimize": ["z"]}}, ["y", "z"], None, None, rows)
    m = material(built, ["y", "z"], {"trade": trade}, None, CASES[:3])
    m.candidates[["simulated.y", "simulated.z"]] = NAN
    drawn = draw_all(m)
    mine = [name for name in drawn if ".trade." in name]
    assert mine == ["front.forest.trade.svg", "parallel_coordinates.forest.trade.svg"]
    assert {"y (MPa)", "z (MPa)", "tpe", "lookup"} < set(texts(drawn[mine[0]]))


def test_gallery_when_everything_failed():
    settings = {"grade": {"categories": ["a", "b"]}}
    built = building.build(settings, [], {"grade": (0.0, 0.0), "water": (0.0, 9.0)})
    objectives = {"low": objective.build("low", {"minimize": "y"}, ["y"])}
    drawn = draw_all(material(built, ["y"], objectives, None, CASES, failed=True))
    assert set(drawn) == {"predicted_against_truth.forest.svg"}


def test_gallery_without_surrogates_and_with_constraints():
    built = building.build(
        {}, [{"linear": {"x1": 1, "x2": 1}, "at_most": 0}], {"x1": (-100.0, 100.0), "x2": (-100.0, 100.0)}
    )
    objectives = {"low": objective.build("low", {"minimize": "y", "fixed": {"x1": 5}}, ["y"])}
    drawn = draw_all(material(built, ["y"], objectives, bowl(), CASES[3:], measured=False))
    assert {"surface.svg", "convergence.simulator.low.svg", "answers_on_test.low.svg"} < set(drawn)
    assert "known minimum" not in texts(drawn["answers_on_test.low.svg"])
