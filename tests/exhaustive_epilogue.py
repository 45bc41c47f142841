"""What `make exhaustive` runs of the gates behind a sum: tensor scales and what they multiply.

The gates are evaluated by `tests.rtl.gates`, what they should give by the float32 multiplication of
the processor, which the tests hold against the reference.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.errors import MismatchError
from emulator.formats import FP32
from emulator.scaled_words import float32_patterns
from tests.exhaustive import HARDWARE, Job

Patterns = npt.NDArray[np.uint32]

NAN = 0x7FC00000
FIELDS = range(1, 255)
"""Exponent fields of tensor scales (spec §14.6)."""

SUMS = range(2, 509)
"""Sums of two of them."""

FRACTIONS = (0, 1, 2, 3, 0x3FFFFF, 0x400000, 0x400001, 0x7FFFFE, 0x7FFFFF)
RANDOM_FRACTIONS = 7


def multiplied(x: Patterns, y: Patterns) -> Patterns:
    """Float32 products; a NaN is 7fc00000 (spec §16.11)."""
    with np.errstate(all="ignore"):
        product = x.view(np.float32) * y.view(np.float32)
    return np.where(np.isnan(product), np.uint32(NAN), product.view(np.uint32))


@functools.lru_cache(maxsize=8)
def gates(unit: str, kind: str) -> Any:
    """The netlist of `TensorScales` or `Epilogue`."""
    from rtl import dot_epilogue, dot_tensor_scales
    from rtl.verilog import convert
    from tests.rtl.gates import netlist

    made = (dot_tensor_scales.TensorScales if unit == "scales" else dot_epilogue.Epilogue)(kind)
    with tempfile.TemporaryDirectory(prefix="finescale-") as folder:
        return netlist(convert(made, unit), unit, Path(folder))


def sums(seed: int) -> Patterns:
    """Float32 patterns that a sum can have: of either sign, all exponents, zero, NaN."""
    rng = np.random.Generator(np.random.PCG64(seed))
    fractions = np.concatenate([FRACTIONS, rng.integers(0, 1 << 23, RANDOM_FRACTIONS)])
    positive = (np.arange(1, 255)[:, None] << 23 | fractions).ravel()
    every = np.concatenate([[0], positive, [1 << 31], positive | 1 << 31, [NAN]])
    return every.astype(np.uint32)


def check(kind: str, c: Patterns, a: Patterns, b: Patterns) -> int:
    """Compare sums times tensor scales, which come as words carry them; return their number.

    Raises:
        MismatchError: with the first that differ.
    """
    scales = gates("scales", kind).run(a=a, b=b)["g"]
    got = gates("epilogue", kind).run(c=c, g=scales)["product"].astype(np.uint32)
    both = [float32_patterns(x, kind) for x in (a, b)]
    spec = multiplied(c, multiplied(*both))
    wrong = np.flatnonzero(got != spec)
    if len(wrong):
        k = wrong[0]
        raise MismatchError(
            f"{kind}: {len(wrong)} of {len(got)} products differ (spec §16.11, §22.12), first "
            f"{c[k]:08x} * ({both[0][k]:08x} * {both[1][k]:08x}): dut {got[k]:08x}, "
            f"spec {spec[k]:08x}"
        )
    return len(got)


def pair_of(total: Any) -> tuple[Any, Any]:
    """Two exponent fields with a sum."""
    a = np.clip(np.asarray(total) // 2, FIELDS[0], FIELDS[-1])
    return a, total - a


def fields_unit(kind: str, unit: int) -> int:
    """All pairs of exponent fields, with a sum of each kind for each pair."""
    a, b = (x.ravel() for x in np.meshgrid(FIELDS, FIELDS))
    every = sums(unit)
    rng = np.random.Generator(np.random.PCG64([unit, 1]))
    shift = 7 if kind == "hbf16" else 0
    low = 1 << shift
    words = [((x << shift) | rng.integers(0, low, len(a))).astype(np.uint32) for x in (a, b)]
    directed = np.array([0, 0x80000000, NAN, 0x3F800000, 0xBF800001, 0x5FFFFFFF, 0x30000003])
    compared = sum(
        check(kind, np.full(len(a), c, np.uint32), *words) for c in directed.astype(np.uint32)
    )
    return compared + check(kind, rng.choice(every, len(a)).astype(np.uint32), *words)


def powers_unit(unit: int) -> int:
    """All sums of two exponent fields of powers of two, with every sum of `sums`."""
    every = sums(unit)
    a, b = pair_of(np.array(SUMS))
    c = np.tile(every, len(a))
    words = [np.repeat(x, len(every)).astype(np.uint32) for x in (a, b)]
    return check("hp2", c, *words)


def significands_unit(parts: int, unit: int) -> int:
    """All pairs of significands of bfloat16 tensor scales with a part of the sums of fields.

    The sum of the blocks is 1 and, where the product is subnormal, 2**40 and a number of 24 bits.
    """
    fractions = np.arange(128)
    s, t = (x.ravel() for x in np.meshgrid(fractions, fractions))
    rng = np.random.Generator(np.random.PCG64(unit))
    compared = 0
    for total in SUMS[unit::parts]:
        a, b = pair_of(total)
        words = [
            ((field << 7) | fraction).astype(np.uint32) for field, fraction in ((a, s), (b, t))
        ]
        given = [0x3F800000, 0x53800000, 0x3F800000 | int(rng.integers(1 << 23))]
        for c in given if total < 160 else given[::2]:
            compared += check("hbf16", np.full(len(s), c, np.uint32), *words)
    return compared


def random_unit(kind: str, count: int, unit: int) -> int:
    """Random sums and tensor scales, most of whose products lie where float32 ends."""
    rng = np.random.Generator(np.random.PCG64([unit, 2]))
    shift = 7 if kind == "hbf16" else 0
    c = (rng.integers(1, 255, count) << 23 | rng.integers(0, 1 << 23, count)) | (
        rng.integers(0, 2, count) << 31
    )
    # The exponent of the result: below, around and above the subnormal range, or anything.
    wanted = np.where(
        rng.integers(0, 4, count) > 0, rng.integers(-30, 30, count), rng.integers(-250, 510, count)
    )
    total = np.clip(wanted + 2 * FP32.bias - (c >> 23 & 255), SUMS[0], SUMS[-1])
    a, b = pair_of(total)
    words = [((x << shift) | rng.integers(0, 1 << shift, count)).astype(np.uint32) for x in (a, b)]
    return check(kind, c.astype(np.uint32), *words)


PARTS = 13
RANDOM_UNITS, RANDOM_COUNT = 8, 4_000_000


def jobs() -> list[Job]:
    """The jobs, in the order of their record."""
    kinds = ("hbf16", "hp2")
    spaces: list[tuple[str, str, tuple[Any, ...], int]] = [
        (f"fields {kind}, all pairs, with some sums", "fields_unit", (kind,), 4) for kind in kinds
    ]
    spaces.append(("powers of two, all sums of fields, with all sums", "powers_unit", (), 4))
    spaces.append(
        (
            "significands hbf16, all pairs under all sums of fields",
            "significands_unit",
            (PARTS,),
            PARTS,
        )
    )
    spaces += [
        (f"random {kind}, where float32 ends", "random_unit", (kind, RANDOM_COUNT), RANDOM_UNITS)
        for kind in kinds
    ]
    return [
        Job(
            f"tensor scales of dot products: {name}",
            "gates with IEEE 754 multiplication",
            "spec §16.11, §22.12",
            f"tests.exhaustive_epilogue:{function}",
            arguments,
            units,
            sources=(*HARDWARE, "rtl/dot_epilogue.py", "tests/exhaustive_epilogue.py"),
        )
        for name, function, arguments, units in spaces
    ]
