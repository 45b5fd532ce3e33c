"""Figures of inference: drawn in every odd case, the same bytes each time, fit for any page."""

from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from preimage.figures import inference_gallery, style
from preimage.figures.coverage_curves import coverage_curves
from preimage.figures.error_boxes import error_boxes
from preimage.figures.posterior_pairs import posterior_pairs
from preimage.figures.predictive_overlay import predictive_overlay
from preimage.figures.proposal_path import Way, proposal_path
from preimage.figures.rank_differences import rank_differences

LOOKS = style.looks(["alfi", "nes", "_own"])
NAN = float("nan")


def rng():
    return np.random.default_rng(0)


def way(steps=3, d=2):
    return Way(np.zeros((steps, d)), np.ones((steps, d)), rng().normal(size=(steps, 50)))


def draw_pairs(d=2, truth=True):
    draws = rng().normal(size=(300, d))
    names = ["energy (GeV)", "coupling", *(f"p{k}" for k in range(d - 2))][:d]
    answers = {"alfi": draws, "nes": draws[:1], "_own": draws + 1}
    return posterior_pairs(answers, 3 * draws, names, np.zeros(d) if truth else None, LOOKS)


def draw_ranks():
    ranks = {"alfi": rng().random((200, 2)), "nes": rng().beta(2, 1, (200, 2))}
    return rank_differences(ranks, ["energy (GeV)", "coupling"], LOOKS)


def draw_coverage():
    return coverage_curves({"alfi": rng().random(200), "nes": rng().beta(2, 1, 200)}, LOOKS)


def draw_overlay():
    return predictive_overlay(rng().random((99, 1)), {"alfi": rng().random((500, 1))}, ["cos of the angle"], LOOKS)


def draw_path():
    names = ["energy (GeV)", "coupling"]
    prior = 3 * rng().normal(size=(90, 2))
    ways = {"untrained": way(), "trained": way(80)}
    return proposal_path(ways, rng().normal(size=50), prior, np.zeros(2), names, "angle")


def draw_boxes():
    errors = {"alfi": rng().random(50), "nes": np.append(rng().random(4), NAN)}
    return error_boxes(errors, "the log rate", LOOKS, {"nes": "on 4"})


WORDS = {
    draw_pairs: ["energy (GeV)", "coupling", "prior", "truth"],
    draw_ranks: ["rank of the truth", "uniform, 95 %", "energy (GeV)"],
    draw_coverage: ["mass of the region", "share of truths within"],
    draw_overlay: ["observed", "cos of the angle"],
    draw_path: ["untrained", "trained", "energy (GeV)", "angle"],
    draw_boxes: ["absolute error of the log rate; diamond: root mean square", "(on 4)"],
}


@pytest.mark.parametrize("draw", WORDS, ids=lambda d: d.__name__)
def test_svg_has_its_words_and_the_same_bytes_each_time(draw):
    svg = style.to_svg(draw(), "a.svg")
    root = ElementTree.fromstring(svg)
    found = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
    assert set(WORDS[draw]) <= set(found)
    assert len(root.get("aria-label")) > 20 and style.INK not in svg
    assert style.to_svg(draw(), "a.svg") == svg


def test_nothing_to_draw_is_no_figure():
    none = np.empty((0, 2))
    assert posterior_pairs({"alfi": np.full((3, 2), NAN)}, none, ["a", "b"], None, LOOKS) is None
    assert rank_differences({"alfi": none}, ["a", "b"], LOOKS) is None
    assert coverage_curves({"alfi": np.empty(0)}, LOOKS) is None
    assert predictive_overlay(np.ones((3, 1)), {"alfi": np.full((3, 1), NAN)}, ["a"], LOOKS) is None
    assert proposal_path({"trained": way(0)}, np.ones(3), np.ones((3, 2)), None, ["a", "b"], "x") is None
    assert error_boxes({"alfi": np.full(3, NAN)}, "a", LOOKS) is None


@pytest.mark.some(2)
@pytest.mark.parametrize(
    "figure",
    [
        lambda: draw_pairs(1),
        lambda: draw_pairs(7, truth=False),
        lambda: posterior_pairs({"alfi": np.ones((9, 2))}, np.ones((9, 2)) * [1, 2], ["a", "b"], None, LOOKS),
        lambda: rank_differences({"alfi": rng().random((1, 9))}, [f"q{k}" for k in range(9)], LOOKS),
        lambda: coverage_curves({"_own": np.array([1.0])}, LOOKS),
        lambda: predictive_overlay(np.ones((1, 9)), {"nes": np.ones((1, 9))}, ["c" * 60] * 9, LOOKS),
        lambda: predictive_overlay(np.full((5, 1), 0.5), {"nes": np.full((5, 1), 0.5)}, ["c"], LOOKS),
        lambda: predictive_overlay(rng().poisson(3, (50, 1)), {"nes": rng().poisson(1e5, (50, 1))}, ["count"], LOOKS),
        lambda: proposal_path({"trained": way(1, 1)}, np.ones(1), np.ones((1, 1)), None, ["a"], "x"),
        lambda: error_boxes({"nes": np.zeros(3)}, "a", LOOKS),
    ],
)
def test_odd_data_is_drawn(figure):
    ElementTree.fromstring(style.to_svg(figure(), "a.svg"))


def test_a_long_way_is_a_few_of_its_steps_and_wild_proposals_do_not_hide_the_prior():
    assert [k for k, _ in way(80).drawn()] == [0, 16, 32, 47, 63, 79]
    assert way(3).drawn() == [(0, 0.0), (1, 0.5), (2, 1.0)] and way(1).drawn() == [(0, 0.0)]
    wild = Way(np.array([[0.5, 0.5], [0.4, 40.0]]), np.array([[1.0, 1], [90, 90]]), np.zeros((2, 9)))
    prior = rng().random((500, 2))
    left = proposal_path({"a": wild}, np.zeros(9), prior, None, ["a", "b"], "x").axes[0]
    for low, high in (left.get_xlim(), left.get_ylim()):
        assert -0.5 < low < 0 and 1 < high < 1.5


def test_coverage_says_the_share_in_the_90_percent_region():
    levels = np.r_[np.full(19, 0.5), 0.95]
    assert "alfi 95.0 %" in coverage_curves({"alfi": levels}, LOOKS).get_label()


def test_ranks_that_leave_the_band_are_named():
    label = draw_ranks().get_label()
    assert "nes leave the band" in label


def test_bins_of_counts_hold_one_number_each():
    panel = predictive_overlay(np.arange(20.0)[:, None], {"nes": np.arange(20.0)[:, None]}, ["count"], LOOKS).axes[0]
    first = panel.patches[0].get_data()
    assert ((first.edges % 1) == 0.5).all()


def test_errors_of_a_few_problems_are_drawn_one_by_one():
    axes = draw_boxes().axes[0]
    circles = [line for line in axes.lines if line.get_marker() == "o"]
    assert [len(line.get_xdata()) for line in circles] == [4] and len(axes.patches) == 1
    assert "alfi" in draw_boxes().get_label() and "(4 problems)" in draw_boxes().get_label()


def errors_of(**counts):
    """The figure of errors of methods that were asked as many fresh problems."""
    sets = {m: pd.DataFrame({"true.rate": np.zeros(n), "mean.rate": rng().random(n)}) for m, n in counts.items()}
    material = inference_gallery.Material(
        ["rate"], [], ["x"], {}, [], np.empty((0, 1, 1)), None, np.empty((0, 1)), {"alfi": []}, {}, {}, sets
    )
    (shown,) = [s for s in inference_gallery.plan(material) if s.file == "errors_rate.svg"]
    return shown


def test_methods_that_search_anew_do_not_take_problems_from_the_others():
    shown = errors_of(alfi=300, nes=4)
    assert (
        shown.caption.startswith("Of the same 300 fresh problems") and "were run on, or answered, only" in shown.caption
    )
    assert "(300 problems)" in shown.draw().get_label() and "(4 problems)" in shown.draw().get_label()
    assert "fewer" not in errors_of(alfi=300, nes=300).caption
