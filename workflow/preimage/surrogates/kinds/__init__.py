"""Kinds of surrogate as a study names them, one per module.

Nothing heavy is imported here: a study is read wherever Snakemake runs.
"""
