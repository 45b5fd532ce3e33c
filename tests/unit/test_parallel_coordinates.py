"""Numbers of any size beside an axis have room."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from preimage.figures.parallel_coordinates import parallel_coordinates
from preimage.figures.style import looks


@pytest.mark.parametrize("scale", [1e-9, 1e-5, 1.0, 100.0, 12345.678, 1e8, 1e15])
@pytest.mark.parametrize("offset", [0.0, 1.0, -1.0])
def test_numbers_beside_an_axis_do_not_touch(scale, offset):
    rows = scale * (np.random.default_rng(0).random((50, 4)) + offset)
    figure = parallel_coordinates(
        rows[:3], rows, list("abcd"), {"a": "kg"}, {}, ["one"] * 3, [True] * 3, looks(["one"])
    )
    renderer = FigureCanvasAgg(figure).get_renderer()
    lines = {}
    for text in figure.axes[0].texts:
        if text.get_text():
            box = text.get_window_extent(renderer)
            lines.setdefault(round(box.y0 + box.y1), []).append((box.x0, box.x1))
    beside = [pair for boxes in lines.values() for pair in pairwise(sorted(boxes))]
    assert len(beside) >= 3 * 4
    assert all(one[1] < other[0] for one, other in beside)
