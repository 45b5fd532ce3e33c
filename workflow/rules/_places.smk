# Where the files of the workflow are: beside this one or, where a module comes from a git address, in a clone of its
# commit. Snakemake fetches rules and scripts from there one by one, but not the library that they import.
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def cloned(source):
    """The folder of the commit of a git address, cloned once beside the other sources that Snakemake keeps."""
    repository = source.hosted_repo.repo
    commit = repository.commit(source.ref).hexsha
    folder = Path(workflow.sourcecache.cache_path) / "preimage" / commit
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as made:
            new = Path(made) / "clone"
            whole = ["git", "clone", "--quiet", "--shared", "--no-checkout"]
            subprocess.run([*whole, repository.git_dir, str(new)], check=True)
            subprocess.run(
                ["git", "-C", str(new), "checkout", "--quiet", "--detach", commit],
                check=True,
            )
            try:
                new.rename(folder)
            except OSError:  # another process was faster
                pass
    return str(folder / "workflow")


WORKFLOW = (
    cloned(workflow.current_basedir)
    if hasattr(workflow.current_basedir, "hosted_repo")
    else os.path.dirname(str(workflow.current_basedir))
)
sys.path.insert(0, WORKFLOW)
