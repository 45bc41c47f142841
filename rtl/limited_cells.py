"""The choice between 6 and 4 by a sum of table values: rule 4o6t (spec §17.5 to §17.7)."""

from __future__ import annotations

from fractions import Fraction

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.bits import reaches
from rtl.columns import Columns
from rtl.limited_shapes import LimitedShapes
from rtl.limited_table import CELLS, Interval, intervals, scale_value, sparse, step
from rtl.shapes import floor_log2

VALUE_BITS = 4
"""Bits of a table value, two's complement (spec §17.6)."""


class TableOfAmax(wiring.Component):
    """The table of a block (spec §17.6). Combinational.

    Amaxes with one table have one line, and each bit of a value is the OR of the lines that set
    it, or of those that clear it, whichever are fewer. Lines whose tables differ only in cells
    that none of their lanes can be in are one. Where the sum is positive anyhow, by amax alone,
    the cells below its binade hold 0 (`sparse`).

    Args:
        shapes: widths; their scale format has one table for all its normal scales.

    Members:
        amax: In, `Shapes.key`, the block's largest key.
        table: Out, the values of the cells 1 to 23, cell j at bit ``4 * (j - 1)``.
        six: Out, whether there is no choice: candidate 4 exceeds the largest code (spec §17.7).
    """

    amax: data.View
    table: Signal
    six: Signal

    def __init__(self, shapes: LimitedShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {"amax": In(shapes.lanes.key), "table": Out(VALUE_BITS * (CELLS - 1)), "six": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        lines = self._lines(m)
        hot = Signal(len(lines))
        m.d.comb += hot.eq(Cat(*(line.any() for _, _, line in lines)))
        for bit in range(len(self.table)):
            cell, digit = divmod(bit, VALUE_BITS)
            known = [(i, table[cell] >> digit & 1) for i, (table, top, _) in enumerate(lines)
                     if cell < top]  # fmt: skip
            ones = [hot[i] for i, value in known if value]
            zeros = [hot[i] for i, value in known if not value]
            few = Cat(*ones).any() if len(ones) <= len(zeros) else ~Cat(*zeros).any()
            m.d.comb += self.table[bit].eq(few)
        return m

    def _lines(self, m: Module) -> list[tuple[tuple[int, ...], int, Value]]:
        """Tables, the largest cell that counts, and the amax intervals that call for them."""
        s = self.shapes.lanes
        found = intervals(s.scale, s.prevent_zero)
        # From here on both scales are normal, and binades of amax are alike.
        first = 6 * scale_value(s.scale, 1 << s.scale.fraction_bits)
        start = Fraction(2) ** (floor_log2(first) + 1)
        below = [i for i in found if i.start < first]
        binade = [i for i in found if start <= i.start < 2 * start]
        check_alike(found, binade, first)
        key, fraction = self.amax.as_value(), self.amax.fraction
        base = s.key_pattern(start, False)
        normal = Signal()
        low = Signal(len(below) + 1)
        high = Signal(len(binade) + 1)
        m.d.comb += [
            normal.eq(reaches(key, s.key_pattern(first, False))),
            low.eq(Cat(*(reaches(key, s.key_pattern(i.start, i.beyond)) for i in below))),
            high.eq(Cat(*(reaches(fraction, self._pattern(i) - base) for i in binade))),
            self.six.eq(reaches(key, s.key_pattern(*step(s.scale, 4, s.scale.max_code + 1)))),
        ]
        lines: list[tuple[tuple[int, ...], int, list[Value]]] = []
        spans = [
            (found, inside & reached[i] & ~reached[i + 1])
            for part, reached, inside in ((below, low, ~normal), (binade, high, normal))
            for i, found in enumerate(part)
        ]
        for interval, span in sorted(spans, key=lambda pair: -pair[0].top):
            if interval.table is None:
                continue
            wanted = sparse(interval.table, interval.top)
            for table, _, selected in lines:
                if table[: interval.top] == wanted[: interval.top]:
                    selected.append(span)
                    break
            else:
                lines.append((wanted, interval.top, [span]))
        return [(table, top, Cat(*selected)) for table, top, selected in lines]

    def _pattern(self, interval: Interval) -> int:
        return self.shapes.lanes.key_pattern(interval.start, interval.beyond)


def check_alike(found: list[Interval], binade: list[Interval], first: Fraction) -> None:
    """Check that the tables of one binade serve from ``first`` on, where there is a choice."""
    start = binade[0].start
    for interval in found:
        if interval.start < first or interval.table is None:
            continue
        shift = start / Fraction(2) ** floor_log2(interval.start)
        at = (interval.start * shift, interval.beyond)
        like = max((i for i in binade if (i.start, i.beyond) <= at), key=lambda i: i.start)
        assert like.table == interval.table and like.top >= interval.top, "binades differ"


class CellValue(wiring.Component):
    """The table value of a lane's cell (spec §17.5). Combinational.

    The lane lies `below` binades under amax: its first three, three, two, one or no fraction bits
    tell its cell.

    Args:
        shapes: widths.

    Members:
        table: In, see `TableOfAmax`.
        below: In, binades below amax.
        fraction: In, the first three fraction bits.
        value: Out.
    """

    table: Signal
    below: Signal
    fraction: Signal
    value: Signal

    def __init__(self, shapes: LimitedShapes) -> None:
        self.shapes = shapes
        super().__init__(
            {
                "table": In(VALUE_BITS * (CELLS - 1)),
                "below": In(shapes.below_bits),
                "fraction": In(3),
                "value": Out(VALUE_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        rows: list[Value] = []
        for first, bits in ((16, 3), (8, 3), (4, 2), (2, 1), (1, 0)):
            row = [self._cell(first + i) for i in range(1 << bits)]
            for bit in self.fraction[3 - bits :]:
                row = [Mux(bit, *pair[::-1]) for pair in zip(row[::2], row[1::2], strict=True)]
            rows += row
        rows += [Const(0, VALUE_BITS)] * (8 - len(rows))
        for bit in self.below:
            rows = [Mux(bit, *pair[::-1]) for pair in zip(rows[::2], rows[1::2], strict=True)]
        m.d.comb += self.value.eq(rows[0])
        return m

    def _cell(self, cell: int) -> Value:
        return self.table.word_select(cell - 1, VALUE_BITS)


class TableChoice(wiring.Component):
    """Whether the sum of the lanes' table values is positive (spec §17.7). Combinational.

    Values v are added as 7 - v, which is not negative: the low bits inverted. The sum of n values
    is positive exactly if that of the others is below 7 * n, which the four bits above the low
    log2 n show.

    Args:
        lanes: number of values, a power of two.

    Members:
        values: In, value i at bit ``4 * i``.
        positive: Out.
    """

    values: Signal
    positive: Signal

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__({"values": In(VALUE_BITS * lanes), "positive": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        log_size = (self.lanes - 1).bit_length()
        columns = Columns(m, "values", log_size + VALUE_BITS)
        for i in range(self.lanes):
            value = self.values.word_select(i, VALUE_BITS)
            columns.add(Cat(~value[:-1], value[-1]))
        upper = columns.total()[log_size:]
        m.d.comb += self.positive.eq(~(upper[3] | upper[:3].all()))
        return m
