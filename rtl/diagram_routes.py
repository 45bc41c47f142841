"""Routes of a diagram: where nets run between columns, in right angles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise, permutations

TRACK = 9.0
"""Between two vertical lines."""
NEAR = 5.0
MANY = 6
"""From that many lines on, their order is improved step by step."""


@dataclass(eq=False)
class Wire:
    """A net in the gap behind one column.

    Attributes:
        net: its number.
        left: height at which it comes from the left; None if it comes from a lane.
        rights: heights at which it leaves to the right.
        lane: height of the lane that it takes back to the left, or comes from.
        track: number of its vertical line, from the left; None if it is straight.
        after: the wire of the same net whose way to the right it goes on from, if any.
    """

    net: int
    left: float | None
    rights: list[float] = field(default_factory=list)
    lane: float | None = None
    track: int | None = None
    after: Wire | None = None

    @property
    def heights(self) -> list[float]:
        """All heights that it meets."""
        more = [y for y in (self.left, self.lane) if y is not None]
        return [*self.rights, *more]

    @property
    def bends(self) -> bool:
        """Whether it needs a vertical line."""
        return max(self.heights) - min(self.heights) > 0.5

    @property
    def branches(self) -> list[float]:
        """Heights at which more than two lines meet."""
        ends = (min(self.heights), max(self.heights))
        count = {y: 0 for y in self.heights}
        for y in self.heights:
            count[y] += 1
        return sorted(y for y, n in count.items() if n + (y != ends[0]) + (y != ends[1]) > 2)


def assign(wires: list[Wire]) -> int:
    """Give the wires of a gap their vertical lines; return the number of lines.

    Where each of two wires would have to be out of the way before the other one leaves, no order
    of lines keeps them apart. One of them is then cut in two, with a line each; the second part is
    added to ``wires``.
    """
    order = _ordered([w for w in wires if w.bends])
    if any(_upon(a, b) for a, b in combinations(order, 2)):
        order = _improved(_apart(wires))
    for track, wire in enumerate(order):
        wire.track = track
    return len(order)


def _ordered(bending: list[Wire]) -> Sequence[Wire]:
    """The order that costs least."""
    bending = sorted(bending, key=lambda w: (min(w.heights), max(w.heights), w.net))
    if len(bending) <= MANY:
        return min(permutations(bending), key=_cost, default=())
    return _improved(bending)


def _apart(wires: list[Wire]) -> list[Wire]:
    """An order in which no lines run on each other, with wires cut for it where they must be."""
    order: list[Wire] = []
    left = [w for w in wires if w.bends]
    while left:
        first = next((w for w in left if not any(_upon(w, v) for v in left)), None)
        if first is not None:
            order.append(first)
            left.remove(first)
            continue
        # A part of a cut wire is never cut again: nothing has to stand before the first one, and
        # the second one before nothing.
        wire = next(w for w in left if any(_upon(v, w) for v in left))
        wires.append(_cut(wire, wires))
        left.append(wires[-1])
    return order


def _cut(wire: Wire, wires: Sequence[Wire]) -> Wire:
    """End a wire at a height at which no other one runs, and return its rest."""
    here = wire.left or 0.0
    taken = sorted(y for w in wires for y in (*_of(w.left), *w.rights))
    free = [(a + b) / 2 for a, b in pairwise(taken) if b - a > 2 * NEAR]
    middle = (here + min(wire.rights, key=lambda y: abs(y - here))) / 2
    height = min((*free, taken[0] - TRACK, taken[-1] + TRACK), key=lambda y: abs(y - middle))
    after = Wire(wire.net, height, wire.rights, wire.lane, after=wire)
    wire.rights, wire.lane = [height], None
    return after


def _improved(bending: list[Wire]) -> Sequence[Wire]:
    order, least = bending, _cost(bending)
    improved = True
    while improved:
        improved = False
        for i in range(len(order)):
            for j in range(len(order)):
                rest = order[:i] + order[i + 1 :]
                new = [*rest[:j], order[i], *rest[j:]]
                cost = _cost(new)
                if cost < least:
                    order, least, improved = new, cost, True
    return order


def _cost(order: Sequence[Wire]) -> int:
    """Crossings, and lines upon each other, which count a thousand."""
    cost = 0
    for first, second in combinations(order, 2):
        # The first stands left of the second.
        if second.after is not first:
            cost += sum(_within(first, y) for y in _of(second.left))
            cost += sum(_within(second, y) for y in first.rights)
            cost += 1000 * _upon(first, second)
    return cost


def _upon(first: Wire, second: Wire) -> int:
    """How many lines of two wires run on each other, if the first stands left of the second."""
    if first is second or second.after is first:
        return 0
    wrong = first.after is second
    return wrong + sum(abs(y - z) < NEAR for y in _of(second.left) for z in first.rights)


def _of(y: float | None) -> list[float]:
    return [] if y is None else [y]


def _within(wire: Wire, y: float) -> bool:
    return min(wire.heights) < y < max(wire.heights)
