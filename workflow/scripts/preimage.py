"""The whole preimage of an objective on a surrogate: all inputs that meet it, as disjoint boxes."""

from pathlib import Path

from preimage.data import split_rows
from preimage.exact import preimage
from preimage.running.step import step
from preimage.support.files import replacing
from preimage.surrogates.base import module
from preimage.trees import threads


def main(snakemake):
    with step(snakemake) as run:
        threads.use_at_most(snakemake.threads)
        spec, options = run.params["problem"], run.params["options"]
        known = split_rows.read(spec, snakemake.input.info, snakemake.input.train)
        (wanted,) = known.objectives({snakemake.wildcards.objective: run.params["objective"]}).values()
        model = module(run.params["surrogate"]["kind"]).load(Path(snakemake.input.model))
        report = run.progress(options["boxes"])
        trees = getattr(model, "trees", None)
        of = [preimage.preimage, trees] if trees is not None else [preimage.of_form, model.exact_form(), model.predict]
        found = of[0](
            *of[1:], wanted.allowed(known.setting.space), wanted, options["boxes"], options.get("seconds"),
            run.state, report, known.formulas,
        )  # fmt: skip
        inner, outer = found.bracket
        table = found.table()
        # Kept in the parquet file's own description.
        table.attrs["preimage"] = {
            "inner": inner, "outer": outer, "examined": found.examined, "stopped": found.stopped,
        }  # fmt: skip
        with replacing(snakemake.output.preimage) as path:
            table.to_parquet(path, index=False)
        run.metric("preimage/inner", inner)
        run.metric("preimage/outer", outer)
        run.metric("preimage/boxes", len(table))
        run.artifact(snakemake.output.preimage)


main(snakemake)
