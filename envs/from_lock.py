"""Write envs/preimage.yaml: the packages that pyproject.toml asks for, at the versions of requirements.lock.

`make lock` runs it; a test holds the file equal to what it would write.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "envs" / "preimage.yaml"


def environment() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = sorted(re.match(r"[A-Za-z0-9_.-]+", d).group().lower() for d in project["dependencies"])
    lines = ["# Made from requirements.lock by `make lock`.", "name: preimage", "channels: [conda-forge]"]
    lines += ["dependencies:", "  - python=3.11", "  - pip", "  - pip:"]
    return "\n".join([*lines, *(f"      - {name}=={pinned(name)}" for name in names), ""])


def pinned(name: str) -> str:
    """Return the version of a package that the lock has for Python 3.11."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    found = re.findall(rf"^{re.escape(name)}==([^ ;\\]+)( ; [^\\]*)?", lock, re.M)
    for version, marker in found:
        if not marker or "< '3.12'" in marker or "python_full_version < '3.12'" in marker:
            return version
    raise SystemExit(f"{name}: not in requirements.lock for Python 3.11 ({found})")


if __name__ == "__main__":
    TARGET.write_text(environment(), encoding="utf-8")
