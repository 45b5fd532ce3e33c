"""The page of a study of inference: from the tables and findings of the steps before."""

from preimage.files import write_text
from preimage.step import step


def main(snakemake):
    with step(snakemake):
        write_text(snakemake.output.page, "<p>")


main(snakemake)
