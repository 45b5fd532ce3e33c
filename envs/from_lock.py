"""Write what follows from requirements.lock: envs/preimage.yaml, the packages that pyproject.toml asks for, pinned to
the lock's versions; and requirements-dev.lock without what the lock has already.

`make lock` runs it; a test holds both files equal to what it would write.
"""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
DEV_LOCK = ROOT / "requirements-dev.lock"
TARGET = ROOT / "envs" / "preimage.yaml"


def environment() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = sorted(re.match(r"[A-Za-z0-9_.-]+", d).group().lower() for d in project["dependencies"])
    lines = ["# Made from requirements.lock by `make lock`.", "name: preimage", "channels: [conda-forge]"]
    lines += ["dependencies:", "  - python=3.11", "  - pip", "  - pip:"]
    return "\n".join([*lines, *(f"      - {name}=={pinned(name)}" for name in names), ""])


def pinned(name: str) -> str:
    """Return the version of a package that the lock has for Python 3.11."""
    lock = LOCK.read_text(encoding="utf-8")
    found = re.findall(rf"^{re.escape(name)}==([^ ;\\]+)( ; [^\\]*)?", lock, re.M)
    for version, marker in found:
        if not marker or "< '3.12'" in marker or "python_full_version < '3.12'" in marker:
            return version
    raise SystemExit(f"{name}: not in requirements.lock for Python 3.11 ({found})")


def only_dev() -> str:
    """Return the pins of requirements-dev.lock that requirements.lock does not have."""
    shared = set(pins(LOCK))
    return "".join(pin for pin in pins(DEV_LOCK) if pin not in shared)


def pins(lock: Path) -> list[str]:
    """Return each package of a lock with its hashes, as it stands there."""
    return re.findall(r"(?m)^\S.*\n(?:[ ].*\n)*", lock.read_text(encoding="utf-8"))


if __name__ == "__main__":
    TARGET.write_text(environment(), encoding="utf-8")
    DEV_LOCK.write_text(only_dev(), encoding="utf-8")
