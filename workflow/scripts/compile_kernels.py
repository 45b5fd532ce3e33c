"""The kernels of exact searches on one form of models, compiled before steps need them."""

from preimage.inversion.kernels import COMPILED
from preimage.support.files import write_text


def main(snakemake):
    COMPILED[snakemake.wildcards.form]()
    write_text(snakemake.log[0], "compiled\n")
    write_text(snakemake.output[0], "compiled\n")


main(snakemake)
