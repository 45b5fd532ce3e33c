"""The sender that runs beside Snakemake."""

from preimage.tracking.sending import watch

watch()
