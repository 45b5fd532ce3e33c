"""Figures: drawn for every kind of study and in every odd case, the same bytes each time, fit for any page."""

import re
from functools import cache
from xml.etree import ElementTree

import numpy as np
import pytest

from preimage.core import objective
from preimage.figures import scale, style
from preimage.figures.answers_on_test import Answers, answers_on_test
from preimage.figures.convergence import convergence
from preimage.figures.domain_against_prediction import domain_against_prediction
from preimage.figures.fronts import Front, _stairs, fronts
from preimage.figures.history import history
from preimage.figures.parallel_coordinates import MOST_INPUTS, parallel_coordinates
from preimage.figures.predicted_against_truth import predicted_against_truth
from preimage.figures.scale import Scale
from preimage.figures.surface import surface
from preimage.figures.training_curves import training_curves
from preimage.figures.training_scatter import training_scatter
from preimage.figures.waterfall import waterfall

LOOKS = style.looks(["tpe", "starts", "random", "lookup", "_own"], ["lookup"])
DISTANCE = Scale("distance to 60 MPa (MPa)", "distance", 1.0, "within 1 MPa")
INPUTS = ["pressure (bar)", "speed (m/s)"]
NAN = float("nan")


def rng():
    return np.random.default_rng(0)


def plane(n=40):
    return rng().random((n, 2))


def draw_surface():
    x = np.linspace(0, 1, 6)
    return surface(x, x, np.add.outer(x, x)[:, :, None], INPUTS, ["yield (%)"])


def draw_training_scatter():
    return training_scatter(plane(), plane().sum(axis=1, keepdims=True), INPUTS, ["yield (%)"])


def draw_predicted():
    truth = np.linspace(0, 10, 30)
    return predicted_against_truth(truth, truth + 0.5, truth - 1, truth + 1, "strength (MPa)")


def draw_history():
    return history({("forest", "tpe"): np.array([9.0, NAN, 4.0, 0.0]), ("gp", "_own"): np.ones(3)}, DISTANCE, LOOKS)


def draw_convergence():
    spent = {"tpe": (np.ones(4), np.array([NAN, 9.0, 4.0, 6.0])), "lookup": (np.zeros(1), np.array([1.0]))}
    return convergence(spent, DISTANCE, LOOKS)


def draw_answers():
    answers = [Answers("tpe", LOOKS["tpe"], np.array([[0.5, 0.5]])), Answers("none", LOOKS["starts"], np.empty((0, 2)))]
    return answers_on_test(plane(), plane().sum(axis=1), answers, INPUTS, "yield (%)", np.array([0.51, 0.5]))


def draw_parallel():
    rows = np.column_stack([rng().integers(0, 3, 20), rng().random(20), np.full(20, 7.0)])
    found = np.array([[2, 0.5, 7.0], [0, 5.0, 9.0], [1, -3.0, 7.0]])
    units, categories = {"water_content": "kg/m3"}, {"grade": ["low", "medium", "high"]}
    names = ["grade", "water_content", "constant"]
    return parallel_coordinates(
        found, rows, names, units, categories, ["tpe", "starts", "tpe"], [True, True, False], LOOKS
    )


def draw_domain():
    first = np.array([True, False, True])
    score, predicted = np.array([0.2, NAN, 1.0]), np.array([60.0, 61.0, 55.0])
    names = ["tpe", "tpe", "starts"]
    return domain_against_prediction(score, predicted, names, first, "predicted strength (MPa)", LOOKS, 0.95, (59, 61))


def draw_waterfall():
    return waterfall({("forest", "starts"): np.array([4.0, NAN, 1.0, 1.0])}, DISTANCE, LOOKS)


def draw_training():
    return training_curves(np.array([1.0, 0.5, 0.1, 0.05]), np.array([1.2, 0.6, 0.7, NAN]))


def front(k, bound=True):
    """A front of k outputs, of which the last is to be large; the truth of one point is not known."""
    t = np.linspace(0, 1, 9)
    Y = np.column_stack([t, (1 - t) ** 2, t][:k])
    signs = np.array([1.0] * (k - 1) + [-1.0])
    Y[:, -1] *= -signs[-1] if k == 2 else 1
    found = [
        Front("tpe", LOOKS["tpe"], Y, np.where(np.arange(9)[:, None] == 2, NAN, Y + 0.1)),
        Front("lookup", LOOKS["lookup"], Y[:2] + 0.2 * signs, np.full((2, k), NAN)),
        Front("none", LOOKS["starts"], np.empty((0, k)), np.empty((0, k))),
    ]
    labels = ["cost (EUR/kg)", "waste (g)", "yield (%)"]
    labels = [labels[0], labels[2]] if k == 2 else labels
    corners = Y - 0.05 * signs if bound else None
    return fronts(found, rng().random((30, k)), Y[4], signs, labels, corners)


def draw_front():
    return front(2)


def draw_three_outputs():
    return front(3)


UNITS = {
    draw_front: ["cost (EUR/kg)", "yield (%)", "smaller is better", "larger is better", "proven out of reach"],
    draw_three_outputs: ["cost (EUR/kg)", "waste (g)", "yield (%)", "front of the rows"],
    draw_surface: ["pressure (bar)", "speed (m/s)", "yield (%)"],
    draw_training_scatter: ["pressure (bar)", "speed (m/s)", "yield (%)"],
    draw_predicted: ["measured strength (MPa)", "predicted strength (MPa)"],
    draw_history: ["distance to 60 MPa (MPa)", "within 1 MPa"],
    draw_convergence: ["distance to 60 MPa (MPa)", "within 1 MPa"],
    draw_answers: ["pressure (bar)", "speed (m/s)", "yield (%)"],
    draw_parallel: ["kg/m3", "water content", "high"],
    draw_domain: ["predicted strength (MPa)", "edge of the data"],
    draw_waterfall: ["distance to 60 MPa (MPa)"],
    draw_training: ["epoch", "loss, outputs in standard deviations"],
}
ALL = pytest.mark.parametrize("draw", UNITS, ids=lambda d: d.__name__)


@cache
def svg_of(draw):
    return style.to_svg(draw(), "a.svg")


def texts(svg):
    return [t.text for t in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def ids(svg):
    return re.findall(r' id="([^"]*)"', svg)


# -- every figure ------------------------------------------------------------------------------------------------------


@ALL
def test_svg_fits_a_page_of_any_colour(draw):
    svg = svg_of(draw)
    root = ElementTree.fromstring(svg)
    assert root.get("viewBox")
    assert root.get("role") == "img"
    assert len(root.get("aria-label")) > 20
    assert "max-width:100%" in root.get("style")
    assert "currentColor" in svg
    assert style.INK not in svg
    assert "<style" not in svg
    assert "DejaVu" not in svg


@ALL
def test_same_call_gives_the_same_bytes(draw):
    assert style.to_svg(draw(), "a.svg") == svg_of(draw)


@ALL
def test_ids_of_two_figures_in_a_page_differ_and_are_all_used(draw):
    one, two = svg_of(draw), style.to_svg(draw(), "b.svg")
    assert len(set(ids(one))) == len(ids(one))
    assert not set(ids(one)) & set(ids(two))
    assert set(re.findall(r"(?:href=\"|url\()#([^\")]+)", one)) == set(ids(one))


@ALL
def test_labels_have_units(draw):
    found = texts(svg_of(draw))
    for text in UNITS[draw]:
        assert text in found


def test_dense_figures_stay_small():
    X = rng().random((50_000, 2))
    y = rng().normal(size=50_000)
    names = ["tpe"] * 25_000 + ["starts"] * 25_000
    many = [
        training_scatter(X, X.sum(axis=1, keepdims=True), INPUTS, ["yield (%)"]),
        predicted_against_truth(y, X[:, 0], y - 1, y + 1, "y (MPa)"),
        answers_on_test(X, y, [Answers("tpe", LOOKS["tpe"], X[:1])], INPUTS, "yield (%)"),
        domain_against_prediction(X[:, 0], y, names, np.arange(len(y)) == 0, "y (MPa)", LOOKS, 0.95),
        history({("forest", "tpe"): y**2}, DISTANCE, LOOKS),
    ]
    for figure in many:
        assert len(style.to_svg(figure, "a.svg")) < 400_000


# -- odd cases ---------------------------------------------------------------------------------------------------------


def test_nothing_to_draw_is_no_figure():
    none = np.full(3, NAN)
    assert surface(np.arange(5.0), np.arange(5.0), np.full((5, 5, 1), NAN), INPUTS, ["y"]) is None
    assert training_scatter(np.empty((0, 2)), np.empty((0, 1)), INPUTS, ["y"]) is None
    assert predicted_against_truth(none, none, none, none, "y") is None
    assert history({("forest", "tpe"): none}, DISTANCE, LOOKS) is None
    assert convergence({"tpe": (np.ones(3), none), "random": (np.empty(0), np.empty(0))}, DISTANCE, LOOKS) is None
    assert answers_on_test(plane(), plane()[:, 0], [], INPUTS, "y") is None
    nobody = Front("tpe", LOOKS["tpe"], np.empty((0, 2)), np.empty((0, 2)))
    assert fronts([nobody], plane(), np.zeros(2), [1, 1], ["a", "b"], None) is None
    assert answers_on_test(plane(3), none, [Answers("tpe", LOOKS["tpe"], plane(1))], INPUTS, "y") is None
    assert parallel_coordinates(np.empty((0, 2)), plane(), ["a", "b"], {}, {}, [], [], LOOKS) is None
    assert domain_against_prediction(none, none, ["tpe"] * 3, none > 0, "y", LOOKS, 0.95) is None
    assert waterfall({("forest", "starts"): none}, DISTANCE, LOOKS) is None
    assert waterfall({}, DISTANCE, LOOKS) is None
    assert training_curves(none, none) is None


@pytest.mark.parametrize(
    "figure",
    [
        lambda: training_scatter(plane(1), plane(1)[:, :1], INPUTS, ["y"]),
        lambda: surface(np.arange(5.0), np.arange(5.0), np.where(np.eye(5) == 1, NAN, 1.0)[:, :, None], INPUTS, ["y"]),
        lambda: surface(np.arange(5.0), np.arange(5.0), rng().random((5, 5, 3)), INPUTS, ["y", "z", "w"]),
        lambda: predicted_against_truth(*(np.array([v]) for v in (1.0, 1.0, NAN, NAN)), "y"),
        lambda: history({("forest", "tpe"): np.array([2.0])}, Scale("y", "up"), LOOKS),
        lambda: history({("forest", "tpe"): np.zeros(4)}, Scale("y", "distance"), LOOKS),
        lambda: convergence({"lookup": (np.zeros(1), np.ones(1))}, Scale("y", "down"), LOOKS),
        lambda: convergence({"tpe": (np.array([25.0]), np.array([1e-300]))}, Scale("y", "down", 3.0), LOOKS),
        lambda: answers_on_test(plane(1), np.ones(1), [Answers("t", LOOKS["tpe"], plane(1))], INPUTS, "y"),
        lambda: domain_against_prediction(
            np.ones(1), np.ones(1), ["tpe"], np.array([False]), "y", LOOKS, 0.95, None, 2.0
        ),
        lambda: parallel_coordinates(plane(1), plane(1), ["$a$", "b_" * 60], {}, {}, ["_own"], [True], LOOKS),
        lambda: parallel_coordinates(np.zeros((1, 1)), np.zeros((9, 1)), ["a"], {}, {"a": ["x"]}, ["tpe"], [1], LOOKS),
        lambda: training_curves(np.zeros(1), np.zeros(1)),
        lambda: training_curves(np.array([np.inf, 1.0]), np.array([np.inf, 0.0])),
        lambda: waterfall({("forest", "starts"): np.zeros(4), ("gp", "_own"): np.ones(1)}, Scale("y", "up"), LOOKS),
    ],
)
def test_odd_data_is_drawn(figure):
    ElementTree.fromstring(style.to_svg(figure(), "a.svg"))


def test_predicted_says_the_share_inside_the_interval():
    truth = np.array([1.0, 2.0, 3.0, 4.0])
    figure = predicted_against_truth(truth, truth, truth - 1, truth + np.array([1, 1, 1, -0.5]), "y (MPa)", level=0.9)
    assert figure.axes[0].get_title(loc="left") == "75% of 4 held-out rows lie in their 90% interval"


def test_training_curves_mark_the_epoch_whose_weights_were_kept():
    axes = draw_training().axes[0]
    training, validation, kept = axes.lines[:3]
    assert list(training.get_ydata()) == [1.0, 0.5, 0.1, 0.05]
    assert list(validation.get_ydata()[:3]) == [1.2, 0.6, 0.7]
    assert set(kept.get_xdata()) == {2}


def test_waterfall_shades_plateaus_and_says_their_starts():
    losses = np.array([4.0, NAN, 1.0, 1.0, 1.0, 9.0, 4.0, 4.0, 4.0])
    figure = waterfall({("forest", "starts"): losses}, DISTANCE, LOOKS)
    shaded = [line for line in figure.axes[0].lines if line.get_alpha() == 0.25]
    assert [tuple(line.get_xdata()) for line in shaded] == [(1, 3), (4, 7)]
    assert [tuple(line.get_ydata()) for line in shaded] == [(1, 1), (2, 2)]
    assert {"×3", "×4"} <= set(texts(style.to_svg(figure, "a.svg")))
    assert "8 starts of starts on forest, 2 plateaus" in figure.get_label()


def test_convergence_accumulates_and_lookup_is_level():
    spent = {
        "starts": (np.array([5, 7, 3]), np.array([-1.0, NAN, -4.0])),
        "lookup": (np.zeros(1), np.array([-3.0])),
    }
    axes = convergence(spent, Scale("strength (MPa)", "up"), LOOKS).axes[0]
    lines = {line.get_color(): line for line in reversed(axes.lines)}
    np.testing.assert_array_equal(lines[LOOKS["starts"].colour].get_xdata(), [5, 12, 15])
    np.testing.assert_array_equal(lines[LOOKS["starts"].colour].get_ydata(), [1, 1, 4])
    assert set(lines[style.INK].get_ydata()) == {3.0}


def test_waterfall_sorts_and_leaves_failed_starts_out():
    (line,) = draw_waterfall().axes[0].lines[:1]
    np.testing.assert_array_equal(line.get_ydata(), [1, 1, 2])


def test_parallel_coordinates_shows_where_many_inputs_differ():
    rows = rng().random((20, 200))
    found = np.repeat(rng().random((1, 200)), 3, axis=0)
    found[1, 150:] += 0.1
    names = [f"v{j}" for j in range(200)]
    figure = parallel_coordinates(found, rows, names, {}, {}, ["tpe"] * 3, [True] * 3, LOOKS)
    shown = texts(style.to_svg(figure, "a.svg"))
    assert f"The {MOST_INPUTS} of 200 inputs in which the solutions differ most." in shown
    listed = [t for t in shown if re.fullmatch(r"v\d+", t)]
    assert len(listed) == MOST_INPUTS
    assert all(int(t[1:]) >= 150 for t in listed)


def test_parallel_coordinates_draws_the_recommended_one_thick_and_last():
    lines = [line for line in draw_parallel().axes[0].lines if line.get_marker() == "o"]
    assert [line.get_linewidth() > 3 for line in lines] == [False, False, True]
    np.testing.assert_allclose(lines[-1].get_xdata()[[0, 2]], [1.0, 0.5])


# -- words, numbers and looks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (540.0, "540"), (17973.47, "17970"), (0.014662, "0.01466"), (-2.5, "−2.5"), (2e-28, "2e−28")],
)  # fmt: skip
def test_numbers_are_short_and_plain(value, text):
    assert style.number(value) == text


def test_looks_are_told_apart_and_stable():
    names = [f"m{k}" for k in range(12)]
    found = style.looks(["nearest", *names], ["nearest"])
    assert len({(look.colour, look.marker) for look in found.values()}) == 13
    assert found["nearest"].colour == style.INK and style.looks(["lookup"])["lookup"].colour != style.INK
    assert style.looks(names[:3])["m1"] == found["m1"]


def test_legend_has_room_for_every_label():
    labels = ["tpe on forest", "starts on forest", "random on forest", "lookup", "direct on simulator", "known minimum"]
    columns = style.legend_columns(labels)
    assert 1 < columns < len(labels)
    assert style.legend_columns(["x" * 100] * 3) == 1
    assert style.legend_columns([]) == 1


def build(spec, outputs=("strength", "cost")):
    return objective.build("o", spec, outputs, [2.0, 3.0], [100.0, 10.0])


def test_scale_shows_the_output_itself_or_the_distance():
    units = {"strength": "MPa", "cost": "EUR"}
    up = scale.of(build({"maximize": "strength"}), units)
    assert (up.label, up.kind) == ("predicted strength (MPa)", "up")
    np.testing.assert_array_equal(up.values([-80.0, NAN, np.inf]), [80.0, NAN, NAN])
    target = scale.of(build({"target": {"strength": 60}, "tolerance": 1}), units)
    assert (target.label, target.met) == ("distance to 60 MPa (MPa)", "within 1 MPa")
    np.testing.assert_array_equal(target.values([4.0, -1e-18]), [2.0, 0.0])
    within = scale.of(build({"within": {"strength": [55, 65]}}), units)
    assert (within.label, within.met) == ("distance to 55 to 65 MPa (MPa)", "")
    both = scale.of(build({"minimize": {"strength": 1, "cost": 2}}), units)
    assert (both.label, both.kind) == ("predicted strength + 2 × cost", "down")
    scaled = scale.of(build({"target": {"strength": 60, "cost": 1}, "scaled": True}), units)
    assert scaled.label == "distance to what is wanted (standard deviations)"


def test_accepted_interval():
    assert scale.accepted(build({"minimize": "cost"})) is None
    assert scale.accepted(build({"target": {"cost": 5}, "tolerance": 1})) == (4, 6)
    assert scale.accepted(build({"within": {"cost": [5, 9]}})) == (5, 9)


# -- fronts ------------------------------------------------------------------------------------------------------------


def test_the_edge_of_a_front_steps_from_worst_to_worst():
    """By hand: yield is to be large, cost small; (3, 9) is dominated by (4, 8)."""
    x, y = _stairs(np.array([[2.0, 5.0], [4.0, 8.0], [3.0, 9.0]]), np.array([-1.0, 1.0]), np.array([0.0, 10.0]))
    assert list(zip(x, y, strict=True)) == [(4, 10), (4, 8), (2, 8), (2, 5), (0, 5)]


def test_nothing_is_shaded_without_a_proof_and_each_pair_of_outputs_has_a_panel():
    assert "proven out of reach" not in texts(style.to_svg(front(2, bound=False), "a.svg"))
    assert len(front(2).axes) == 1 and len(front(3).axes) == 3
    for panel in front(3).axes:
        assert panel.get_xlabel() and panel.get_ylabel()


@pytest.mark.parametrize(
    ("names", "letters", "shown"),
    [
        (["a", "b"], 5, ["a", "b"]),
        (["cement type I fine", "cement type II fine"], 10, ["… I", "… II"]),
        (["cement type", "cement type II"], 10, ["cement ty…", "… II"]),
        (["long name one", "long name one more words"], 8, ["long na…", "… more …"]),
        (["extraordinary", "extraordinarily"], 6, ["extra…", "extra…"]),
        (["only one long name"], 6, ["only …"]),
    ],
)
def test_long_names_lose_the_words_that_all_have(names, letters, shown):
    assert style.told_apart(names, letters) == shown
