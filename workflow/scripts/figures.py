"""The figures of a study, drawn from its first seed, as SVG with their captions."""

import logging
from pathlib import Path

import pandas as pd

from preimage.calibration import tables
from preimage.data import split_rows
from preimage.evidence import fronts
from preimage.figures import gallery, style
from preimage.problems import loading
from preimage.problems.with_formulas import with_formulas
from preimage.running.step import step
from preimage.support.files import replacing, write_json, write_text


def main(snakemake):
    with step(snakemake) as run:
        material = read(snakemake, run.params)
        captions: list[dict[str, str | None]] = []
        failed: list[str] = []
        with replacing(snakemake.output.folder) as folder:
            folder.mkdir()
            for shown in gallery.plan(material):
                svg = render(shown, failed)
                caption = {k: getattr(shown, k) for k in ("file", "title", "caption", "objective")}
                if svg is not None:
                    write_text(folder / shown.file, svg)
                    captions.append(caption)
                elif shown.file in failed:
                    captions.append(
                        {**caption, "file": None, "caption": "This figure could not be drawn; see the log."}
                    )
            write_json(folder / "captions.json", captions)
        logging.info("%d figures drawn, %d failed", len(captions), len(failed))
        run.metric("figures/drawn", len(captions))
        run.metric("figures/failed", len(failed))
        run.artifact(snakemake.output.folder)


def read(snakemake, params):
    spec, source = params["problem"], snakemake.input
    found = split_rows.read(spec, source.info, source.train, source.test)
    simulator = loading.load(spec)
    tests, curves = (
        {name: pd.read_parquet(path) for name, path in zip(params["surrogates"], source.get(key, []), strict=True)}
        for key in ("tests", "curves")
    )
    return gallery.Material(
        space=found.setting.space,
        outputs=found.setting.outputs,
        units=found.setting.units,
        objectives=found.objectives(params["objectives"]),
        train=(found.train.X, found.train.Y),
        test=(found.test.X, found.test.Y),
        measured="table" in spec,
        tests=tests,
        candidates=pd.read_parquet(source.candidates),
        baselines=params["baselines"],
        calls=params["calls"],
        formulas=found.formulas.names,
        solutions=pd.read_parquet(source.solutions),
        simulator=simulator and with_formulas(simulator, found.formulas),
        best_of=pd.read_csv(source.best_of).query("round == round.max()"),
        curves=curves,
        rounds=pd.read_csv(source.rounds) if source.get("rounds") else pd.DataFrame(),
        preimages={of_preimage(path): pd.read_parquet(path) for path in source.get("preimages", [])},
        fits={Path(folder).name: tables.findings(folder) for folder in source.get("fits", [])},
        proofs={
            name: fronts.proofs(Path(source.candidates).parent, params["fronts"], name)
            for name in {objective for _, objective, _ in params["fronts"]}
        },
        learned={Path(folder).name: tables.findings(folder) for folder in source.get("learned", [])},
        line=tables.findings(source.line[0]) if source.get("line") else {},
    )


def of_preimage(path):
    """Return surrogate and objective of a preimage's file."""
    return Path(path).parent.name, Path(path).stem


def render(shown, failed):
    """Return a figure as SVG, None where there is nothing to see; one that can't be drawn costs no study its report."""
    try:
        figure = shown.draw()
        return None if figure is None else style.to_svg(figure, shown.file)
    except Exception:
        logging.exception("%s: not drawn", shown.file)
        failed.append(shown.file)
        return None


main(snakemake)
