"""The kernels of searches on trees, compiled before steps need them."""

from preimage.inversion.kernels import compile_all
from preimage.support.files import write_text


def main(snakemake):
    compile_all()
    write_text(snakemake.log[0], "compiled\n")
    write_text(snakemake.output[0], "compiled\n")


main(snakemake)
