"""What Snakemake's scheduler does for nothing."""

from __future__ import annotations

from typing import Any


def without_rate(workflow: Any) -> None:
    """Set no limit to how many steps begin in a second (100 where a run says nothing).

    With one, Snakemake looks at all steps again a second after each time that it did, whatever came in between: after
    190 of 600 steps it did so 190 times a second, and took more time than the steps.
    """
    workflow.scheduler.job_rate_limiter = None
