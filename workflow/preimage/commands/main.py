"""The command line: `preimage new my.csv`, `preimage run my.yaml`, `preimage open my`, `preimage certify m.json`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from preimage import __version__
from preimage.support.errors import StudyError

EXAMPLES = """\
within takes ranges (`"0 <= a <= 3"`), values (`"b in 1, 2, 5"`), categories (`"grade in soft, hard"`), what is fixed
(`"c = 2"`) and conditions (`"a + 2*b <= 4"`). A name with other characters than letters, digits and _ stands between
backquotes. The exit status is 0 if the answer is proven, 4 if it is proven that there is none, 3 if a limit came first.
"""


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
    if asked.command == "certify":
        from preimage.commands import certify

        return certify.certify(asked)
    from preimage.commands import run

    return run.run([*asked.words, *rest])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("preimage", description="Name the output you want, get the inputs that give it.")
    parser.add_argument("--version", action="version", version=f"preimage {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("new", help="look at a table and write a commented study of it")
    new.add_argument("table", help="a CSV or parquet file, or the YAML file of a PEtab problem")
    new.add_argument(
        "--outputs", nargs="+", metavar="COLUMN", help="the outputs; the last column of numbers if left out"
    )
    run = commands.add_parser("run", help="run studies here; results go to results/", add_help=False)
    run.add_argument("words", nargs="*", help="study files or folders, then anything that snakemake takes")
    show = commands.add_parser("open", help="open the report of a study")
    show.add_argument("study", help="its name, its file or its folder of results")
    _add_certify(commands.add_parser("certify", help="prove the best input of one model, or that none is"))
    return parser


def _add_certify(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class, parser.epilog = argparse.RawDescriptionHelpFormatter, EXAMPLES
    parser.add_argument("model", help="file of a model, MLflow address, or folder of a study's results")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--minimize", metavar="OUTPUT", help="the output to minimise")
    kind.add_argument("--maximize", metavar="OUTPUT", help="the output to maximise")
    kind.add_argument("--target", nargs="+", action="extend", metavar="VALUE", help='values to meet: "y = 60"')
    kind.add_argument("--band", nargs="+", action="extend", metavar="RANGE", help='ranges to meet: "55 <= y <= 65"')
    parser.add_argument("--tolerance", type=float, help="how far from a target still meets it")
    parser.add_argument(
        "--within", nargs="+", action="extend", default=[], metavar="RANGE", help='bounds and conditions: "0 <= a <= 3"'
    )
    parser.add_argument(
        "--integer", nargs="+", action="extend", default=[], metavar="INPUT", help="inputs that take whole numbers only"
    )
    parser.add_argument(
        "--subject-to", nargs="+", action="extend", default=[], metavar="RANGE", help='limits of outputs: "z <= 5"'
    )
    parser.add_argument("--inputs", nargs="+", help="the model's inputs in its order, where its file names none")
    parser.add_argument("--outputs", nargs="+", help="all of the model's outputs in its order, where it has several")
    parser.add_argument("--surrogate", help="which model of a study's results; needless where there is one")
    parser.add_argument("--boxes", type=int, default=100_000, help="most boxes to search (default 100000)")
    parser.add_argument("--seconds", type=float, help="most seconds to search")
    parser.add_argument("--gap", type=float, default=0.0, help="stop when the loss is proven to be so near to optimal")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
