# Where the files of the workflow are: beside this one or, where a module comes from a git address, in a clone of its
# commit. Snakemake fetches rules and scripts from there one by one, but not the library that they import.
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def cloned(source):
    """The folder of a git address' commit, cloned once beside the other sources that Snakemake keeps."""
    import git

    hosted = getattr(source, "hosted_repo", None)
    repository = hosted.repo if hosted else git.Repo(source.repo_path)
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


def beside(source):
    return os.path.dirname(str(source))


WORKFLOW = (cloned if hasattr(workflow.current_basedir, "ref") else beside)(
    workflow.current_basedir
)
sys.path.insert(0, WORKFLOW)
