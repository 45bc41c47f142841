"""Columns of a diagram: which box stands in which column, and in what order from the top.

Data flow from left to right. All bars of a register stage share a column that holds nothing else,
so that a stage can be drawn as one line. A net that passes a column has a place there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import mean

from rtl.diagram_shapes import Box, Diagram, Net

SWEEPS = 12
STEP = 1e-3
"""Between columns of what no input feeds: all of them follow the column before."""


@dataclass(eq=False)
class Item:
    """What has a place in a column: a box, or a net that passes by.

    Attributes:
        key: of the box, or one of its own.
        box: None where a net passes.
        nets_in: nets that enter at the left, from the top down.
        nets_out: nets that leave at the right, from the top down.
        y: of its middle.
        height, width: of what is drawn.
    """

    key: str
    box: Box | None
    nets_in: list[int] = field(default_factory=list)
    nets_out: list[int] = field(default_factory=list)
    y: float = 0.0
    height: float = 0.0
    width: float = 0.0


@dataclass(eq=False)
class Segment:
    """A net between two neighbouring columns."""

    net: int
    left: Item
    right: Item


@dataclass
class Columns:
    """Items by column, the segments behind each column, and nets that lead back.

    ``back`` has for each of them its number, its source and the box that takes it, with columns.
    """

    columns: list[list[Item]]
    segments: list[list[Segment]]
    back: list[tuple[int, int, Item, int, Item]]


def arrange(diagram: Diagram) -> Columns:
    """Put the boxes of a diagram into columns, with few crossings."""
    back = _back(diagram)
    ranks = _ranks(diagram, back)
    columns = _place(diagram, ranks, back)
    _order(columns)
    return columns


def _stays(key: str, box: Box) -> str:
    """What has one column: a box, or all bars of a stage."""
    return f"stage {box.stage}" if box.kind == "bar" else key


def _reached(start: str, edges: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    left = [start]
    while left:
        new = edges.get(left.pop(), set()) - found
        found |= new
        left += new
    return found


def _back(diagram: Diagram) -> set[tuple[int, str]]:
    """Number and sink of what leads from a register back to what it depends on.

    What leaves a register in a loop leads forward as long as that closes no loop, nearest to the
    inputs first, so that few nets lead back.
    """
    nets, boxes = diagram.nets, diagram.boxes
    loops, edges = _loops(diagram)
    near = _distance(diagram)
    back = set()
    for n, sink in sorted(loops, key=lambda e: (near.get(nets[e[0]].source, len(boxes)), e)):
        source = nets[n].source
        if source in _reached(sink, edges) | {sink}:
            back.add((n, sink))
        else:
            edges.setdefault(source, set()).add(sink)
    return back


def _loops(diagram: Diagram) -> tuple[list[tuple[int, str]], dict[str, set[str]]]:
    """What leaves registers within loops, and all other edges."""
    every: dict[str, set[str]] = {}
    for net in diagram.nets:
        every.setdefault(net.source, set()).update(net.sinks)
    reach = {key: _reached(key, every) for key in diagram.boxes}
    loops: list[tuple[int, str]] = []
    edges: dict[str, set[str]] = {}
    for n, net in enumerate(diagram.nets):
        box = diagram.boxes[net.source]
        holds = box.kind == "register" or box.clocked
        for sink in net.sinks:
            if holds and net.source in reach[sink] | {sink}:
                loops.append((n, sink))
            else:
                edges.setdefault(net.source, set()).add(sink)
    return loops, edges


def _distance(diagram: Diagram) -> dict[str, int]:
    """How many nets lie between the inputs and each box."""
    sinks = {sink for net in diagram.nets for sink in net.sinks}
    found = {k: 0 for k, b in diagram.boxes.items() if b.kind == "port" and k not in sinks}
    for step in range(1, len(diagram.boxes) + 1):
        new = {s for net in diagram.nets if net.source in found for s in net.sinks} - found.keys()
        if not new:
            break
        found |= dict.fromkeys(sorted(new), step)
    return found


def _forward(nets: list[Net], back: set[tuple[int, str]]) -> Iterable[tuple[str, str]]:
    for n, net in enumerate(nets):
        for sink in net.sinks:
            if (n, sink) not in back:
                yield net.source, sink


def _ranks(diagram: Diagram, back: set[tuple[int, str]]) -> dict[str, int]:
    """Column of each box and of each stage."""
    name = {key: _stays(key, box) for key, box in diagram.boxes.items()}
    after: dict[str, set[str]] = {name[key]: set() for key in diagram.boxes}
    for a, b in _forward(diagram.nets, back):
        after[name[a]].add(name[b])
    inputs = [k for k, b in diagram.boxes.items() if b.kind == "port" and after[k]]
    # Inputs alone stand in the first column, so that a net may lead back to all others.
    rank: dict[str, float] = {key: 0 if key in inputs else 1 for key in after}
    for _ in range(len(after) + 1):
        moved = False
        for a in sorted(after):
            for b in sorted(after[a]):
                if rank[b] <= rank[a]:
                    rank[b], moved = rank[a] + 1, True
        if not moved:
            break
    else:
        raise AssertionError("a loop without a register")
    fed = {b for key in inputs for b in _reached(key, after)} | set(inputs)
    for _ in range(len(after)):  # what no input feeds stands next to what it feeds
        for a in sorted(after.keys() - fed):
            if after[a]:
                rank[a] = min(rank[b] for b in after[a]) - STEP
    return _spread(diagram, rank, after)


def _spread(diagram: Diagram, rank: dict[str, float], after: dict[str, set[str]]) -> dict[str, int]:
    """Columns for stages alone, and outputs in the last one."""
    stages = {key for key in rank if key.startswith("stage ")}

    result: dict[str, int] = {}
    column, last = -1, None
    for key in sorted(rank, key=lambda k: (rank[k], k in stages, k)):
        own = (rank[key], key if key in stages else "")
        if own != last:
            column, last = column + 1, own
        result[key] = column
    ends = [k for k, b in diagram.boxes.items() if b.kind == "port" and not after[k]]
    end = max(column for key, column in result.items() if key not in ends) + 1
    return result | dict.fromkeys(ends, end)


def _place(diagram: Diagram, rank: dict[str, int], back: set[tuple[int, str]]) -> Columns:
    """Items in columns, with a place for each net that passes."""
    items = {key: Item(key, box) for key, box in diagram.boxes.items()}
    where = {key: rank[_stays(key, box)] for key, box in diagram.boxes.items()}
    columns: list[list[Item]] = [[] for _ in range(max(where.values()) + 1)]
    for key in diagram.boxes:
        columns[where[key]].append(items[key])
    segments: list[list[Segment]] = [[] for _ in columns]
    returns = []
    for n, net in enumerate(diagram.nets):
        source, start = items[net.source], where[net.source]
        source.nets_out.append(n)
        sinks = [s for s in net.sinks if (n, s) not in back]
        left = source
        for column in range(start + 1, max((where[s] for s in sinks), default=start) + 1):
            for sink in sinks:
                if where[sink] == column:
                    segments[column - 1].append(Segment(n, left, items[sink]))
                    items[sink].nets_in.append(n)
            if any(where[s] > column for s in sinks):
                passing = Item(f"net {n} {column}", None, [n], [n])
                columns[column].append(passing)
                segments[column - 1].append(Segment(n, left, passing))
                left = passing
        for sink in net.sinks:
            if (n, sink) in back:
                items[sink].nets_in.append(n)
                returns.append((n, start, source, where[sink], items[sink]))
    return Columns(columns, segments, returns)


def _order(c: Columns) -> None:
    """Order the columns by the middle of their neighbours; keep the order with least crossings."""
    best = [list(column) for column in c.columns]
    least = crossings(c)
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        numbers = range(len(c.columns)) if forward else range(len(c.columns) - 1, -1, -1)
        for k in numbers:
            _by_neighbours(c, k, forward)
        _swap(c)
        now = crossings(c)
        if now < least:
            least, best = now, [list(column) for column in c.columns]
    c.columns[:] = best
    _swap(c)
    _order_ports(c)


def _index(c: Columns) -> dict[Item, float]:
    """Relative height of each item in its column."""
    return {item: (i + 0.5) / len(column) for column in c.columns for i, item in enumerate(column)}


def _by_neighbours(c: Columns, k: int, forward: bool) -> None:
    place = _index(c)
    near: dict[Item, list[float]] = {}
    if forward and k:
        for s in c.segments[k - 1]:
            near.setdefault(s.right, []).append(place[s.left])
    elif not forward:
        for s in c.segments[k]:
            near.setdefault(s.left, []).append(place[s.right])
    c.columns[k].sort(key=lambda item: mean(near.get(item, [place[item]])))


def crossings(c: Columns) -> int:
    """How many pairs of segments cross."""
    return sum(_between(c, k) for k in range(len(c.columns) - 1))


def _between(c: Columns, k: int) -> int:
    left = {item: i for i, item in enumerate(c.columns[k])}
    right = {item: i for i, item in enumerate(c.columns[k + 1])}
    ends = [(left[s.left], right[s.right]) for s in c.segments[k]]
    return sum((a - x) * (b - y) < 0 for i, (a, b) in enumerate(ends) for x, y in ends[i + 1 :])


def _swap(c: Columns) -> None:
    """Swap neighbours as long as that helps."""
    improved = True
    while improved:
        improved = False
        for k, column in enumerate(c.columns):
            near = [j for j in (k - 1, k) if 0 <= j < len(c.columns) - 1]
            for i in range(len(column) - 1):
                before = sum(_between(c, j) for j in near)
                column[i], column[i + 1] = column[i + 1], column[i]
                if sum(_between(c, j) for j in near) < before:
                    improved = True
                else:
                    column[i], column[i + 1] = column[i + 1], column[i]


def _order_ports(c: Columns) -> None:
    """Let nets enter and leave boxes in the order of where they come from and go to."""
    place = _index(c)
    for k, column in enumerate(c.columns):
        for item in column:
            before = {s.net: place[s.left] for s in (c.segments[k - 1] if k else ())}
            order = {n: before.get(n, 2.0) for n in item.nets_in}
            item.nets_in.sort(key=lambda n, order=order: order[n])
            after: dict[int, list[float]] = {}
            for s in c.segments[k]:
                if s.left is item:
                    after.setdefault(s.net, []).append(place[s.right])
            heights = {n: mean(after.get(n, [2.0])) for n in item.nets_out}
            item.nets_out.sort(key=lambda n, heights=heights: heights[n])
