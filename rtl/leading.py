"""Leading: the largest keys of a block in their order (spec §7.1, §18.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.ripple import at_least
from rtl.ripple import larger as larger_of
from rtl.shapes import Shapes


@dataclass(frozen=True)
class _Best:
    """The best keys of some lanes: in falling order, then some whose largest is the next one."""

    ordered: Sequence[Value]
    others: Sequence[Value] = ()


class Leading(wiring.Component):
    """A tree of nodes that rank the keys of their two halves, all ranks but the last.

    For the last one a node only collects keys that have lost to none but those ranked before, one
    more per level; the root looks for the largest of them. Equal keys count one by one.
    Combinational.

    Args:
        shapes: widths.
        lanes: number of keys, a power of two.
        count: number of outputs, 1 to 3 and at most ``lanes``.

    Members:
        keys_<i>: In, `Shapes.key`.
        leading_<k>: Out, the largest key, the second largest and the third.
    """

    keys: list[data.View]
    leading: list[data.View]

    def __init__(self, shapes: Shapes, lanes: int, count: int) -> None:
        assert 1 <= count <= min(3, lanes), f"{count} largest of {lanes} lanes"
        self.shapes, self.lanes, self.count = shapes, lanes, count
        super().__init__(
            {"keys": In(shapes.key).array(lanes), "leading": Out(shapes.key).array(count)}
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        level = [_Best([key.as_value()]) for key in self.keys]
        depth = 0
        while len(level) > 1:
            pairs = zip(level[::2], level[1::2], strict=True)
            level = [self._merge(m, f"{depth}_{i}", a, b) for i, (a, b) in enumerate(pairs)]
            depth += 1
        (best,) = level
        last = [self._largest(m, best.others)] if best.others else []
        for port, key in zip(self.leading, [*best.ordered, *last], strict=True):
            m.d.comb += port.as_value().eq(key)
        return m

    def _largest(self, m: Module, keys: Sequence[Value]) -> Value:
        """The largest of some keys."""
        level = list(keys)
        while len(level) > 1:
            pairs = zip(level[:-1:2], level[1::2], strict=True)
            odd = level[len(level) & ~1 :]
            name = f"last_{len(level)}"
            level = [larger_of(m, a, b, f"{name}_{i}") for i, (a, b) in enumerate(pairs)] + odd
        return level[0]

    def _merge(self, m: Module, name: str, a: _Best, b: _Best) -> _Best:
        """The best keys of two equal halves together."""

        def choose(
            first: Signal, xs: Sequence[Value], ys: Sequence[Value], what: str
        ) -> list[Value]:
            chosen: list[Value] = []
            for k, (x, y) in enumerate(zip(xs, ys, strict=True)):
                result = Signal(len(x), name=f"{what}_{name}_{k}")
                m.d.comb += result.eq(Mux(first, x, y))
                chosen.append(result)
            return chosen

        def compare(x: Value, y: Value, what: str) -> Signal:
            first = Signal(name=f"{what}_{name}")
            m.d.comb += first.eq(at_least(x, y))
            return first

        first = compare(a.ordered[0], b.ordered[0], "first")
        (head,) = choose(first, a.ordered[:1], b.ordered[:1], "head")
        if self.count == 1:
            return _Best([head])
        lost = choose(first, b.ordered, a.ordered, "lost")
        won = choose(first, a.ordered[1:], b.ordered[1:], "won")
        others = choose(first, a.others, b.others, "others")  # of the half that holds the head
        if self.count == 2:
            return _Best([head], [*lost, *others])
        if not won:  # single keys
            return _Best([head, *lost])
        upset = compare(lost[0], won[0], "upset")
        (second,) = choose(upset, lost[:1], won, "second")
        (third,) = choose(upset, won, lost[:1], "third")
        # ``others`` are not above ``won``, nor the second of ``lost`` above its first: where one of
        # them cannot be third, ``third`` is not below it.
        after = choose(upset, lost[1:], others[:1], "after") if others else lost[1:]
        return _Best([head, second], [third, *after, *others[1:]])
