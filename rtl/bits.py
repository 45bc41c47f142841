"""Comparison of fractions of different widths, and thermometer codes."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Value


def aligned(a: Value, b: Value) -> tuple[Value, Value]:
    """Two binary fractions in the same width: the shorter one gets zeros at its low end."""
    width = max(len(a), len(b))
    return (
        Cat(Const(0, width - len(a)), a) if len(a) < width else a,
        Cat(Const(0, width - len(b)), b) if len(b) < width else b,
    )


def reaches(key: Value, pattern: int) -> Value:
    """``key >= pattern`` for a constant pattern."""
    if pattern <= 0:
        return Const(1)
    return Const(0) if pattern >> len(key) else key >= pattern


def thermometer_value(reached: Sequence[Value], first: int, width: int) -> Value:
    """``first`` plus the number of thresholds reached; each implies the ones before it."""
    bits = []
    for bit in range(width):
        levels = [(first + i) >> bit & 1 for i in range(len(reached) + 1)]
        terms: list[Value] = []
        start: Value | None = Const(1) if levels[0] else None
        for threshold, level in zip(reached, levels[1:], strict=True):
            if level and start is None:
                start = threshold
            elif not level and start is not None:
                terms.append(start & ~threshold)
                start = None
        if start is not None:
            terms.append(start)
        result: Value = Const(0)
        for term in terms:
            result = result | term
        bits.append(result[0])
    return Cat(*bits)
