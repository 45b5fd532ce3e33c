"""The picture of the steps, drawn from what they recorded: which files each read that another wrote."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT, GAP_X, GAP_Y = 118, 40, 34, 18


def edges(records: Sequence[Mapping[str, Any]]) -> tuple[dict[str, int], set[tuple[str, str]]]:
    """Return how many steps each rule ran, and which rule's files each rule read."""
    count: dict[str, int] = defaultdict(int)
    writer: dict[str, str] = {}
    for record in records:
        count[record["rule"]] += 1
        writer.update(dict.fromkeys(record["outputs"], record["rule"]))
    read = {(writer[p], r["rule"]) for r in records for p in r["inputs"] if p in writer}
    return dict(count), {(a, b) for a, b in read if a != b}


def draw(records: Sequence[Mapping[str, Any]], extra: Sequence[tuple[str, str]] = ()) -> str:
    """Return an SVG of the rules in columns, each after those it reads from.

    Args:
        extra: edges to steps that have no record yet (the report itself).
    """
    count, links = edges(records)
    links |= set(extra)
    for _, last in extra:
        count.setdefault(last, 1)
    column = _columns(list(count), links)
    place: dict[str, tuple[int, int]] = {}
    filled: dict[int, int] = defaultdict(int)
    for rule in count:
        x, y = column[rule], filled[column[rule]]
        filled[x] += 1
        place[rule] = (x * (WIDTH + GAP_X), y * (HEIGHT + GAP_Y))
    width = max(x for x, _ in place.values()) + WIDTH + 2
    height = max(y for _, y in place.values()) + HEIGHT + 2
    parts = [_arrow(place[a], place[b]) for a, b in sorted(links) if a in place and b in place]
    parts += [_box(rule, count[rule], *place[rule]) for rule in count]
    return (
        f'<svg role="img" aria-label="The steps and what they read" viewBox="-1 -1 {width} {height}" '
        f'style="width:100%;max-width:{width}px;height:auto">{"".join(parts)}</svg>'
    )


def _columns(rules: Sequence[str], links: set[tuple[str, str]]) -> dict[str, int]:
    """Return the length of the longest path to each rule."""
    column = dict.fromkeys(rules, 0)
    for _ in rules:
        for a, b in links:
            if a in column and b in column:
                column[b] = max(column[b], column[a] + 1)
    return column


def _arrow(a: tuple[int, int], b: tuple[int, int]) -> str:
    x1, y1, x2, y2 = a[0] + WIDTH, a[1] + HEIGHT / 2, b[0], b[1] + HEIGHT / 2
    bend = (x1 + x2) / 2
    return f'<path d="M{x1} {y1} C{bend} {y1} {bend} {y2} {x2} {y2}" fill="none" stroke="currentColor" opacity=".35"/>'


def _box(rule: str, count: int, x: int, y: int) -> str:
    times = f" ×{count}" if count > 1 else ""
    return (
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" class="node"/>'
        f'<text x="{x + WIDTH / 2}" y="{y + HEIGHT / 2 + 4}" text-anchor="middle" font-size="12" '
        f'fill="currentColor">{escape(rule.replace("_", " "))}{times}</text>'
    )
