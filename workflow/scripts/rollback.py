"""A champion moved back to an earlier version, with the reason recorded."""

import sys

from preimage.support.errors import StudyError
from preimage.support.files import write_text


def main(snakemake):
    asked = snakemake.params.asked
    try:
        for key in ("study", "surrogate", "version", "reason"):
            if asked[key] is None:
                raise StudyError(f"rollback: no {key} given; add {key}=... to --config")
        from preimage.tracking.registry import Registry, model_name

        name = model_name(asked["study"], asked["surrogate"], asked["seed"])
        moved = Registry().rollback(name, str(asked["version"]), asked["reason"])
    except StudyError as error:
        print(f"preimage: {error}", file=sys.stderr)
        sys.exit(1)
    said = f"registered model '{name}': version {moved.version} is the champion again ({asked['reason']})"
    write_text(snakemake.log[0], said + "\n")
    print(f"preimage: {said}")


main(snakemake)
