"""Inverters as a study names them, one kind per module.

Nothing heavy is imported here: a study is read wherever Snakemake runs.
"""
