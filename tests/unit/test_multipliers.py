"""Bounds by multipliers: never below what a cell of the box gives, tighter than trees by themselves, and a search that
uses them proves what a plain one does."""

import itertools

import numpy as np
import pytest
import xgboost

from preimage.core import objective
from preimage.core.space import Input, Space
from preimage.inversion import certified
from preimage.inversion.kinds.certified import Certified
from preimage.inversion.question import Question, SearchContext
from preimage.surrogates.brought import xgboost_file
from preimage.trees import branch_and_bound, tightening
from preimage.trees.boxes import build
from preimage.trees.objective import reduce

from ..killed_searches import killed_again_and_again


def boosted(tmp_path, seed, d, trees, depth, kind="maximize"):
    """Return a boosted ensemble's question for its largest or smallest value."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(0, 1, (150, d))
    y = 5 * np.sin(7 * X[:, 0] * X[:, -1]) + (X**2).sum(axis=1) + 0.1 * rng.normal(size=len(X))
    model = xgboost.XGBRegressor(n_estimators=trees, max_depth=depth, random_state=0, n_jobs=1).fit(X, y)
    model.save_model(tmp_path / "model.ubj")
    forest = xgboost_file.read(tmp_path / "model.ubj").trees
    space = Space(tuple(Input(f"x{j}", 0.0, 1.0) for j in range(d)))
    Y = y[:, None]
    wanted = objective.build("o", {kind: "y"}, ["y"], Y.std(axis=0), np.ptp(Y, axis=0))
    return Question(space, wanted, forest.predict, X, Y, np.arange(len(X)), trees=forest)


def bounded(question):
    """Return the grid of a question's trees, and what bounds them by multipliers."""
    wanted, channels = reduce(question.objective, question.trees)
    grid, trees = build(question.trees, question.space, channels)
    return grid, tightening.Tightening(trees, grid, wanted)


def losses_of_cells(question, grid, lo, hi):
    """Return the loss in every cell of a box, at a point inside each."""
    ranges = [range(a, b) for a, b in zip(lo, hi, strict=True)]
    cells = np.array(list(itertools.product(*ranges)), np.int32)
    return question.objective.loss(question.trees.predict(grid.ends(cells, cells + 1)[1]))


@pytest.mark.parametrize("kind", ["minimize", "maximize"])
def test_no_cell_of_a_box_has_a_loss_below_the_bound_whatever_the_multipliers(kind, tmp_path):
    tight = 0
    for seed in range(6):
        question = boosted(tmp_path, seed, 2, 12, 3, kind)
        grid, bounds = bounded(question)
        rng = np.random.default_rng(seed)
        ends = [np.sort(rng.integers(0, n + 1, (20, 2)), axis=1) for n in grid.shape]
        lo = np.stack([e[:, 0] for e in ends], axis=1).astype(np.int32)
        hi = np.maximum(np.stack([e[:, 1] for e in ends], axis=1), lo + 1).astype(np.int32)
        lo, hi = np.minimum(lo, grid.shape - 1).astype(np.int32), np.minimum(hi, grid.shape).astype(np.int32)
        least = np.array([losses_of_cells(question, grid, a, b).min() for a, b in zip(lo, hi, strict=True)])
        for scale in (0.0, 0.3, 30.0):
            prices = (scale * rng.normal(size=(len(lo), len(bounds.none)))).astype(np.float32)
            found, _ = bounds.losses(lo, hi, prices, float(least.min()) - 1.0)
            assert (found <= least).all()
        prices = np.zeros((len(lo), len(bounds.none)), np.float32)
        found, _ = bounds.losses(lo, hi, prices, float(least.min()), first=True)
        assert (found <= least).all()
        again, _ = bounds.losses(lo, hi, prices, float(least.min()))
        assert (again <= least).all()
        tight += int((least - found < 1e-3).sum())
    assert tight > 30  # of 120: a bound of minus infinity would be below as well


def test_multipliers_close_most_of_what_trees_by_themselves_leave(tmp_path):
    question = boosted(tmp_path, 0, 4, 60, 4)
    grid, bounds = bounded(question)
    lo, hi = np.zeros((1, 4), np.int32), grid.shape[None].astype(np.int32)
    best = question.objective.loss(question.trees.predict(np.random.default_rng(0).random((20_000, 4)))).min()
    plain = -float(bounds.trees.most[0, bounds.trees.roots].max(axis=1).sum() + bounds.sums.start)
    (found,), _ = bounds.losses(lo, hi, bounds.none[None], float(best), first=True)
    assert plain < found <= best
    assert best - found < 0.6 * (best - plain)


def asked(question, **options):
    given = {"boxes": 100_000, "gap": 0.0, "memory": 100, "starts": 2}
    context = SearchContext(np.random.default_rng(0), **options)
    return certified.invert(question, Certified(**given), context)


def test_a_search_by_multipliers_proves_what_a_plain_one_does(tmp_path, monkeypatch):
    for seed, kind in enumerate(["maximize", "minimize", "maximize"]):
        question = boosted(tmp_path, seed, 3, 30, 4, kind)
        monkeypatch.setattr(branch_and_bound, "AFTER", 10**9)
        plain = asked(question)
        monkeypatch.setattr(branch_and_bound, "AFTER", 1)
        other = asked(question)
        assert plain.certificate["closed"] and other.certificate["closed"]
        assert plain.certificate["loss"] == other.certificate["loss"]
        assert plain.certificate["boxes"] != other.certificate["boxes"]


def test_a_search_by_multipliers_that_is_killed_ends_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(branch_and_bound, "AFTER", 1)
    question = boosted(tmp_path, 3, 5, 40, 5)
    whole = asked(question)
    path = tmp_path / "state.json"

    def search(report):
        return asked(question, state=path, report=report)

    answer, kills = killed_again_and_again(monkeypatch, search, 3, 4)
    assert kills > 1
    assert answer.certificate == whole.certificate and np.array_equal(answer.X, whole.X)
