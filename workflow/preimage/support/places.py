"""Where the files of the workflow are, in a checkout and where pip has installed them."""

import os
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[1]
# Python finds the library here.
IMPORT_PATH = LIBRARY.parent
INSTALLED = not (IMPORT_PATH / "Snakefile").is_file()
# A checkout has `workflow`, `config` and `envs` at its top, an installed library has them inside.
REPOSITORY = LIBRARY if INSTALLED else IMPORT_PATH.parent
WORKFLOW = REPOSITORY / "workflow"


def python_path() -> str:
    """Return the PYTHONPATH by which another Python finds this library and what it finds now.

    An installed library is found without it, and what is installed beside it must not come before Python's own modules.
    """
    own = [] if INSTALLED else [str(IMPORT_PATH)]
    return os.pathsep.join(
        [*own, *(p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p and p not in own)]
    )
