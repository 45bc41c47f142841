"""Sums of many numbers in carry-save form: full adders per column, one carry chain at the end."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal, Value


class Columns:
    """Bits by weight, to be added modulo ``2**width``.

    Full adders are written as such, because mapping does not find them in chains of adders.

    Args:
        m: module that gets the adders.
        name: prefix of the names of their wires.
        width: bits of the sum.
    """

    def __init__(self, m: Module, name: str, width: int) -> None:
        self.m, self.name, self.width = m, name, width
        self._bits: list[list[Value]] = [[] for _ in range(width)]
        self._constant = 0

    def add(self, value: Value, shift: int = 0) -> None:
        """Add ``value << shift`` for an unsigned value."""
        for column, bit in enumerate(value, shift):
            if column < self.width:
                self._bits[column].append(bit)

    def subtract(self, value: Value, shift: int = 0) -> None:
        """Subtract ``value << shift`` for an unsigned value: add its complement and a constant."""
        self.add(~value, shift)
        self._constant += (1 << shift) - (1 << (shift + len(value)))

    def rows(self) -> tuple[Value, Value]:
        """Two numbers with the same sum."""
        columns = [list(column) for column in self._bits]
        for i in range(self.width):
            if (self._constant >> i) & 1:
                columns[i].append(Const(1, 1))
        self._constant, level = 0, 0
        while any(len(column) > 2 for column in columns):
            columns = self._level(columns, level)
            level += 1
        rows = [
            Cat(*(column[i] if i < len(column) else Const(0, 1) for column in columns))
            for i in (0, 1)
        ]
        return rows[0], rows[1]

    def total(self) -> Signal:
        """The sum, its carry chain left to the tools."""
        result = Signal(self.width, name=f"{self.name}_total")
        first, second = self.rows()
        self.m.d.comb += result.eq(first + second)
        return result

    def _level(self, columns: list[list[Value]], level: int) -> list[list[Value]]:
        """One level of full adders: three bits of a column become one, and one of the next."""
        after: list[list[Value]] = [[] for _ in range(self.width)]
        for i, column in enumerate(columns):
            take = 3 if len(column) > 2 else len(column)
            while take == 3 and len(column) >= 3:
                a, b, c, *column = column
                total = Signal(name=f"{self.name}_s{level}_{i}_{len(column)}")
                carry = Signal(name=f"{self.name}_c{level}_{i}_{len(column)}")
                self.m.d.comb += [
                    total.eq(a ^ b ^ c),
                    carry.eq((a & b) | (c & (a ^ b))),
                ]
                after[i].append(total)
                if i + 1 < self.width:
                    after[i + 1].append(carry)
            after[i] += column
        return after


def ripple_add(m: Module, name: str, a: Value, b: Value) -> Value:
    """``a + b`` with one full adder per bit: for short numbers that many lanes add."""
    width = max(len(a), len(b))
    carry: Value = Const(0, 1)
    bits: list[Value] = []
    for i in range(width):
        x, y = (v[i] if i < len(v) else Const(0, 1) for v in (a, b))
        bit = Signal(name=f"{name}_s{i}")
        after = Signal(name=f"{name}_c{i}")
        m.d.comb += [bit.eq(x ^ y ^ carry), after.eq((x & y) | (carry & (x ^ y)))]
        bits.append(bit)
        carry = after
    return Cat(*bits, carry)
