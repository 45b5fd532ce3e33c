"""The folder of a version: files of our own beside an MLmodel that says what they are, with no loader to run."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from preimage.support.files import write_json
from preimage.surrogates.brought.source import OWN as FLAVOR
from preimage.surrogates.brought.source import OWN_FILES as FILES
from preimage.surrogates.brought.source import REGISTERED as ABOUT
from preimage.tracking import flavors, logged_models
from preimage.tracking.registry.shelf import KEY, Shelf


def stored(
    shelf: Shelf, name: str, run_id: str, model: Path, about: Mapping[str, Any], example: Mapping[str, list[Any]],
    predicted: Mapping[str, list[float]], tags: Mapping[str, str],
) -> str:  # fmt: skip
    """Store a version's folder; return the id of the logged model. One that was begun before is gone on with."""
    experiment = shelf.client.get_run(run_id).info.experiment_id
    begun = shelf.client.search_logged_models([experiment], f"tags.`{KEY}` = '{tags[KEY]}'")
    begun = [m for m in begun if m.status != "READY" or shelf.is_whole(f"models:/{m.model_id}")]

    def make() -> Any:
        named = name.replace(".", "-")
        return shelf.client.create_logged_model(experiment, named, run_id, dict(tags), {"kind": about["kind"]})

    def write(folder: Path, model_id: str) -> None:
        shutil.copytree(model, folder / FILES)
        write_json(folder / ABOUT, dict(about))
        kind = {"kind": about["kind"], "data": FILES}
        flavors.described(folder, example, predicted, run_id, model_id, FLAVOR, kind)

    return logged_models.stored(shelf.client, begun, make, write, run_id)
