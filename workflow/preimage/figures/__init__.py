"""Figures, one a module: plain values in, a `matplotlib.figure.Figure` out (None where there is nothing to draw)."""
