"""How an accumulation works on tiles of two block formats: tables, kernels and their bounds.

Nothing is computed with floats here but table entries, which are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.accumulation import (
    GROUP,
    Accumulation,
    largest_block,
    largest_integer,
    unit_exponent,
)
from emulator.arguments import Array
from emulator.blocks import BlockFormat
from emulator.errors import NotAvailableError
from emulator.formats import Format

SIGNIFICAND = 24
"""Bits of float32's significand."""

Scales = tuple[Array, ...]


@dataclass(frozen=True)
class Plan:
    """What an accumulation does with tiles; a tile has rows of a and columns of b.

    Attributes:
        unit: elements that are summed before the scales enter: a block, or a group of 16.
        block: elements of a block.
        step: units that are added at once.
        elements: float32, the integer of each of the 256 stored element codes.
        tables: of both operands, what the kernel needs to know of each of the 256 scale codes.
        joint: one ufunc per such table: how two scales make that of their product; its identity
            stands for the scale 1.
        start: makes a state from its rows and columns.
        update: adds units: f(state, s, *scales of a, *scales of b).
        finish: makes the float32 of a state.
    """

    unit: int
    block: int
    step: int
    elements: npt.NDArray[np.float32]
    tables: tuple[Scales, Scales]
    joint: tuple[np.ufunc, ...]
    start: Callable[[int, int], Array]
    update: Callable[..., None]
    finish: Callable[[Array], npt.NDArray[np.float32]]

    def ranges(self, length: int, most: int) -> Iterator[range]:
        """Cut the units of an axis into ranges of whole steps, of ``most`` units where possible."""
        units = -(-length // self.unit)
        width = max(most // self.step, 1) * self.step
        for start in range(0, units, width):
            yield range(start, min(start + width, units))

    def scales(self, operand: int, codes: Array, units: range) -> Scales:
        """Table entries (units, rows) of the scale codes (rows, blocks) of operand 0 or 1."""
        of_units = codes[:, np.arange(units.start, units.stop) * self.unit // self.block].T
        return tuple(np.take(table, of_units, mode="clip") for table in self.tables[operand])

    def joined(self, a: Scales, b: Scales) -> Scales:
        """Scales as `update` takes them where column i of a meets column i of b only."""
        pairs = [f(x, y) for f, x, y in zip(self.joint, a, b, strict=True)]
        ones = [
            np.full((len(x), 1), f.identity, x.dtype) for f, x in zip(self.joint, a, strict=True)
        ]
        return (*ones, *pairs)


@lru_cache(maxsize=64)
def plan_for(a: BlockFormat, b: BlockFormat, chosen: Accumulation) -> Plan:
    """Return the plan for two formats of equal block size and element format.

    Raises:
        ValueError: if the blocks are too small for the accumulation (spec §16.7).
        NotAvailableError: if a format is not finite, or a block's sum may exceed 24 bits
            (spec §16.2).
    """
    element, size = a.element, a.block_size
    for fmt, specials in ((element, True), (a.scale, False), (b.scale, False)):
        if fmt.inf_code is not None or (specials and fmt.nan_code is not None):
            what = "infinity" if fmt.inf_code is not None else "NaN"
            raise NotAvailableError(f"dot products of {fmt.name}, which has {what}: not available")
    bits = (size * largest_integer(element) ** 2 * _significand(a) * _significand(b)).bit_length()
    if bits > SIGNIFICAND:
        raise NotAvailableError(
            f"blocks of {size} {element.name} elements with {a.scale.name} and {b.scale.name} "
            f"scales have sums of {bits} bits, more than {SIGNIFICAND} (spec §16.2)"
        )
    elements = np.zeros(256, np.float32)
    for code in range(256):
        sign, c, q = element.parts(code)
        elements[code] = (-1) ** sign * (c << (q - element.min_quantum))
    if chosen.kind == "fp32":
        return _sequential(a, b, elements)
    if chosen.kind == "exact":
        return _exact(a, b, elements)
    if size < GROUP:
        raise ValueError(
            f"blocks of {size} elements are smaller than the groups of {GROUP} of {chosen} "
            "(spec §16.7)"
        )
    return _tensor_core(a, b, elements, chosen)


def _significand(stored: BlockFormat) -> int:
    """The largest integer significand of a scale format."""
    return (2 << stored.scale.fraction_bits) - 1


def _parts(fmt: Format) -> tuple[Array, Array]:
    """C and h of each stored scale code, the scale being ``c * 2**(h + min_quantum)``.

    A NaN gets 0; what meets it is overwritten (spec §16.12).
    """
    c, h = np.zeros(256, np.int32), np.zeros(256, np.int32)
    for code in range(256):
        if fmt.is_finite(code):
            _, c[code], q = fmt.parts(code)
            h[code] = q - fmt.min_quantum
    return c, h


def _sequential(a: BlockFormat, b: BlockFormat, elements: Array) -> Plan:
    """The accumulation `fp32`: float32 additions, in float64 where float32 is too narrow."""
    from emulator.dot_kernels import add_float_kernel

    least = unit_exponent(a, b)
    narrow = least >= -126 and largest_block(a, b).bit_length() + least <= 127
    if not narrow and (least < -1000 or largest_block(a, b).bit_length() + least > 1000):
        raise NotAvailableError(f"{a.scale.name} and {b.scale.name} scales exceed float64's range")
    real = np.float32 if narrow else np.float64

    def table(stored: BlockFormat) -> Scales:
        c, h = _parts(stored.scale)
        # The elements count in their quantum; each operand's goes to its scales.
        q = stored.scale.min_quantum + stored.element.min_quantum
        return (np.ldexp(c.astype(real), h + q),)

    return Plan(
        a.block_size,
        a.block_size,
        1,
        elements,
        (table(a), table(b)),
        (np.multiply,),
        lambda rows, columns: np.zeros((rows, columns), np.float32),
        add_float_kernel(not narrow),
        lambda state: state,
    )


def _exact(a: BlockFormat, b: BlockFormat, elements: Array) -> Plan:
    """The accumulation `exact`: digits of 32 bits, as many as the formats need."""
    from emulator.dot_kernels import add_digits_kernel, round_digits_kernel

    tables = _parts(a.scale), _parts(b.scale)
    highest = sum(int(h.max()) for _, h in tables)
    digits = (highest >> 5) + 3
    unit = unit_exponent(a, b)
    round_digits = round_digits_kernel()

    def finish(state: Array) -> npt.NDArray[np.float32]:
        out = np.empty(state.shape[:2], np.uint32)
        round_digits(out, state, unit)
        return out.view(np.float32)

    return Plan(
        a.block_size,
        a.block_size,
        1,
        elements,
        tables,
        (np.multiply, np.add),
        lambda rows, columns: np.zeros((rows, columns, digits), np.int64),
        add_digits_kernel(),
        finish,
    )


def _tensor_core(a: BlockFormat, b: BlockFormat, elements: Array, chosen: Accumulation) -> Plan:
    """The accumulation `tc`: int64 sums of truncated terms."""
    from emulator.dot_kernels import add_truncated_kernel

    assert chosen.fraction_bits is not None
    quantum = unit_exponent(a, b)
    scale_quantum = a.scale.min_quantum + b.scale.min_quantum
    top = scale_quantum + a.scale.fraction_bits + b.scale.fraction_bits
    largest = GROUP * largest_integer(a.element) ** 2 * _significand(a) * _significand(b)
    # A term counts 2**(h + h' + quantum), and h + h' + top <= m: it is shifted up by no more than
    # F + quantum - top.
    bits = largest.bit_length() + max(chosen.fraction_bits + quantum - top, 0)
    if bits + (chosen.groups + 1).bit_length() > 62:
        raise NotAvailableError(
            f"{chosen} of {a.element.name} elements with {a.scale.name} and {b.scale.name} scales "
            "takes more than 62 bits: not available"
        )
    add = add_truncated_kernel()

    def update(state: Array, s: Array, *scales: Any) -> None:
        add(state, s, *scales, chosen.groups, chosen.fraction_bits, quantum, top, chosen.zeros)

    return Plan(
        GROUP,
        a.block_size,
        chosen.groups,
        elements,
        (_parts(a.scale), _parts(b.scale)),
        (np.multiply, np.add),
        lambda rows, columns: np.zeros((rows, columns), np.uint32),
        update,
        lambda state: state.view(np.float32),
    )
