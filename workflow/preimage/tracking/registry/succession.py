"""The succession of a registered model's champions: a list that is only added to, one entry a reign.

MLflow moves an alias without asking where it stood, so of two processes that have both looked, the slower wins unseen.
A parameter of a run, though, is written once: the database itself refuses a second value. So a reign is claimed before
the alias moves, as parameter `champion.<n>` of one run that belongs to the registered model; whoever comes second is
told so. A claim that was not carried through (its process was killed) is carried through by whoever comes next.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

# The tag of a registered model that names the run which keeps its succession.
TAG = "preimage.succession"
# What a version's tag `replaced` says where there was no champion before it.
NOBODY = "none"
# MLflow cuts a parameter at 6000 characters; what is cut would not read back.
LONGEST_REASON = 4000
REIGN = re.compile(r"champion\.(\d+)")
COMPLETE = "champion.{}.complete"


class Reign(NamedTuple):
    """One version's time as champion.

    Attributes:
        number: from 1; version: who; replaced: the version before, None where there was none.
        reason: why; comparison: the figures behind it, None where nothing was compared.
        complete: whether tags and alias have been seen to say so.
    """

    number: int
    version: str
    replaced: str | None
    reason: str
    comparison: Mapping[str, Any] | None
    complete: bool = False


class Succession:
    """The reigns of one registered model, kept with the run `run_id`.

    Args:
        client: an `mlflow.MlflowClient`. What it raises is raised, but for a claim that came second.
    """

    def __init__(self, client: Any, run_id: str) -> None:
        self.client, self.run_id = client, run_id

    def reigns(self) -> list[Reign]:
        """Return every reign, the first one first; the last may not be complete."""
        params = self.client.get_run(self.run_id).data.params
        found = {int(m[1]): json.loads(value) for key, value in params.items() if (m := REIGN.fullmatch(key))}
        return [Reign(n, **value, complete=COMPLETE.format(n) in params) for n, value in sorted(found.items())]

    def last(self) -> Reign | None:
        return next(reversed(self.reigns()), None)

    def claim(
        self, after: Reign | None, version: str, replaced: str | None, reason: str, comparison: Any = None
    ) -> Reign | None:
        """Claim the reign that follows `after`; None where another has claimed it already.

        Look at the last reign first, then where the alias stands: the claim fails if anything moved since.
        """
        number = 1 + (after.number if after else 0)
        reign = Reign(number, version, replaced, reason[:LONGEST_REASON], comparison)
        value = {k: v for k, v in reign._asdict().items() if k not in ("number", "complete")}
        try:
            self.client.log_param(self.run_id, f"champion.{number}", json.dumps(value, ensure_ascii=False))
        except Exception as error:
            if getattr(error, "error_code", "") == "INVALID_PARAMETER_VALUE" and self._claimed(number):
                return None
            raise
        return reign

    def complete(self, reign: Reign) -> None:
        self.client.log_param(self.run_id, COMPLETE.format(reign.number), "yes")

    def _claimed(self, number: int) -> bool:
        return any(r.number == number for r in self.reigns())
