"""Bounds of a model on boxes against what it predicts there: at random, in corners, and where searches get to."""

import numpy as np

from preimage.exact import bounding
from preimage.exact.model import Side


def boxes_of(rng, space, count, data=None):
    """Return boxes of all sizes, those without any, and the whole space; half of them around rows where these are
    given."""
    low, high = space.low, space.high
    half = (high - low) * 10.0 ** rng.uniform(-9, -0.3, (count, 1))
    middle = rng.uniform(low, high, (count, len(low)))
    if data is not None:
        middle[::2] = data[rng.integers(0, len(data), len(middle[::2]))]
    start = np.vstack([low, np.clip(middle - half, low, high), middle])
    return start, np.vstack([high, np.clip(middle + half, low, high), middle])


def ends_of(outputs):
    """Return both ends of each output, and of a sum of two where there are as many."""
    weights = [*np.eye(outputs).tolist(), *([[1.0, -2.0]] if outputs == 2 else [])]
    return [Side(tuple(w), sign) for w in weights for sign in (-1.0, 1.0)]


def adversaries(rng, values, sign, start, end, each, rounds):
    """Return points of boxes (boxes, k, d) and the sums there (boxes, k, sides), of which some were searched for where
    each sum is farthest to its side."""
    d, sides = start.shape[1], len(sign)

    def asked(U):
        P = np.clip(start[:, None] + U * (end - start)[:, None], start[:, None], end[:, None])
        return values(P.reshape(-1, d)).reshape(*U.shape[:2], sides)

    U = np.concatenate(
        [rng.random((len(start), each, d)), rng.integers(0, 2, (len(start), 8, d)), np.full((len(start), 1, d), 0.5)], 1
    )
    found = asked(U)
    best = np.take_along_axis(U, (sign * found).argmax(axis=1)[:, :, None], axis=1)
    tops, total = np.take_along_axis(found, (sign * found).argmax(axis=1)[:, None], axis=1)[:, 0], [found]
    for k in range(rounds):
        near = np.clip(best[:, :, None] + 0.5 ** (k + 2) * rng.normal(size=(len(start), sides, 6, d)), 0, 1)
        found = asked(near.reshape(len(start), -1, d))
        total.append(found)
        own = found.reshape(len(start), sides, 6, sides)
        own = np.stack([own[:, s, :, s] for s in range(sides)], axis=1)  # of each side, its own points
        at = (sign[:, None] * own).argmax(axis=2)
        value = np.take_along_axis(own, at[:, :, None], axis=2)[:, :, 0]
        better = sign * value > sign * tops
        moved = np.take_along_axis(near, at[:, :, None, None], axis=2)[:, :, 0]
        best, tops = np.where(better[:, :, None], moved, best), np.where(better, value, tops)
    return np.concatenate(total, axis=1)


def check(form, predict, space, rng, boxes=25, each=30, rounds=3, data=None, tight=True):
    """Compare a model's predictions with its bounds on boxes; return how many were compared."""
    ends = ends_of(len(predict(space.low[None])[0]))
    bounded = bounding.box_model(form, space, ends, predict)
    start, end = boxes_of(rng, space, boxes, data)
    own, _ = bounded.bound(start, end, bounded.fresh(len(start)))
    weights = np.array([side.weights for side in ends]).T
    sums = adversaries(rng, lambda P: predict(P) @ weights, bounded.sign, start, end, each, rounds)
    beyond = bounded.sign * (own[:, None] - sums)
    assert np.isfinite(own).all() and (beyond >= 0).all(), beyond.min()
    # At a point they are what is predicted, but for rounding.
    size = bounding.reach(form, space).max()
    assert not tight or beyond[-boxes:].max() <= 10 * (2 * bounded.margin.max() + 1e-9 * size)
    assert (np.abs(sums[:, :, 1]) <= bounding.reach(form, space)[0]).all()
    return sums.shape[0] * sums.shape[1]
