"""Fitting models of series (differential equations, curves) to what was observed: calibration is inversion of a
simulator, with a loss against data in the place of an output."""
