"""The tracking store, created once, before anything is sent to it."""

from preimage.support.files import write_text
from preimage.tracking import sending


def main(snakemake):
    message = sending.create_store()
    write_text(snakemake.log[0], message + "\n")
    write_text(snakemake.output[0], message + "\n")


main(snakemake)
