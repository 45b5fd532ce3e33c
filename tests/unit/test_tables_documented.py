"""The values that docs/tables.md documents are those that the code has, and no others."""

import pytest

from preimage.calibration import information
from preimage.core import candidates, certificates
from preimage.evidence import findings
from preimage.inference import answer
from preimage.reporting import diagnosis

from ..running import documented, documented_values


@pytest.mark.parametrize(
    ("title", "column", "values"),
    [
        ("candidates.parquet", "status", candidates.STATUSES),
        ("summary.csv", "feasible", certificates.VERDICTS),
        ("diagnosis.csv", "finding", diagnosis.TRAPS),
        ("diagnosis.csv", "verdict", (findings.FOUND, findings.ABSENT, findings.UNKNOWN)),
        ("summary.csv of a study of inference", "status", answer.STATUSES),
        ("information.parquet", "left_out", information.LEFT_OUT),
    ],
)
def test_enumerations_are_those_of_the_code(title, column, values):
    assert documented_values(documented(title)[column]) == set(values)
