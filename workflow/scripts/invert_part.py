"""One part of an inverter's work, as one of several jobs that `invert` puts together."""

from preimage import inversion
from preimage.inversion import parts, questions
from preimage.running.step import step
from preimage.trees import threads


def main(snakemake):
    with step(snakemake) as run:
        # The other parts have the other cores.
        threads.use_at_most(snakemake.threads)
        asked = questions.build(run.params, snakemake.input, snakemake.wildcards.objective)
        options = {**run.params["inverter"], "part": run.part}
        report = run.progress(-(-len(asked.questions) * inversion.planned(options) // run.part[1]))
        answers = inversion.propose(options["kind"], asked.questions, options, run.rng_of("invert"), run.state, report)
        parts.write(snakemake.output.part, answers)
        run.record.timing["evaluations"] = float(sum(sum(a.evaluations) for a, _ in answers))


main(snakemake)
