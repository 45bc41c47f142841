"""Accumulations: how the products of blocks are summed, and the grammar of their names.

    fp32 | exact | tc<F>[-k<elements per step>][-zeros]

An accumulation decides bits and computes nothing (spec §16).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from emulator.blocks import BlockFormat
from emulator.errors import UnknownNameError, near
from emulator.formats import Format

KINDS = ("fp32", "exact", "tc")
GROUP = 16
"""Elements of a group: what a tensor-core-like accumulation sums exactly (spec §16.7)."""

STEP = 64
MAX_STEP = 256
MAX_FRACTION_BITS = 40

GRAMMAR = "fp32 | exact | tc<F>[-k<elements per step>][-zeros]"
_TC = re.compile(r"tc(?P<bits>[0-9]+)(?:-k(?P<step>[0-9]+))?(?P<zeros>-zeros)?")


@dataclass(frozen=True)
class Accumulation:
    """How a dot product is made of the products of its blocks (spec §16.3).

    Args:
        kind: one of `KINDS`.
        fraction_bits: of `tc`: F, the bits kept below the largest exponent, 1 to 40; else None.
        step: of `tc`: elements that are added at once, a multiple of 16 up to 256; else None.
        zeros: of `tc`: whether a group whose term is zero takes part in the largest exponent.

    Raises:
        ValueError: if the parts make no sense together; the message says why.
    """

    kind: str
    fraction_bits: int | None = None
    step: int | None = None
    zeros: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UnknownNameError(
                f"unknown kind of accumulation {self.kind!r}{near(self.kind, KINDS)} "
                f"(known: {', '.join(KINDS)})"
            )
        if self.kind != "tc":
            if self.fraction_bits is not None or self.step is not None or self.zeros:
                raise ValueError(f"{self.kind}: fraction_bits, step and zeros go with tc only")
            return
        if self.step is None:
            object.__setattr__(self, "step", STEP)
        assert self.step is not None
        if self.fraction_bits is None or not 1 <= self.fraction_bits <= MAX_FRACTION_BITS:
            raise ValueError(
                f"tc: {self.fraction_bits} fraction bits are not 1 to {MAX_FRACTION_BITS} "
                "(spec §16.3)"
            )
        if not GROUP <= self.step <= MAX_STEP or self.step % GROUP:
            raise ValueError(
                f"tc{self.fraction_bits}: a step of {self.step} elements is not a multiple of "
                f"{GROUP} up to {MAX_STEP} (spec §16.3)"
            )

    @property
    def name(self) -> str:
        """Canonical name; ``accumulation(a.name) == a``."""
        if self.kind != "tc":
            return self.kind
        step = "" if self.step == STEP else f"-k{self.step}"
        return f"tc{self.fraction_bits}{step}{'-zeros' if self.zeros else ''}"

    @property
    def groups(self) -> int:
        """Groups of 16 elements per step of `tc`; 1 for the others."""
        return 1 if self.step is None else self.step // GROUP

    def __str__(self) -> str:
        return self.name


FP32_SEQUENTIAL = Accumulation("fp32")
EXACT = Accumulation("exact")


def accumulation_names() -> list[str]:
    """Names of the usual accumulations; other numbers may stand in those of `tc`."""
    return ["fp32", "exact", "tc35", "tc35-zeros", "tc25-k32", "tc24-k16"]


def accumulation(name: str) -> Accumulation:
    """Parse the name of an accumulation (spec §16.3).

    Raises:
        TypeError: if ``name`` is not a string.
        UnknownNameError: if it does not fit the grammar.
        ValueError: if a number is out of its range.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of an accumulation is a string, not {type(name).__name__}")
    if name in ("fp32", "exact"):
        return Accumulation(name)
    match = _TC.fullmatch(name)
    if match is None:
        raise UnknownNameError(
            f"unknown accumulation {name!r}{near(name, accumulation_names())} (names are {GRAMMAR})"
        )
    step = int(match["step"]) if match["step"] else STEP
    return Accumulation("tc", int(match["bits"]), step, match["zeros"] is not None)


def largest_integer(fmt: Format) -> int:
    """The largest finite value of a format, counted in its smallest quantum."""
    _, c, q = fmt.parts(fmt.max_code)
    return c << (q - fmt.min_quantum)


def largest_block(a: BlockFormat, b: BlockFormat) -> int:
    """The largest magnitude of a block's dot product in units of `unit_exponent` (spec §16.6)."""
    elements = a.block_size * largest_integer(a.element) * largest_integer(b.element)
    return elements * largest_integer(a.scale) * largest_integer(b.scale)


def unit_exponent(a: BlockFormat, b: BlockFormat) -> int:
    """The exponent u such that every dot product is a multiple of ``2**u`` (spec §16.6)."""
    return sum(f.min_quantum for f in (a.element, b.element, a.scale, b.scale))


def exact_bits(a: BlockFormat, b: BlockFormat, blocks: int = 1) -> int:
    """Bits of a two's complement accumulator that holds any ``blocks`` blocks (spec §16.6)."""
    return 1 + (blocks * largest_block(a, b)).bit_length()


def exact_blocks(a: BlockFormat, b: BlockFormat, bits: int) -> int:
    """How many blocks an accumulator of ``bits`` bits holds whatever they are (spec §16.6)."""
    return max(0, (1 << (bits - 1)) - 1) // largest_block(a, b)
