"""The tables of every round and seed as one, checked against their schema."""

import pandas as pd

from preimage.core import candidates
from preimage.evidence.best_of import best_of
from preimage.running.step import step
from preimage.support.files import replacing


def main(snakemake):
    with step(snakemake) as run:
        table = pd.concat([pd.read_parquet(p) for p in snakemake.input.candidates], ignore_index=True)
        inputs = [c[2:] for c in table if c.startswith("x.")]
        outputs = candidates.outputs_in(table)
        category = {name: not pd.api.types.is_numeric_dtype(table[f"x.{name}"]) for name in inputs}
        further = candidates.further_of(table)
        table = table[candidates.columns(inputs, outputs, further)]
        candidates.schema(category, outputs, further).validate(table)
        with replacing(snakemake.output.candidates) as path:
            table.to_parquet(path, index=False)
        parts = [pd.read_csv(p, float_precision="round_trip") for p in snakemake.input.summary]
        with replacing(snakemake.output.summary) as path:
            pd.concat(parts, ignore_index=True).to_csv(path, index=False)
        found = best_of(table)
        with replacing(snakemake.output.best_of) as path:
            found.to_csv(path, index=False)
        for _, row in found.iterrows():
            case = f"{row['surrogate']}.{row['objective']}.{row['inverter']}"
            run.metric(f"evidence/r_T/{case}", row["r"], int(row["T"]))
        run.metric("candidates/rows", len(table))
        run.artifact(snakemake.output.candidates, snakemake.output.summary, snakemake.output.best_of)


main(snakemake)
