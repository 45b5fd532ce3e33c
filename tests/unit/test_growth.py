"""The figure of how seconds grow with size, on power laws whose exponents are known."""

import numpy as np
import pandas as pd

from preimage.figures import style
from preimage.figures.growth import growth


def test_slopes_are_those_of_the_power_laws():
    size = np.array([10.0, 100.0, 1000.0])
    table = pd.concat(
        pd.DataFrame({"series": name, "size": size, "ours": 0.01 * size**slope})
        for name, slope in (("trees", 1.0), ("rows", 1.5))
    )
    svg = style.to_svg(growth(table), "growth")
    assert "trees to the power of 1.00, rows to the power of 1.50" in svg
    assert "slope 1.00" in svg and "slope 1.50" in svg and ">1k<" in svg
