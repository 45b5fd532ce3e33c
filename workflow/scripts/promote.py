"""A trained surrogate registered, compared with the champion on the gate rows, and promoted or refused."""

from pathlib import Path

import numpy as np
import pandas as pd

from preimage.data import rows, split
from preimage.relearning.promotion import Challenger, relearned
from preimage.running.step import step
from preimage.support.files import read_json, write_json
from preimage.surrogates.base import module
from preimage.tracking.names import escaped


def main(snakemake):
    with step(snakemake) as run:
        from preimage.tracking.registry import Registry

        source, about = snakemake.input, read_json(snakemake.input.about)
        train = rows.load(source.train, source.info, run.params["categories"])
        gate = rows.load(source.gate, source.info, run.params["categories"]) if source.get("gate") else None
        numbers = np.concatenate([part.numbers for part in (train, gate) if part is not None])
        model = module(about["kind"]).load(Path(source.model))
        tags = {
            **run.record.tags,
            "round": snakemake.wildcards.round,
            "data_digest": read_json(source.info)["data_sha256"],
            **{escaped(f"test.rmse.{o}"): f"{v['rmse']:.6g}" for o, v in about["test"].items()},
        }
        store = Registry()
        challenger = Challenger(
            run.params["name"], Path(source.model), model, about, train, tags,
            last_row=int(numbers.max()), run=store.trained_by(Path(source.trained)), crossed=crossed(source, train),
        )  # fmt: skip
        decision = read_json(source.decision) if source.get("decision") else None
        found = relearned(store, challenger, gate, run.params["relearning"], run.rng, decision)
        write_json(snakemake.output.promotion, found)
        run.metric("gate/promoted", float(found["promoted"]))
        for name in ("champion", "challenger", "rows"):
            run.metric(f"gate/{name}", (found["comparison"] or {}).get(name))
        run.artifact(snakemake.output.promotion)


def crossed(source, train):
    """What cross-validation said of the training rows; None where others are held out."""
    if read_json(source.info)["method"] == split.HOLD_OUT:
        return None
    return pd.read_parquet(source.test)[[f"predicted.{o}" for o in train.outputs]].to_numpy(float)


main(snakemake)
