"""The command line: `preimage new my.csv`, `preimage run my.yaml`, `preimage open my`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from preimage import __version__
from preimage.support.errors import StudyError


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry out one command and exit with its status."""
    asked, rest = _parser().parse_known_args(arguments)
    if rest and asked.command != "run":
        _parser().error(f"unrecognised arguments: {' '.join(rest)}")
    try:
        sys.exit(_carry_out(asked, rest))
    except StudyError as error:
        sys.exit(f"preimage: {error}")


def _carry_out(asked: argparse.Namespace, rest: Sequence[str]) -> int:
    # Each imports what it needs: the others are not to wait for it.
    if asked.command == "new":
        from preimage.commands import new

        path = new.write(asked.table, asked.outputs)
        print(f"preimage: wrote {path}: look through it, then\n  preimage run {path}")
        return 0
    if asked.command == "open":
        from preimage.commands import show

        print(show.report(asked.study, in_browser=True))
        return 0
    from preimage.commands import run

    return run.run([*asked.words, *rest])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("preimage", description="Name the output you want, get the inputs that give it.")
    parser.add_argument("--version", action="version", version=f"preimage {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("new", help="look at a table and write a commented study of it")
    new.add_argument("table", help="a CSV or parquet file")
    new.add_argument(
        "--outputs", nargs="+", metavar="COLUMN", help="the outputs; the last column of numbers if left out"
    )
    run = commands.add_parser("run", help="run studies here; results go to results/", add_help=False)
    run.add_argument("words", nargs="*", help="study files or folders, then anything that snakemake takes")
    show = commands.add_parser("open", help="open the report of a study")
    show.add_argument("study", help="its name, its file or its folder of results")
    return parser
