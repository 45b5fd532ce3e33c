"""The sets of samples to infer from: simulated at parameters from the prior, which are kept, or the user's own."""

from preimage.inference import arrays, observations
from preimage.inference.simulators import loading
from preimage.running.step import step
from preimage.support.files import write_json


def main(snakemake):
    with step(snakemake) as run:
        found, spec = loading.load(run.params["problem"]), run.params["observations"]
        if "simulate" in spec:
            sets = observations.simulated(found, spec["simulate"], spec["size"], run.rng)
        else:
            sets = observations.read(spec, found)
        arrays.write(snakemake.output.observed, sets.arrays())
        write_json(snakemake.output.info, {"names": sets.names, "redrawn": sets.redrawn})
        # Apart from the samples, so that other ones of the same size are no reason to train again.
        task = {"size": sets.x.shape[1], "coordinates": found.coordinates, "parameters": found.prior.names}
        write_json(snakemake.output.task, task)
        run.metric("observations/sets", len(sets.x))
        run.metric("observations/size", sets.x.shape[1])
        run.metric("observations/redrawn", sets.redrawn)
        run.artifact(snakemake.output.info)


main(snakemake)
