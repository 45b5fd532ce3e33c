"""What figures and words say of how well the parameters of a fit are told apart."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from preimage.core import objective
from preimage.core.space import Input, Space
from preimage.figures import style
from preimage.figures.parameter_matrices import MOST_PARAMETERS, correlations, data_shares
from preimage.figures.parameter_traces import above_best, parameter_traces, shares
from preimage.figures.profiles import profiles
from preimage.reporting import identifiability

from .test_figures import NAN, texts

BOUNDS = {"rate": (0.01, 100.0), "dead_time": (0.0, 8.0), "dose": (1.0, 1.0)}
PAIRS = pd.DataFrame(
    [("rate", "size", 0.9996), ("rate", "idle", NAN), ("size", "idle", NAN), ("rate", "loss", -0.42),
     ("size", "loss", -0.96), ("idle", "loss", NAN)],
    columns=["parameter", "other", "correlation"],
)  # fmt: skip


def lost(rows, names=("rate", "size")):
    """A table of what is lost, by what is left out, for each parameter."""
    return pd.DataFrame(
        [(n, *key, s) for key, each in rows.items() for n, s in zip(names, each, strict=True)],
        columns=["parameter", "left_out", "series", "condition", "share_lost"],
    )


LOST = lost(
    {
        ("series", "blood", ""): (0.97, 0.2),
        ("series", "urine", ""): (0.1, 0.3),
        ("condition", "", "low dose"): (0.6, 0.1),
        ("condition", "", "blood"): (0.0, 0.1),
        ("both", "blood", "low dose"): (0.99, 0.99),
        ("priors", "", ""): (0.0, 0.4),
    }
)


def starts():
    """Ends of four starts: two as good as the best, one within the interval, one that failed."""
    return np.array([[1.0, 2.0, 1], [1.0, 6.0, 1], [10.0, 3.0, 1], [NAN, NAN, NAN]]), np.array([1.0, 1.0, 2.0, NAN])


def draw_traces(**settings):
    return parameter_traces(*starts(), 3.0, BOUNDS, ["rate"], {"rate": (0.5, 20.0)}, **settings)


FIGURES = {
    draw_traces: ["rate", "dead time", "0.01", "100", "loss above the best"],
    lambda: correlations(PAIRS): ["rate", "size", "idle", "1.00", "−0.42", "–"],
    lambda: data_shares(LOST): ["rate", "blood", "urine", "low dose", "priors", "97 %", "20 %"],
}


@pytest.mark.parametrize("draw", FIGURES)
def test_figures_say_what_they_show_in_the_same_bytes_each_time(draw):
    svg = style.to_svg(draw(), "a.svg")
    assert set(FIGURES[draw]) < set(texts(svg))
    assert style.to_svg(draw(), "a.svg") == svg


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e6])
def test_profiles_rise_from_0_whatever_the_best_loss_is(unit):
    """An interval of a hundredth of a loss is seen as well as one of many times it."""
    held = pd.DataFrame({"parameter": "rate", "value": [1.0, 2, 3], "loss": unit * np.array([500.0, 400, 404])})
    (panel,) = profiles(held, 403.9 * unit, {"rate": 2.0}, {}).axes
    (curve, limit, best) = panel.lines
    assert curve.get_ydata() / unit == pytest.approx([100, 0, 4], abs=1e-6)
    assert limit.get_ydata()[0] / unit == pytest.approx(3.9) and best.get_xdata()[0] == 2
    assert panel.get_yticks()[:2] / unit == pytest.approx([0, 10], rel=1e-6)


def test_traces_are_shares_of_the_bounds_by_the_loss_in_units_of_the_interval():
    assert shares(np.array([0.01, 1.0, 100.0]), *BOUNDS["rate"], True) == pytest.approx([0, 0.5, 1])
    assert shares(np.array([2.0, 9.0]), *BOUNDS["dead_time"], False) == pytest.approx([0.25, 1])
    for unit in (1e-12, 1.0, 1e12):
        assert above_best(unit * np.array([1.0, 2.0, 5.0]), unit * 3.0) == pytest.approx([0, 0.5, 2])
    # A perfect fit has no interval.
    assert above_best(np.array([0.0, 0.0, 1.0]), 0.0).tolist() == [0, 0, np.inf]
    assert "3 of 3 starts ended, 2 of them at the best loss" in draw_traces().get_label()
    drawn = style.to_svg(draw_traces(places=[7, 8, 9, 10]), "a.svg")
    assert all(f'data-picks="{place}"' in drawn for place in (7, 8, 9)) and "dose" not in texts(drawn)


def test_nothing_is_drawn_of_nothing():
    assert correlations(PAIRS.iloc[:0]) is None
    assert data_shares(LOST[LOST["series"] == "blood"]) is None
    assert parameter_traces(np.full((2, 3), NAN), np.full(2, NAN), 1.0, BOUNDS) is None


def test_of_many_parameters_and_conditions_those_with_the_most_to_say_are_drawn_and_that_is_said():
    names = [f"k{j}" for j in range(40)]
    first, second = np.triu_indices(40, 1)
    r = np.where((first == 0) | (second == 39), 0.9, 0.1 * (second < 38))
    table = pd.DataFrame({"parameter": np.take(names, first), "other": np.take(names, second), "correlation": r})
    svg = style.to_svg(correlations(table), "a.svg")
    assert f"{MOST_PARAMETERS} of 40 parameters with the strongest correlations." in texts(svg)
    wide = lost({("condition", "", f"c{c}"): np.linspace(0, c / 60, 40) for c in range(60)}, names)
    said = texts(style.to_svg(data_shares(wide), "a.svg"))
    assert (
        "30 of 40 parameters. 24 of 60 parts of the data." in said and {"c59", "k39"} < set(said) and "c1" not in said
    )


# -- words -------------------------------------------------------------------------------------------------------------


def told(X, loss, **tables):
    """The sentences of a fit whose starts ended so."""
    frame = pd.DataFrame({"x.rate": X[:, 0], "x.dead_time": X[:, 1], "predicted_loss": loss})
    frame = frame.assign(objective="o", inverter="starts", evaluations=9)
    space = Space((Input("rate", 0.01, 100.0), Input("dead_time", 0.0, 8.0)))
    material = SimpleNamespace(candidates=frame, space=space)
    findings = {"parameters": [{"parameter": "rate", "logarithmic": True}]}
    wanted = objective.build("o", {"fit": {"loss": "mse"}}, ())
    return identifiability.sentences(material, wanted, {"findings": findings, **tables})


def test_words_say_where_starts_agree_and_where_they_do_not():
    X, loss = starts()
    assert told(X, loss) == [
        "2 of 4 starts ended as good as the best, but with different values of dead time (50% of its bounds)."
    ]
    X[1] = X[0]
    assert told(X, loss) == [
        "2 of 4 starts ended as good as the best, and agree on every parameter to 1% of its bounds."
    ]
    assert "only one" in told(X, np.array([1.0, 1.5, 2, 3]))[0]
    assert told(X, np.full(4, NAN)) == []


def test_words_name_what_is_correlated_and_what_data_tells_it():
    X, loss = starts()
    _, strong, half, shared = told(X, loss, correlations=PAIRS, information=LOST)
    assert "rate and size (0.9996); size and loss (−0.96)." in strong
    lead = "More than half of the information on a parameter is lost without any one of the data in parentheses: "
    assert half == f"{lead}rate (series blood, condition low dose)."
    needed = lost({("series", "blood", ""): (0.9, 0.1, 0.7), ("series", "urine", ""): (0.1, 0.9, 0.9)}, "abc")
    said = told(X, loss, correlations=PAIRS, information=needed)[2]
    assert said == f"{lead}a (series blood); b (series urine); c (series blood, series urine)."
    names = [f"k{j}" for j in range(8)]
    own = lost({("condition", "", n): [float(n == m) for m in names] for n in names}, names)
    assert told(X, loss, correlations=PAIRS, information=own)[2].endswith("k5 (condition k5); 2 more in the figure.")
    assert shared == "No single part of the data holds half of the information on size."
    weak = PAIRS.assign(correlation=PAIRS["correlation"] / 2)
    blind = LOST.assign(share_lost=LOST["share_lost"].where(LOST["parameter"] == "rate"))
    said = told(X, loss, correlations=weak, information=blind)
    assert said[1] == "No two parameters are correlated by 0.95 or more at the best fit."
    assert said[2] == "Near the best fit no value depends on size."
    # One series that tells everything is not worth a sentence.
    assert len(told(X, loss, correlations=weak, information=LOST[LOST["series"] == "blood"])) == 2
