"""What `make exhaustive` runs of the dot products in gates."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np

from cocotb_tests.bulk import BulkModel
from cocotb_tests.pairwise import pairwise
from emulator import dot_stimulus
from emulator.dot_stream import expected
from emulator.errors import MismatchError
from rtl.dot_variant import SCALES, DotVariant
from rtl.variants import variant

WORDS = 200_000

ACCUMULATIONS = (
    "block",
    "fp32",
    "x2-fp32",
    "exact",
    "x4-exact-n3",
    "tc35",
    "tc25-k32-zeros",
    "tc8-k96",
)

CUTS = ("", "i", "s", "p", "o", "ispo")


def _name(choice: dict[str, str]) -> str:
    """The variant of a choice; what has no such hardware gets the nearest that has."""
    kind, block, scale = choice["accumulation"], int(choice["block"]), choice["scale"]
    if kind.startswith("tc"):
        block = max(block, 16)
    x, _, rest = kind.partition("-") if kind.startswith("x") else ("", "", kind)
    g = choice["tensor_scale"] if scale != "e8m0" and kind != "block" else ""
    h = f"-{g}" if g else ""
    cuts = choice["cuts"] or ("o" if kind == "block" else "")
    name = f"dot-{scale}-b{block}{f'-{x}' if x else ''}-{rest}{h}-cut{cuts}"
    return variant(name).name


MATRIX = sorted(
    {
        _name(choice)
        for choice in pairwise(
            {
                "scale": SCALES,
                "accumulation": ACCUMULATIONS,
                "block": ("4", "8", "16", "32"),
                "cuts": CUTS,
                "tensor_scale": ("", "h", "hbf16", "hp2"),
            }
        )
    }
)
"""Names of variants in which every pair of parameter values occurs, where there is hardware."""


def matrix_unit(name: str, unit: int) -> int:
    """Directed and random words of a variant through its Verilog, pauses included."""
    from cocotb_tests.simulate import verify
    from rtl.verilog import to_verilog

    v = variant(name)
    return verify(v, to_verilog(v), blocks=WORDS, seed=unit).driver_words


def scale_pairs_unit(scale: str, block: int, unit: int) -> int:
    """All pairs of stored scale codes through the Verilog of a block product."""
    return all_scale_pairs(scale, block)


@functools.lru_cache(maxsize=4)
def _model(name: str) -> BulkModel:
    from cocotb_tests.model import build
    from rtl.verilog import to_verilog

    v = variant(name)
    with tempfile.TemporaryDirectory(prefix="finescale-") as folder:
        path = Path(folder) / f"{v.module}.v"
        path.write_text(to_verilog(v))
        return BulkModel(build(path, v, top=v.module))


def all_scale_pairs(scale: str, block: int) -> int:
    """Compare the product of a block under all pairs of scale codes; return their number.

    Raises:
        MismatchError: with the first pair that differs.
    """
    model = _model(f"dot-{scale}-b{block}-block")
    v = model.variant
    assert isinstance(v, DotVariant)
    pairs = np.arange(1 << 16)
    parts = dot_stimulus.scale_pairs(v.words, pairs >> 8, pairs & 255)
    words = v.input_layout.pack(**{f.name: parts[f.name] for f in v.input_layout.fields})
    run = model.run(words)
    spec = expected(v.words, words)
    if run.problem or len(run.words) != len(spec):
        raise MismatchError(f"{v}: {run.problem or f'{len(run.words)} words'}")
    wrong = np.flatnonzero((run.words != spec).any(axis=1))
    if len(wrong):
        pair = int(wrong[0])
        raise MismatchError(
            f"{v}: {len(wrong)} pairs of scales differ (spec §16.2), first {pair >> 8:02x} and "
            f"{pair & 255:02x}: dut {bytes(run.words[pair][::-1]).hex()}, "
            f"spec {bytes(spec[pair][::-1]).hex()}"
        )
    return len(spec)
