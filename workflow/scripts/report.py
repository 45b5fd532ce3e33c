"""The study's page: from the tables and findings of the steps before."""

from pathlib import Path

import pandas as pd

from preimage.calibration import tables
from preimage.data import split_rows
from preimage.reporting.key_figures import key_figures
from preimage.reporting.material import Material
from preimage.reporting.page import render
from preimage.running.step import step
from preimage.support.files import read_json, write_text
from preimage.tracking import record


def main(snakemake):
    with step(snakemake) as run:
        study, source = run.params["study"], snakemake.input
        found = split_rows.read(study["problem"], source.info[0], source.train, source.test)
        material = Material(
            study=study,
            summary=last_round(pd.read_csv(source.summary)),
            best_of=last_round(pd.read_csv(source.best_of)),
            rounds=pd.read_csv(source.rounds) if source.get("rounds") else pd.DataFrame(),
            candidates=last_round(pd.read_parquet(source.candidates)),
            timings=pd.read_csv(source.timings),
            solutions=pd.read_parquet(source.solutions),
            preimages={(Path(p).parent.name, Path(p).stem): pd.read_parquet(p) for p in source.get("preimages", [])},
            evidence=read_json(source.evidence[0]),
            diagnosis=pd.read_csv(source.diagnosis) if source.get("diagnosis") else pd.DataFrame(),
            objectives=found.objectives(study["objectives"]),
            space=found.setting.space,
            units=found.setting.units,
            ranges=found.known.ranges,
            surrogates={Path(p).parent.name: found.about(p) for p in source.get("models", [])},
            figures=figures(Path(source.figures)),
            records=[read_json(p) for p in [*source.records, source.figures_record]],
            warnings=list(dict.fromkeys(w for p in source.evidence for w in read_json(p)["warnings"])),
            versions=record.versions(),
            fits={Path(p).name: tables.findings(p) for p in source.get("fits", [])},
            learned={Path(p).name: tables.findings(p) for p in source.get("learned", [])},
            line=tables.findings(source.line[0]) if source.get("line") else {},
            line_times=read_json(source.line_times[0]) if source.get("line_times") else {},
            next_experiments=list(source.get("next_experiments", [])),
            live=read_json(source.live),
            outputs=found.outputs,
            formulas=found.formulas,
            fit_times={Path(p).name.partition(".")[0]: read_json(p) for p in source.get("fit_times", [])},
        )
        write_text(snakemake.output.page, render(material))
        for name, value in key_figures(material).items():
            run.metric(name, value)
        run.record.of_study = True
        run.artifact(snakemake.output.page, source.summary, source.figures, *source.get("next_experiments", []))


def last_round(table):
    return table[table["round"] == table["round"].max()]


def figures(folder):
    captions = read_json(folder / "captions.json")
    return [{**c, "svg": (folder / c["file"]).read_text(encoding="utf-8") if c["file"] else ""} for c in captions]


main(snakemake)
