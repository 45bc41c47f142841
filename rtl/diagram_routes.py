"""Routes of a diagram: where nets run between columns, in right angles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations

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
    """

    net: int
    left: float | None
    rights: list[float] = field(default_factory=list)
    lane: float | None = None
    track: int | None = None

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


def assign(wires: Sequence[Wire]) -> int:
    """Give the wires of a gap their vertical lines; return the number of lines."""
    bending = sorted(
        (w for w in wires if w.bends), key=lambda w: (min(w.heights), max(w.heights), w.net)
    )
    straight = [w for w in wires if not w.bends]
    if len(bending) <= MANY:
        order = min(permutations(bending), key=lambda o: _cost(o, straight), default=())
    else:
        order = _improved(bending, straight)
    for track, wire in enumerate(order):
        wire.track = track
    return len(bending)


def _improved(bending: list[Wire], straight: list[Wire]) -> Sequence[Wire]:
    order, least = bending, _cost(bending, straight)
    improved = True
    while improved:
        improved = False
        for i in range(len(order)):
            for j in range(len(order)):
                rest = order[:i] + order[i + 1 :]
                new = [*rest[:j], order[i], *rest[j:]]
                cost = _cost(new, straight)
                if cost < least:
                    order, least, improved = new, cost, True
    return order


def _cost(order: Sequence[Wire], straight: Sequence[Wire]) -> int:
    """Crossings, and lines upon each other, which count a thousand."""
    cost = 0
    for i, first in enumerate(order):
        for second in order[i + 1 :]:
            # The first stands left of the second.
            cost += sum(_within(first, y) for y in _of(second.left))
            cost += sum(_within(second, y) for y in first.rights)
            cost += 1000 * sum(abs(y - z) < NEAR for y in _of(second.left) for z in first.rights)
    return cost


def _of(y: float | None) -> list[float]:
    return [] if y is None else [y]


def _within(wire: Wire, y: float) -> bool:
    return min(wire.heights) < y < max(wire.heights)
