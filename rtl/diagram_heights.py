"""Heights of a diagram: where in its column each box stands, so that nets run straight."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from rtl.diagram_columns import Columns, Item, Segment

PITCH = 26.0
"""Between two nets at one side of a box."""
PORT = 20.0
"""Height of a port with one net; ports stand so close that their nets have one pitch."""
GAP = 16.0
"""Between two boxes of a column."""
ROUNDS = 30
KINK = 10.0
"""What a bend costs besides its height."""


def port_in(item: Item, net: int) -> float:
    """Height at which a net enters an item, from the item's middle."""
    return _port(item.nets_in, net)


def port_out(item: Item, net: int) -> float:
    """Height at which a net leaves an item, from the item's middle."""
    return _port(item.nets_out, net)


def _port(nets: list[int], net: int) -> float:
    return (nets.index(net) - (len(nets) - 1) / 2) * PITCH


def settle(columns: Columns) -> None:
    """Give all items their heights."""
    Heights(columns).settle()


class Heights:
    """Moves items up and down as long as nets get straighter.

    Args:
        columns: the items; their order in each column stays.
    """

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.above: dict[Item, Item] = {}
        self.below: dict[Item, Item] = {}
        self.touching: dict[Item, list[Segment]] = {}
        self.step: dict[Segment, float] = {}
        self.weight: dict[Segment, float] = {}
        self._together: dict[Item, list[Item]] = {}
        self._apart: dict[tuple[Item, Item], float] = {}
        items = [item for column in columns.columns for item in column]
        self._number = {item: i for i, item in enumerate(items)}
        for column in columns.columns:
            for a, b in pairwise(column):
                self.above[b], self.below[a] = a, b
                self._apart[a, b] = self._distance(a, b)
        for segments in columns.segments:
            for s in segments:
                self.touching.setdefault(s.left, []).append(s)
                self.touching.setdefault(s.right, []).append(s)
                self.step[s] = port_in(s.right, s.net) - port_out(s.left, s.net)
                self.weight[s] = self._weight(s)

    def settle(self) -> None:
        """See `settle`."""
        items = [item for column in self.columns.columns for item in column]
        found: list[tuple[float, list[float]]] = []
        for share in (0.5, 0.0, 1.0):
            for order in (items, items[::-1]):
                self._stack(share)
                self._together.clear()
                for _ in range(ROUNDS):
                    if not any([self._improve(item) for item in order]):
                        break
                cost = self._cost(self._segments(set(items)))
                found.append((round(cost, 3), [item.y for item in items]))
        for item, y in zip(items, min(found, key=lambda f: f[0])[1], strict=True):
            item.y = y

    def _stack(self, share: float) -> None:
        """Close up the columns; ``share`` of each stands above one line through all of them."""
        for column in self.columns.columns:
            height = 0.0
            for item in column:
                if item in self.above:
                    height += self._apart[self.above[item], item]
                item.y = height
            for item in column:
                item.y -= height * share

    @staticmethod
    def _distance(a: Item, b: Item) -> float:
        """Least distance between the middles of neighbours."""
        kinds = {i.box.kind if i.box is not None else "" for i in (a, b)}
        gap = PITCH if "bar" in kinds else PITCH - PORT if kinds == {"port"} else GAP
        return (a.height + b.height) / 2 + gap

    def _bend(self, s: Segment) -> float:
        """How far a segment is from straight, downwards positive."""
        return s.right.y - s.left.y + self.step[s]

    @staticmethod
    def _weight(s: Segment) -> float:
        """Nets that run far are worth more."""
        far = sum(i.box is None or i.box.kind == "bar" for i in (s.left, s.right))
        return (1.0, 2.0, 4.0)[far]

    def _segments(self, items: set[Item]) -> set[Segment]:
        return {s for item in items for s in self.touching.get(item, ())}

    def _cost(self, segments: set[Segment]) -> float:
        cost = 0.0
        for s in segments:
            bend = abs(s.right.y - s.left.y + self.step[s])
            if bend > 0.01:
                cost += self.weight[s] * (bend + KINK)
        return cost

    def _straight(self, item: Item) -> list[Item]:
        """The items joined to one by straight nets, in a fixed order."""
        if item in self._together:
            return self._together[item]
        found, left = {item}, [item]
        while left:
            for s in self.touching.get(left.pop(), ()):
                if abs(self._bend(s)) < 0.01:
                    new = {s.left, s.right} - found
                    found |= new
                    left += new
        ordered = sorted(found, key=self._number.__getitem__)
        self._together |= dict.fromkeys(ordered, ordered)
        return ordered

    def _improve(self, item: Item) -> bool:
        """Try to straighten the nets of an item; say whether one move helped."""
        for group, whole in self._groups(item):
            inside = set(group)
            bends = {
                round(self._bend(s) if s.left in inside else -self._bend(s), 3)
                for member in group
                for s in self.touching.get(member, ())
                if (s.left in inside) != (s.right in inside)
            }
            for delta in sorted(bends - {0.0}, key=lambda d: (abs(d), d)):
                if self._move(group, delta, whole):
                    return True
        return False

    def _groups(self, item: Item) -> Iterator[tuple[list[Item], bool]]:
        for group in ([item], self._straight(item)):
            yield group, False
            yield group, True

    def _move(self, group: list[Item], delta: float, whole: bool) -> bool:
        """Move a group and push what is in its way, if the nets get straighter by that.

        Args:
            group: the items.
            delta: how far down.
            whole: whether pushed items take along what they are straight with.
        """
        left = [(member, member.y + delta) for member in group]
        moves: dict[Item, float] = {}
        taken: dict[int, float] = {}
        toward = self.below if delta > 0 else self.above
        while left:
            item, y = left.pop()
            known = moves.get(item, item.y)
            if (delta > 0 and y <= known) or (delta < 0 and y >= known):
                continue
            if whole:
                straight, far = self._straight(item), y - item.y
                # Once is enough for all that are straight with each other and go equally far.
                if abs(taken.get(id(straight), 0.0) - far) > 1e-9:
                    taken[id(straight)] = far
                    left += [
                        (other, other.y + far)
                        for other in straight
                        if other is not item and other not in moves
                    ]
            moves[item] = y
            other = toward.get(item)
            if other is not None:
                pair = (item, other) if delta > 0 else (other, item)
                limit = y + self._apart[pair] * (1 if delta > 0 else -1)
                if (delta > 0 and limit > other.y) or (delta < 0 and limit < other.y):
                    left.append((other, limit))
        segments = self._segments(set(moves))
        cost = self._cost(segments)
        before = {item: item.y for item in moves}
        for item, y in moves.items():
            item.y = y
        if self._cost(segments) < cost - 1e-6:
            self._together.clear()
            return True
        for item, y in before.items():
            item.y = y
        return False
