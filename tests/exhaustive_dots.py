"""Units of `make exhaustive` on dot products: kernels with the reference (spec §16)."""

from __future__ import annotations

import numpy as np

from emulator.dot import matmul
from emulator.errors import MismatchError
from emulator.recipes import recipe
from emulator.tensor import Quantized
from tests.emulator.dot_operands import by_reference, random_dots

SELECTIONS = ("ue4m3-absmax", "ue5m3-absmax", "e8m0-floor")
TCS = ("tc35", "tc35-zeros", "tc25-k32", "tc24-k16-zeros", "tc1-k32", "tc13-k48", "tc40-k256")
ACCUMULATIONS = ("fp32", "exact", *TCS)
PAIRED = ("fp32", "exact", "tc35", "tc24-k16-zeros")
BLOCKS = (2, 4, 8, 16, 32, 64)
TC_BLOCKS = (16, 32, 64, 128)


def random_unit(selection: str, accumulation: str, rows: int, unit: int) -> int:
    """Random dot products of every style; block size and second format change with the unit."""
    blocks = TC_BLOCKS if accumulation in TCS else BLOCKS
    size, other = blocks[unit % len(blocks)], SELECTIONS[unit // len(blocks) % len(SELECTIONS)]
    names = (f"{selection}-b{size}", f"{other}-b{size}")
    return random_dots(*names, accumulation, rows, 3000 + unit)


def pairs_unit(a_selection: str, b_selection: str, accumulation: str, unit: int) -> int:
    """All 65,536 pairs of stored scale codes, each beside a second block of random scales."""
    rng = np.random.Generator(np.random.PCG64(4000 + unit))
    operands = []
    for name in (a_selection, b_selection):
        r = recipe(f"{name}-b16")
        codes = rng.integers(0, 16, (256, 32)).astype(np.uint8)
        scales = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 2, axis=1)
        scales[:, 1] = rng.permutation(256)
        scales[scales[:, 1] == r.scale.nan_code, 1] = 0
        operands.append(Quantized(codes, scales, r, 1))
    a, b = operands
    got = matmul(a, b, accumulation, transpose_b=True).view(np.uint32).tolist()
    for i, row in enumerate(got):
        for j, bits in enumerate(row):
            spec = by_reference(a, i, b, j, accumulation)
            if bits != spec:
                raise MismatchError(
                    f"{a_selection},{b_selection} {accumulation}: scales {i:02x},{j:02x} of unit "
                    f"{unit}: {bits:08x}, by the reference {spec:08x}"
                )
    return sum(map(len, got))
