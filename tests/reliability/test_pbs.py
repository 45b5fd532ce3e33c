"""A study on PBS, whose commands are played by short scripts that note what they were asked and run it."""

import os
import re
import stat

import pandas as pd
import pytest

from ..running import ROOT, snakemake, study_argument, write_study

pytestmark = pytest.mark.long
STUDY = """
study: small
problem: {simulator: paraboloid, dimension: 2, samples: 60}
surrogates: {plane: {kind: linear}}
objectives: {lowest: {minimize: y}}
inverters: {random: {kind: random, evaluations: 5}}
"""
COMMANDS = {
    "qsub": """
echo "$@" >> "$PBS_PLAYED/asked"
number=$(wc -l < "$PBS_PLAYED/asked")
for last; do :; done
(PBS_JOBID="$number.head" sh "$last" > "$PBS_PLAYED/$number.out" 2>&1 & echo $! > "$PBS_PLAYED/$number.head")
echo "$number.head"
""",
    "qstat": """
for last; do :; done
kill -0 "$(cat "$PBS_PLAYED/$last")" 2> /dev/null && { echo "    job_state = R"; exit 0; }
echo "qstat: Unknown Job Id $last" >&2; exit 153
""",
    "qdel": 'for job; do kill "$(cat "$PBS_PLAYED/$job")"; done',
}


@pytest.fixture
def played(tmp_path):
    """The environment in which the commands are found."""
    for name, text in COMMANDS.items():
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "played").mkdir()
    return {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PBS_PLAYED": str(tmp_path / "played")}


def test_a_study_on_pbs_has_the_bytes_of_a_local_run(played, tmp_path):
    tables = {}
    for name, more in (("there", ["--workflow-profile", str(ROOT / "workflow/profiles/pbs")]), ("here", [])):
        folder = write_study(tmp_path / name, STUDY, "small.yaml")
        done = snakemake(
            folder, "results/small/report.html", *study_argument("small.yaml"), *more,
            "--default-resources", "pbs_queue=short", **played,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
        tables[name] = pd.read_parquet(folder / "results/small/candidates.parquet")
    pd.testing.assert_frame_equal(tables["there"], tables["here"], check_exact=True)
    asked = (tmp_path / "played/asked").read_text().splitlines()
    assert 3 <= len(asked) < 14 and all(re.search(r"ncpus=\d+:mem=\d+mb -l walltime=\d+ .* -q short", a) for a in asked)
