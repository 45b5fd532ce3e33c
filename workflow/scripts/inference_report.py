"""The page of a study of inference: from the tables and findings of the steps before."""

from itertools import product
from pathlib import Path

import pandas as pd

from preimage.data import named
from preimage.inference.observations import described
from preimage.inference.simulators import loading
from preimage.reporting import inference
from preimage.reporting.inference_key_figures import key_figures
from preimage.reporting.inference_material import Material
from preimage.reporting.templates import environment
from preimage.running.step import step
from preimage.study.inference import simulated_part
from preimage.support.files import read_json, write_text
from preimage.tracking import record


def main(snakemake):
    with step(snakemake) as run:
        study, source = run.params["study"], snakemake.input
        found = loading.load(simulated_part(study["problem"]))
        cases = list(product(study["seeds"], study["inference"]))
        material = Material(
            study=study,
            parameters=found.prior.names,
            derived=list(found.derived),
            priors=described(found.prior),
            size=read_json(source.task)["size"],
            units=named.stated_units(study["problem"]),
            summary=pd.read_csv(source.summary),
            timings=pd.read_csv(source.timings),
            checks=dict(zip(cases, map(read_json, source.checks), strict=True)),
            sets=dict(zip(cases, map(pd.read_parquet, source.sets), strict=True)),
            trained=dict(zip(cases, map(read_json, source.trained), strict=True)),
            observed=dict(zip(study["seeds"], map(read_json, source.novelty), strict=True)),
            uses=read_json(source.uses),
            figures=figures(Path(source.figures)),
            records=[read_json(p) for p in [*source.records, source.figures_record]],
            versions=record.versions(),
        )
        write_text(
            snakemake.output.page, environment().get_template("inference.html").render(inference.context(material))
        )
        for name, value in key_figures(material).items():
            run.metric(name, value)
        run.record.of_study = True
        run.artifact(snakemake.output.page, source.summary, source.figures)


def figures(folder):
    captions = read_json(folder / "captions.json")
    return [{**c, "svg": (folder / c["file"]).read_text(encoding="utf-8") if c["file"] else ""} for c in captions]


main(snakemake)
