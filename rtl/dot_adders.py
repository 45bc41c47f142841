"""Adders by full adders, where gates count more than depth, and normalisation."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

Bits = list[Value]
"""The bits of a number, lowest first."""


def ripple(m: Module, name: str, a: Bits, b: Bits) -> Bits:
    """The sum of two unsigned numbers of one width, one bit longer, by a chain of full adders.

    Each bit is a signal of its own: words whose bits depend on lower bits of the same words look
    like loops to simulators.
    """
    total: Bits = []
    carry: Value = Const(0, 1)
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        differ, bit, after = (
            Signal(name=f"{name}_{part}{i}") for part in ("differ", "bit", "carry")
        )
        m.d.comb += [
            differ.eq(x ^ y),
            bit.eq(differ ^ carry),
            after.eq((x & y) | (differ & carry)),
        ]
        total.append(bit)
        carry = after
    return [*total, carry]


def tree(m: Module, name: str, terms: Sequence[Signal], width: int, most: int) -> Signal:
    """Sum of signed terms of equal widths, as a balanced tree of `ripple` adders.

    The top bit of a term counts negatively; it enters inverted, as a bit that counts positively,
    and the constant that this adds is taken off at the end, where it is one bit.

    Args:
        m: takes the statements.
        name: of the result.
        terms: a power of two of them.
        width: bits of the sum, enough for it.
        most: the largest magnitude of a term.
    """
    bits = len(terms[0])
    assert len(terms) & (len(terms) - 1) == 0 and most <= 1 << (bits - 1)
    # Each term is now term + 2**(bits-1) >= 0, and the sum is offset by their number times that.
    level: list[Bits] = [[*term[:-1], ~term[-1]] for term in terms]
    depth = 0
    while len(level) > 1:
        level = [
            ripple(m, f"{name}_{depth}_{i}", a, b)
            for i, (a, b) in enumerate(zip(level[::2], level[1::2], strict=True))
        ]
        depth += 1
    # The offset is half of the range that the bits have. Adding it again turns the top bit.
    (lifted,) = level
    total = Signal(width, name=name)
    m.d.comb += total.eq(Cat(*lifted[:-1], ~lifted[-1]).as_signed())
    return total


def normalised(
    m: Module, name: str, value: Signal, keep: int | None = None, *, sticky: bool = False
) -> tuple[Signal, Signal]:
    """``value`` shifted left until its top bit is 1, and by how many bits; zero stays zero.

    Args:
        m: takes the statements.
        name: of the signals.
        value: what is shifted.
        keep: bits of the result that count; all by default. Those that can no longer come to count
            are dropped on the way, so that later shifts are narrower.
        sticky: whether the lowest bit kept stands for those that were dropped.
    """
    counts: list[Value] = []
    for k in reversed(range((len(value) - 1).bit_length())):
        width, step = len(value), 1 << k
        empty = Signal(name=f"{name}_empty{step}")
        shifted = Signal(width, name=f"{name}_by{step}")
        m.d.comb += [
            empty.eq(~value[width - step :].any()),
            shifted.eq(Mux(empty, Cat(Const(0, step), value[: width - step]), value)),
        ]
        counts.insert(0, empty)
        # Later steps shift by less than this one: what is lower than that stays below.
        drop = 0 if keep is None else max(width - keep - (step - 1), 0)
        value = shifted
        if drop:
            value = Signal(width - drop, name=f"{name}_of{step}")
            lowest = shifted[: drop + 1].any() if sticky else shifted[drop]
            m.d.comb += value.eq(Cat(lowest, shifted[drop + 1 :]))
    count = Signal(max(len(counts), 1), name=f"{name}_count")
    m.d.comb += count.eq(Cat(*counts))
    return value, count


def leading_zeros(m: Module, name: str, value: Value) -> Signal:
    """Number of zeros above the highest 1; all ones of the result's width or more for zero."""
    width = len(value)
    levels = max((width - 1).bit_length(), 1)
    size = 1 << levels
    padded = Cat(Const((1 << (size - width)) - 1, size - width), value)
    # Pairs of (empty, count) from the top, joined two by two.
    parts: list[tuple[Value, list[Value]]] = [(~padded[size - 1 - i], []) for i in range(size)]
    for depth in range(levels):
        joined: list[tuple[Value, list[Value]]] = []
        for i in range(0, len(parts), 2):
            (high, high_bits), (low, low_bits) = parts[i], parts[i + 1]
            node = Signal(depth + 2, name=f"{name}_{depth}_{i}")
            bits = [Mux(high, b, a) for a, b in zip(high_bits, low_bits, strict=True)]
            m.d.comb += node.eq(Cat(*bits, high, high & low))
            joined.append((node[depth + 1], [node[j] for j in range(depth + 1)]))
        parts = joined
    count = Signal(levels, name=f"{name}_count")
    m.d.comb += count.eq(Cat(*parts[0][1]))
    return count
