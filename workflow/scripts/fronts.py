"""The fronts of a study's trade-offs over all rounds and seeds, as one table."""

from pathlib import Path

import pandas as pd

from preimage.core.candidates import CASE, without_formulas
from preimage.core.certificates import Certificate
from preimage.core.objective import Pareto
from preimage.data import named, rows, targets
from preimage.evidence import fronts
from preimage.running.step import step
from preimage.support.files import replacing

LAST = ["gap", "proven", "dominated", "truly_dominated"]


def main(snakemake):
    with step(snakemake) as run:
        found = [part for folder in run.params["folders"] for part in of_seed(run.params, Path(folder))]
        table = pd.concat(found, ignore_index=True)
        outputs = [c.removeprefix("predicted.") for c in table if c.startswith("predicted.")]
        values = [f"{p}.{o}" for p in ("predicted", "simulated", "interval_low", "interval_high") for o in outputs]
        inputs = [c for c in table if c.startswith("x.")]
        table = table[[*CASE, "start", "rank", *inputs, *values, "in_domain", "domain_score", *LAST]]
        with replacing(snakemake.output.table) as path:
            without_formulas(table).to_csv(path, index=False)
        run.metric("fronts/rows", len(table))
        run.artifact(snakemake.output.table)


def of_seed(params, folder):
    """The fronts of each trade-off in one round and seed."""
    known = rows.known(folder / "split.json")
    train = rows.load(folder / "train.parquet", folder / "split.json", named.categories(params["problem"]))
    candidates = pd.read_parquet(folder / "candidates.parquet")
    for name, wanted in targets.objectives(params["objectives"], known, None, train.Y).items():
        assert isinstance(wanted, Pareto)
        mine = candidates[candidates["objective"] == name]
        yield fronts.table(mine, wanted, known.outputs, proven(params["cases"], folder, name))


def proven(cases, folder, objective):
    """What was proven of an objective, by surrogate; what holds near the data alone is left out."""
    found: dict[str, list[Certificate]] = {}
    for surrogate, name, inverter in cases:
        if name == objective:
            path = folder / f"inversion/{surrogate}/{objective}/{inverter}.parquet"
            certificate = pd.read_parquet(path).attrs.get("certificates", {}).get(objective)
            if certificate and not certificate["limited"]:
                found.setdefault(surrogate, []).append(certificate)
    return found


main(snakemake)
