"""Show that a change of the code leaves every answer as it was: the science tables of six studies, before and after.

    python tests/same_bytes.py REVISION [REVISION]

Each revision (the working tree where only one is named) runs in a clone of its own, its studies as it ships them, with
this interpreter's packages; files whose bytes differ are listed, and the exit status is then 1. About ten minutes on
two cores.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
# The shipped studies that between them use every part, and what makes the larger ones small.
SMALLER = {
    "paraboloid": {},
    "concrete": {},
    "binary_decimal": {"seeds": [0, 1]},
    "lynx_hare": {},
    "alfi_poisson": {"observations": {"simulate": 3, "size": 500}, "checks": {"sets": 100, "searches": 4}},
    "relearning_bowl": {"rounds": 2},
}
# Of the inference methods of `alfi_poisson`: fewer simulations than it ships with.
SIMULATIONS = {"alfi": 2_000_000, "plain": 2_000_000, "one_shot": 2_000_000, "nes": 200_000, "avo": 200_000}
TABLES = ("candidates.parquet", "summary.csv", "best_of.csv", "diagnosis.csv", "fit.parquet", "posterior.parquet")


class _Loader(yaml.SafeLoader):
    """YAML in which `on` is a word, as studies are read."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, words) for tag, words in entries if first not in "oO"]
    for first, entries in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def digests(tree: Path) -> dict[str, str]:
    """Run the studies with the code in `tree`, in a fresh folder; return the SHA-256 of each table by its path."""
    with tempfile.TemporaryDirectory(prefix="same-bytes-") as name:
        folder = Path(name)
        (folder / "config").symlink_to(tree / "config")
        studies = [str(_write(tree, folder, study)) for study in SMALLER]
        command = [sys.executable, "-m", "snakemake", "-s", str(tree / "Snakefile"), "--directory", name]
        command += ["--cores", "2", "--quiet", "--config", f"studies={studies}".replace("'", '"')]
        subprocess.run(command, check=True, cwd=name, stdout=subprocess.DEVNULL)
        found = sorted(path for table in TABLES for path in folder.glob(f"results/*/{table}"))
        return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def _write(tree: Path, folder: Path, name: str) -> Path:
    text = (tree / f"config/studies/{name}.yaml").read_text(encoding="utf-8")
    study = yaml.load(text, _Loader) | SMALLER[name]
    for method, entry in study.get("inference", {}).items():
        if method in SIMULATIONS:
            entry["simulations"] = SIMULATIONS[method]
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(study), encoding="utf-8")
    return path


def of_revision(revision: str | None) -> dict[str, str]:
    """Return the digests of a revision's tables, or of the working tree's where it is None."""
    if revision is None:
        return digests(ROOT)
    with tempfile.TemporaryDirectory(prefix="same-bytes-") as name:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), name], check=True)
        subprocess.run(["git", "-C", name, "checkout", "--quiet", revision], check=True)
        return digests(Path(name))


def main(revisions: list[str]) -> int:
    if len(revisions) not in (1, 2):
        sys.exit(__doc__)
    before, after = of_revision(revisions[0]), of_revision(revisions[1] if len(revisions) == 2 else None)
    different = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    print("\n".join([*(f"differs: {path}" for path in different), f"{len(before)} tables, {len(different)} differ"]))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
