"""The figure of a benchmark's table: how seconds grow with size."""

from pathlib import Path

import pandas as pd

from preimage.figures.growth import growth
from preimage.figures.style import to_svg
from preimage.support.files import replacing


def main(snakemake):
    table = pd.read_csv(snakemake.input[0])
    drawn = to_svg(growth(table[table["series"].notna()]), "growth")
    with replacing(snakemake.output[0]) as path:
        Path(path).write_text(drawn, encoding="utf-8")


main(snakemake)
