"""What surrounds a step's work: its record, its code's digest, the run of Snakemake that it is part of."""
