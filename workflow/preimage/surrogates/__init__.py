"""Models that stand in for the truth, one kind a module.

`kinds/` declares each kind as a study names it, with its options; the module of the same name beside it trains and
loads, and is imported by the step that needs it. `protocol` is what a model must be able to do.
"""
