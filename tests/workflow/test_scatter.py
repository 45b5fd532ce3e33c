"""Work that is shared by jobs gives the table of one job, by Snakemake's own scattering and gathering."""

import pandas as pd

from ..running import snakemake, study_argument, write_study

STUDY = """
study: {name}
problem: {{simulator: paraboloid, dimension: 2, samples: 50, noise: {{sd: 1}}{rows}}}
objectives:
  ring: {{target: {{y: 5000}}, tolerance: 200}}
inverters:
  starts: {{kind: multistart, starts: 5{scatter}}}
"""


def test_shared_rows_and_starts_make_the_tables_of_one_job(tmp_path):
    write_study(tmp_path, STUDY.format(name="alone", rows="", scatter=""), "alone.yaml")
    write_study(tmp_path, STUDY.format(name="shared", rows=", scatter: 3", scatter=", scatter: 2"), "shared.yaml")
    tables = [f"results/{s}/round0/seed0/inversion/simulator/ring/starts.parquet" for s in ("alone", "shared")]
    done = snakemake(tmp_path, *tables, *study_argument("alone.yaml", "shared.yaml"))
    assert done.returncode == 0, done.stderr[-4000:]
    alone, shared = (pd.read_parquet(tmp_path / table) for table in tables)
    pd.testing.assert_frame_equal(alone, shared, check_exact=True)
    rows = [tmp_path / f"results/{s}/round0/seed0/data.parquet" for s in ("alone", "shared")]
    assert rows[0].read_bytes() == rows[1].read_bytes()
    parts = sorted(p.name for p in (tmp_path / "results/shared/round0/seed0").rglob("*-of-*"))
    assert parts == [f"{k}-of-{n}.parquet" for k, n in ((1, 2), (1, 3), (2, 2), (2, 3), (3, 3))]
