"""Rounds: which simulations to spend next, whether to train again, and whether a new model may replace the old one."""
