"""One part of an inverter's work, as one of several jobs that `invert` puts together."""

from preimage.inversion import asking, parts, questions
from preimage.inversion.base import Inverter
from preimage.inversion.question import SearchContext
from preimage.running.step import step
from preimage.trees import threads


def main(snakemake):
    with step(snakemake) as run:
        # The other parts have the other cores.
        threads.use_at_most(snakemake.threads)
        asked = questions.build(run.params, snakemake.input, snakemake.wildcards.objective, run.shared_rng("variation"))
        inverter = Inverter.of(run.params["inverter"])
        report = run.progress(-(-len(asked.questions) * inverter.planned // run.part[1]))
        context = SearchContext(run.rng_of("invert"), run.state, report, run.part)
        answers = asking.propose(inverter, asked.questions, context)
        parts.write(snakemake.output.part, answers)
        run.record.timing["evaluations"] = float(sum(sum(a.evaluations) for a, _ in answers))


main(snakemake)
