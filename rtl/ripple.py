"""Adders and comparisons as chains of carries.

Yosys makes parallel-prefix carries of ``+`` and ``>=``, which mapping does not turn back: they cost
a quarter more gates than chains do, and mapping for speed shortens chains by itself.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value

Bit = Value | int


def widened(value: Value, width: int) -> Value:
    """A non-negative value with zeros above, or cut to a width."""
    missing = width - len(value)
    return Cat(value, Const(0, missing)) if missing > 0 else value[:width]


def at_least(a: Value, b: Value, *, strict: Bit = 0) -> Value:
    """``a >= b``, or ``a > b`` where ``strict`` is 1, for values of equal width."""
    assert len(a) == len(b)
    carry = ~Value.cast(strict)[0] if not isinstance(strict, int) else Const(1 - strict, 1)
    for i in range(len(a)):
        x, y = a[i], ~b[i]
        carry = (x & y) | ((x | y) & carry)
    return carry


def add(m: Module, a: Value, b: Value, name: str, *, carry: Bit = 0, select: bool = True) -> Value:
    """``a + b + carry`` for values of equal width; one bit wider.

    With ``select`` each carry is a choice by the sum's first half, which is smaller where most
    bits of the sum are used; else it is a majority, which is smaller where few are.
    """
    assert len(a) == len(b)
    total = Signal(len(a), name=name)
    chain = Value.cast(carry)[0] if not isinstance(carry, int) else Const(carry, 1)
    for i in range(len(a)):
        x, y, c = a[i], b[i], chain
        unequal = Signal(name=f"{name}_unequal{i}")
        chain = Signal(name=f"{name}_carry{i}")
        m.d.comb += [
            unequal.eq(x ^ y),
            total[i].eq(unequal ^ c),
            chain.eq(Mux(unequal, c, x) if select else (x & y) | ((x | y) & c)),
        ]
    return Cat(total, chain)


def subtract(
    m: Module, a: Value, b: Value, name: str, *, select: bool = True
) -> tuple[Value, Value]:
    """``a - b`` of equal width, and whether it is not negative; ``select`` as for `add`."""
    total = add(m, a, ~b, name, carry=1, select=select)
    return total[:-1], total[-1]


def larger(m: Module, a: Value, b: Value, name: str) -> Value:
    """The larger of two values of equal width."""
    first = Signal(name=f"{name}_first")
    result = Signal(len(a), name=name)
    m.d.comb += [first.eq(at_least(a, b)), result.eq(Mux(first, a, b))]
    return result
