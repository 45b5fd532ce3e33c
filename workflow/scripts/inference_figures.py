"""The figures of a study of inference, drawn from its first seed, as SVG with their captions."""

from preimage.files import replacing, write_json
from preimage.step import step


def main(snakemake):
    with step(snakemake), replacing(snakemake.output.folder) as folder:
        folder.mkdir()
        write_json(folder / "captions.json", [])


main(snakemake)
