"""Do the rows that the champion has not seen give reason to replace it?"""

from preimage.data import rows
from preimage.relearning.judging import judged
from preimage.running.step import step
from preimage.support.files import write_json


def main(snakemake):
    with step(snakemake) as run:
        from preimage.tracking.registry import Registry

        known, gate = (
            rows.load(path, snakemake.input.info, run.params["categories"])
            for path in (snakemake.input.train, snakemake.input.gate)
        )
        found = judged(Registry(), run.params["name"], known, gate, run.params["when"])
        write_json(snakemake.output.decision, found)
        run.metric("decision/relearn", float(found["relearn"]))
        for figure, value in found["figures"].items():
            run.metric(f"decision/{figure}", value)
        run.artifact(snakemake.output.decision)


main(snakemake)
