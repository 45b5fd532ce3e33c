"""The user's own code, tried once before any job: imported in a process apart, and held against what studies want."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

from preimage.problems import user_code, user_import
from preimage.study.cases import plain
from preimage.support import child_process
from preimage.support.errors import StudyError

# How long the import of a module, and one call of a series' model, may take.
SECONDS = 300.0
MODULE = "preimage.running.user_trial"


def check(studies: Mapping[str, Any]) -> list[str]:
    """Import the functions that studies name, in a process apart; return what is to be said of them. Raises StudyError
    where one can't be imported, or is not what its study needs."""
    by_name: dict[str, dict[str, Any]] = {}
    for study, value in studies.items():
        if name := user_code.named(value.get("problem", {})):
            by_name.setdefault(name, {})[study] = plain(value)
    said = []
    for name, own in by_name.items():
        complaint, notes = _asked(name, own)
        if complaint:
            raise StudyError(complaint)
        said += notes
    return said


def _asked(name: str, studies: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return what is wrong with a function, "" where nothing is, and what else is to be said of it."""
    ended = child_process.ask(MODULE, studies, SECONDS)
    if ended.status is None:
        return f"problem.simulator '{name}': its file was not imported, and called once, within {SECONDS:g} s", []
    if ended.answers:
        complaint, notes = ended.answers[-1]
        return complaint, notes
    return f"problem.simulator '{name}': its file ended Python (status {ended.status}) and said: {ended.said}", []


def _try(study: Mapping[str, Any]) -> list[str]:
    """Import a study's function, and hold it against what the study wants of it; return what is to be said of it.
    Raises StudyError."""
    if "inference" in study:
        from preimage.inference.simulators import loading as stochastic
        from preimage.study import inference

        stochastic.load(inference.simulated_part(study["problem"]))
        return []
    from preimage.inversion.base import Inverter
    from preimage.problems import loading
    from preimage.study import pairs

    user_import.load(str(user_code.named(study["problem"])))  # which `seconds` leaves to a process of its own
    loading.load(study["problem"])
    for name, inverter in study["inverters"].items():
        pairs.works_on(dict(study), name, Inverter.of(inverter), run=True)
    if any("fit" in entry for entry in study["objectives"].values()):
        from preimage.calibration import trial

        return trial.check(study["problem"], study["objectives"])
    return []


def main() -> NoReturn:
    answers, complaint, notes = child_process.Answers(), "", list[str]()
    for name, study in json.load(sys.stdin).items():
        try:
            notes += [f"study '{name}': {note}" for note in _try(study)]
        except StudyError as error:
            complaint = complaint or f"study '{name}': {error}"
        except Exception as error:
            called = user_code.find(str(user_code.named(study["problem"])))
            complaint = (
                complaint
                or f"study '{name}': problem.simulator '{called.name}': {user_import.told(error, called, 'called')}"
            )
    answers.give([complaint, notes])
    answers.end()


if __name__ == "__main__":
    main()
