"""Adders by full adders, where gates count more than depth, and normalisation."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value


def ripple(m: Module, name: str, a: Value, b: Value, width: int) -> Signal:
    """``a + b`` modulo ``2**width``, both taken as unsigned, as a chain of full adders."""
    x = Signal(width, name=f"{name}_x")
    both = Signal(width, name=f"{name}_and")
    m.d.comb += [
        x.eq(a.as_unsigned() ^ b.as_unsigned()),
        both.eq(a.as_unsigned() & b.as_unsigned()),
    ]
    total = Signal(width, name=name)
    carry: Value = Const(0, 1)
    bits = []
    for i in range(width):
        bits.append(x[i] ^ carry)
        after = Signal(name=f"{name}_carry{i}")
        m.d.comb += after.eq(both[i] | (x[i] & carry))
        carry = after
    m.d.comb += total.eq(Cat(*bits))
    return total


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
    level: list[Signal] = []
    for i, term in enumerate(terms):
        lifted = Signal(bits, name=f"{name}_lifted{i}")
        m.d.comb += lifted.eq(Cat(term[:-1], ~term[-1]))
        level.append(lifted)
    depth = 0
    while len(level) > 1:
        bits += 1
        level = [
            ripple(m, f"{name}_{depth}_{i}", a, b, bits)
            for i, (a, b) in enumerate(zip(level[::2], level[1::2], strict=True))
        ]
        depth += 1
    # The offset is 2**(bits-1): half of the lifted range. Adding it again turns the top bit.
    total = Signal(width, name=name)
    exact = Cat(level[0][: bits - 1], ~level[0][bits - 1])
    m.d.comb += total.eq(exact.as_signed())
    return total


def normalised(m: Module, name: str, value: Signal) -> tuple[Signal, Signal]:
    """``value`` shifted left until its top bit is 1, and by how many bits; zero stays zero."""
    width = len(value)
    counts: list[Value] = []
    for k in reversed(range((width - 1).bit_length())):
        step = 1 << k
        empty = Signal(name=f"{name}_empty{step}")
        shifted = Signal(width, name=f"{name}_by{step}")
        m.d.comb += [
            empty.eq(~value[width - step :].any()),
            shifted.eq(Mux(empty, Cat(Const(0, step), value[: width - step]), value)),
        ]
        value = shifted
        counts.insert(0, empty)
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
