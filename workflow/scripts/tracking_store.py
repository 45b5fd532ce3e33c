"""The tracking store, created once, before anything is sent to it."""

from preimage import tracking
from preimage.files import write_text


def main(snakemake):
    message = tracking.create_store()
    write_text(snakemake.log[0], message + "\n")
    write_text(snakemake.output[0], message + "\n")


main(snakemake)
