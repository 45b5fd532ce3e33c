"""Work that is shared by jobs gives the table of one job, by Snakemake's own scattering and gathering."""

import pandas as pd
import pytest

from ..finished import finished_study

STUDY = """
study: {name}
problem: {{simulator: paraboloid, dimension: 2, samples: 50, noise: {{sd: 1}}{rows}}}
objectives:
  ring: {{target: {{y: 5000}}, tolerance: 200}}
inverters:
  starts: {{kind: multistart, starts: 5{scatter}}}
"""


pytestmark = pytest.mark.long
TABLE = "round0/seed0/inversion/simulator/ring/starts.parquet"


def declared(name, rows, scatter):
    return finished_study(name, STUDY.format(name=name, rows=rows, scatter=scatter), [f"{name}/{TABLE}"])


alone = declared("alone", "", "")
scattered = declared("scattered", ", scatter: 3", ", scatter: 2")


def test_shared_rows_and_starts_make_the_tables_of_one_job(alone, scattered):
    one, several = alone / "results/alone", scattered / "results/scattered"
    pd.testing.assert_frame_equal(pd.read_parquet(one / TABLE), pd.read_parquet(several / TABLE), check_exact=True)
    rows = [folder / "round0/seed0/data.parquet" for folder in (one, several)]
    assert rows[0].read_bytes() == rows[1].read_bytes()
    parts = sorted(p.name for p in (several / "round0/seed0").rglob("*-of-*"))
    assert parts == [f"{k}-of-{n}.parquet" for k, n in ((1, 2), (1, 3), (2, 2), (2, 3), (3, 3))]
