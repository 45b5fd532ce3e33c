"""The figures of a study of inference, drawn from its first seed, as SVG with their captions."""

import logging

import pandas as pd

from preimage.figures import inference_gallery, style
from preimage.inference import arrays, judge, observed, table
from preimage.inference.simulators import loading
from preimage.running.step import step
from preimage.support.files import read_json, replacing, write_json, write_text


def main(snakemake):
    with step(snakemake) as run:
        material = read(snakemake, run)
        with replacing(snakemake.output.folder) as folder:
            folder.mkdir()
            captions = [caption for shown in inference_gallery.plan(material) if (caption := draw(shown, folder))]
            write_json(folder / "captions.json", captions)
        failed = sum(caption["file"] is None for caption in captions)
        logging.info("%d figures drawn, %d failed", len(captions) - failed, failed)
        run.metric("figures/drawn", len(captions) - failed)
        run.metric("figures/failed", failed)
        run.artifact(snakemake.output.folder)


def draw(shown, folder):
    """Draw a figure and return its caption, None where there is nothing to see; one that can't be drawn costs no study
    its report."""
    caption = {key: getattr(shown, key) for key in ("file", "title", "caption", "objective")}
    try:
        figure = shown.draw()
        if figure is None:
            return None
        write_text(folder / shown.file, style.to_svg(figure, shown.file))
        return caption
    except Exception:
        logging.exception("%s: not drawn", shown.file)
        return {**caption, "file": None, "caption": "This figure could not be drawn; see the log."}


def read(snakemake, run):
    found, source, methods = loading.load(run.params["problem"]), snakemake.input, run.params["methods"]
    names = read_json(source.info)["names"]
    sets = observed.restored(names, arrays.read(source.observed))
    shown, parameters, rng = names[: judge.SHOWN], found.prior.names, run.rng
    draws = {m: pd.read_parquet(path) for m, path in zip(methods, source.draws, strict=True)}
    paths = {m: pd.read_parquet(path) for m, path in zip(methods, source.paths, strict=True)}
    return inference_gallery.Material(
        parameters=parameters,
        derived=list(found.derived),
        coordinates=found.coordinates,
        units=run.params["units"],
        observations=names,
        x=sets.x,
        theta=sets.theta,
        prior=found.prior.sample(rng, 5000),
        draws={m: table.equal_draws(frame, shown, parameters, rng) for m, frame in draws.items()},
        ways={m: table.paths_of(frame, shown, parameters) for m, frame in paths.items()},
        shown={m: arrays.read(path) for m, path in zip(methods, source.shown, strict=True)},
        sets={m: pd.read_parquet(path) for m, path in zip(methods, source.sets, strict=True)},
        ablations=run.params["ablations"],
    )


main(snakemake)
