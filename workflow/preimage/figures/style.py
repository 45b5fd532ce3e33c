"""One look for all figures, and their way into SVG.

Figures are inlined into a page with a light and a dark mode: the ground stays transparent, and whatever is text or
frame is drawn in `INK`, a colour that no data has, which the SVG then says as `currentColor`.
"""

from __future__ import annotations

import functools
import io
import math
import re
import textwrap
from collections.abc import Callable, Collection, Iterable, Sequence
from html import escape
from typing import Any, NamedTuple, ParamSpec, TypeVar

import matplotlib
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator, SymmetricalLogLocator

from preimage.support import digits

INK = "#010203"
# Okabe and Ito's palette (2008) in the order that is best told apart on white and on black alike; its yellow is lost
# on white, its black is INK.
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
MARKERS = "os^DvPX"
DASHES = ("-", "--", ":", "-.")
# The inverter that is a baseline in every study: it has no colour of its own.

# Without its darkest and lightest end, which are lost on black and on white.
VIRIDIS = ListedColormap(matplotlib.colormaps["viridis"](np.linspace(0.1, 0.93, 48)))

# Inches. A column of 720 px takes this at its natural size (595 px, text of 14 px); a phone halves it.
WIDTH = 6.2
RASTER_DPI = 150
RASTER_ABOVE = 3000
# More points than this are not told apart, and make a picture of more bytes than a page should carry.
MOST_POINTS = 5000
MOST_PANELS = 6

STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    # Shipped with matplotlib, so that texts measure the same everywhere; it is also wider than what browsers take.
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.5,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10.5,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.fontsize": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    # Panels in 3-D take the colour's own opacity, others the one below.
    "grid.color": INK + "30",
    "grid.alpha": 0.15,
    "grid.linewidth": 0.6,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "axes3d.xaxis.panecolor": (0, 0, 0, 0),
    "axes3d.yaxis.panecolor": (0, 0, 0, 0),
    "axes3d.zaxis.panecolor": (0, 0, 0, 0),
    "savefig.facecolor": "none",
    "legend.frameon": False,
    # A unit may hold a dollar sign.
    "text.parse_math": False,
    "svg.fonttype": "none",
}

P = ParamSpec("P")
R = TypeVar("R")


class Look(NamedTuple):
    """How an inverter is drawn, in every figure."""

    colour: str
    marker: str
    dashes: str


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Make a function draw in this style, whatever the process has set."""

    @functools.wraps(draw)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.rc_context(STYLE):
            return draw(*args, **kwargs)

    return inner


def looks(inverters: Iterable[str], baselines: Collection[str] = ()) -> dict[str, Look]:
    """Return the look of each inverter, by its place among those of the study; baselines look alike."""
    found: dict[str, Look] = {}
    for name in dict.fromkeys(inverters):
        k = sum(n not in baselines for n in found)
        found[name] = Look(PALETTE[k % len(PALETTE)], MARKERS[k % len(MARKERS)], DASHES[k // len(PALETTE) % 4])
        if name in baselines:
            found[name] = Look(INK, "*", "--")
    return found


# -- words and numbers -------------------------------------------------------------------------------------------------


def label(name: str, unit: str = "") -> str:
    """Return a name as an axis says it, with its unit."""
    return shorten(name.replace("_", " "), 40) + (f" ({unit})" if unit else "")


def wrap(text: str, letters: int = 38) -> str:
    """Break a label of the y axis where it is longer than its axis."""
    return "\n".join(textwrap.wrap(text, letters))


def shorten(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def told_apart(names: Sequence[str], letters: int) -> list[str]:
    """Return names in so many letters, without the words that all begin or end with where these are all that is left of
    some."""
    found = [shorten(name, letters) for name in names]
    if len(set(found)) == len(set(names)):
        return found
    words = [name.split() for name in names]
    most = min(map(len, words))
    first = next((k for k in range(most) if len({w[k] for w in words}) > 1), most)
    last = next((k for k in range(most - first) if len({w[-1 - k] for w in words}) > 1), most - first)
    cut = [" ".join(w[first : len(w) - last]) for w in words]
    return [
        shorten(f"… {part}" if first and part else part or name, letters) for part, name in zip(cut, names, strict=True)
    ]


def number(value: float, step: float = 0.0) -> str:
    """Return a number as a figure shows it (see `preimage.support.digits`)."""
    return digits.number(value, step, whole=False).replace(",", "").replace("-", "−")


# -- pieces of figures -------------------------------------------------------------------------------------------------


def panels(
    n: int, height: float, columns: int = 2, layout: Any = "constrained", **settings: Any
) -> tuple[Figure, list[Any]]:
    """Return a figure with n panels (MOST_PANELS at most), each `height` inches high, and their axes.

    `settings` are those of `Figure.subplots`.
    """
    n = min(n, MOST_PANELS)
    columns = min(columns, n)
    rows = math.ceil(n / columns)
    figure = Figure(figsize=(WIDTH, height * rows), layout=layout)
    axes = figure.subplots(rows, columns, squeeze=False, **settings).ravel().tolist()
    for spare in axes[n:]:
        spare.remove()
    return figure, axes[:n]


def legend(figure: Figure, handles: Sequence[Any], labels: Sequence[str], loc: str = "outside upper left") -> None:
    """Put a legend above the panels, in as many columns as fit."""
    # matplotlib drops labels that begin with an underscore.
    shown = ["\u200b" + text if text.startswith("_") else text for text in labels]
    columns = legend_columns(shown)
    figure.legend(list(handles), shown, loc=loc, ncols=columns, columnspacing=1.2, handlelength=1.6)


def legend_columns(labels: Sequence[str]) -> int:
    """Return in how many columns a legend fits the width of a figure; labels run down each column."""
    for columns in range(len(labels), 1, -1):
        # In letters, each column with what stands before its labels; split as matplotlib splits them.
        widths = [part.max() + 6 for part in np.array_split([len(text) for text in labels], columns)]
        if sum(widths) <= 72:
            return columns
    return 1


def log_axis(axis: Any, linear_below: float | None = None, ticks: int = 7) -> None:
    """Make an axis logarithmic (symmetric, and linear below a value, where one is given), with plain numbers."""
    set_scale = axis.axes.set_xscale if axis.axis_name == "x" else axis.axes.set_yscale
    if linear_below is None:
        set_scale("log")
        axis.set_major_locator(LogLocator(numticks=ticks))
    else:
        set_scale("symlog", linthresh=linear_below, linscale=0.5)
        axis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=linear_below))
        axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axis.set_minor_formatter(NullFormatter())


def widen(axes: Any, values: np.ndarray, least: float) -> None:
    """Let a linear y axis span `least` at least, so that what is rounding doesn't fill a figure."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if high - low < least / 5:
        axes.set_ylim((low + high - least) / 2, (low + high + least) / 2)


def picks(places: Sequence[int]) -> str | None:
    """Return what an artist is called (`gid`) whose points are candidates, given their places in the table: a page then
    says which candidate a point is. One place stands for all that the artist draws."""
    return PICKS + ",".join(map(str, places)) if len(places) else None


def mark(look: Look, size: float = 5) -> Line2D:
    """Return what stands for an inverter's points in a legend."""
    return Line2D([], [], marker=look.marker, color=look.colour, ms=size, mew=0, ls="none")


def thin(n: int, most: int = MOST_POINTS) -> np.ndarray:
    """Return positions of `most` of n points, evenly spaced; all of them where there are fewer."""
    return np.arange(n) if n <= most else np.linspace(0, n - 1, most).astype(int)


def dense(n: int, coloured: bool = False) -> bool:
    """Return whether n points go into the SVG as one picture; with a colour of its own, a point takes more bytes."""
    return n * (1 + coloured) > RASTER_ABOVE


# -- SVG ---------------------------------------------------------------------------------------------------------------


def to_svg(figure: Figure, name: str) -> str:
    """Return a figure as the text of one <svg>; the same figure, drawn anew, gives the same bytes.

    The sentence for those who can't see it is the figure's label (`figure.set_label`). `name` salts the ids, so that
    figures of different names stand in one page.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure.savefig(
            buffer, format="svg", dpi=RASTER_DPI, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    # A style element would hold for the whole page; the root's own style is inherited just as well.
    svg = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r"<svg [^>]*>", lambda m: _root(m[0], str(figure.get_label())), svg, count=1)
    used = set(re.findall(r"(?:href=\"|url\()#([^\")]+)", svg))
    svg = re.sub(f' id="{PICKS}', ' data-picks="', svg)
    svg = re.sub(r' id="([^"]*)"', lambda m: m[0] if m[1] in used else "", svg)
    svg = re.sub(r' (?:d|x|y)="[^"]*"', lambda m: re.sub(r"(\.\d\d)\d+", r"\1", m[0]), svg, flags=re.DOTALL)
    svg = re.sub(USES, _hoist, svg)
    svg = re.sub(r' transform="rotate\(-?0 [^"]*"|(?<=\n) +', "", svg)
    return svg.replace(INK, "currentColor").replace("'DejaVu Sans', ", "")


# What begins the name of an artist whose points are candidates.
PICKS = "picks:"
# Points of one look, one after the other.
USES = (
    r'\s*<use xlink:href="#(\w+)" x="[^"]*" y="[^"]*" style="([^"]*)"/>'
    r'(?:\s*<use xlink:href="#\1" x="[^"]*" y="[^"]*" style="\2"/>)+'
)


def _hoist(found: re.Match[str]) -> str:
    """Say the look of many points once, for all of them: that halves their bytes."""
    style = f' style="{found[2]}"'
    return f"\n<g{style}>{found[0].replace(style, '')}\n</g>"


def _root(found: str, sentence: str) -> str:
    width, height, box = (m[1] for key in ("width", "height", "viewBox") if (m := re.search(f'{key}="([^"]*)"', found)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{width}" '
        f'height="{height}" viewBox="{box}" role="img" aria-label="{escape(sentence)}" '
        'style="max-width:100%;height:auto;stroke-linejoin:round;stroke-linecap:butt">'
    )
