"""Runs the worked examples of spec §20 by the functions that a user calls.

pack <n> <codes> -> <bytes>              unpack <n> <bytes> -> <codes>
swizzle <rows>x<blocks> <r>,<c> -> <byte>, or size -> <bytes>, or bytes (of 01, 02, ...)
type <format> <code> -> <type> <value>   dlpack <recipe> <floats> -> <scale> <codes>
arrays <recipe> <shape> -> <name:type:shape ...>
reciprocal stored|read|kept <float> -> <float>
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from emulator.arguments import INPUTS
from emulator.compressed_tensors_io import (
    kept_tensor_scale,
    read_scale,
    stored_arrays,
    stored_scale,
)
from emulator.formats import FORMATS
from emulator.interchange import TYPES, pack, unpack
from emulator.recipes import recipe
from emulator.safetensors_io import DTYPES
from emulator.swizzle import swizzle
from emulator.tensor import Quantized, quantize, scales_shape
from tests.spec_examples import Example, floats

Ran = tuple[str, str]


class Foreign:
    """An array of which only DLPack is to be seen."""

    def __init__(self, array: np.ndarray, device: tuple[int, int] = (1, 0)) -> None:
        self.array, self.device = array, device

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device


def _or_refused(compute: Callable[[], str]) -> str:
    try:
        return compute()
    except ValueError:
        return "refused"


def _nibbles(text: str) -> np.ndarray:
    return np.array([int(c, 16) for c in text], np.uint8)


def run_pack(e: Example) -> Ran:
    assert len(e.left) == int(e.subject)
    return pack(_nibbles(e.left)).tobytes().hex(" "), e.right


def run_unpack(e: Example) -> Ran:
    packed = np.frombuffer(bytes.fromhex(e.left), np.uint8)
    got = _or_refused(lambda: "".join(f"{c:x}" for c in unpack(packed, int(e.subject))))
    return got, e.right


def run_swizzle(e: Example) -> Ran:
    shape = tuple(int(n) for n in e.subject.split("x"))
    scales = np.zeros(shape, np.uint8)
    if e.left == "size":
        return str(swizzle(scales).size), e.right
    if e.left == "bytes":
        scales.reshape(-1)[:] = np.arange(1, scales.size + 1)
        got = swizzle(scales)
        return " ".join(f"{i}:{got[i]:02x}" for i in np.flatnonzero(got)), e.right
    row, column = (int(n) for n in e.left.split(","))
    scales[row, column] = 1
    [at] = np.flatnonzero(swizzle(scales))
    return str(at), e.right


def run_type(e: Example) -> Ran:
    name = "ue4m3-absmax-b2" if e.subject == "e2m1" else f"{e.subject}-absmax-b2"
    r = recipe("e8m0-floor-b2" if e.subject == "e8m0" else name)
    code = np.array([int(e.left, 16)] * 2, np.uint8)
    scales = code[:1] if e.subject != "e2m1" else np.zeros(1, np.uint8)
    codes = code if e.subject == "e2m1" else np.zeros(2, np.uint8)

    def compute() -> str:
        typed = Quantized.from_arrays(codes, scales, r).to_ml_dtypes()[e.subject != "e2m1"]
        assert typed.dtype.name == TYPES[e.subject]
        value = typed[:1].astype(np.float32).view(np.uint32)[0]
        return f"{typed.dtype.name} fp32:{value:08x}"

    return _or_refused(compute), e.right


def run_dlpack(e: Example) -> Ran:
    fmt, bits = floats(e.left)
    [dtype] = [d for d, f in INPUTS.items() if f is fmt]
    x = np.array(bits, f"u{dtype.itemsize}").view(dtype)
    q = quantize(Foreign(x), e.subject)  # pyright: ignore[reportArgumentType]
    return f"{q.scales[0]:02x} " + "".join(f"{c:x}" for c in q.codes), e.right


def run_arrays(e: Example) -> Ran:
    r = recipe(e.subject)
    shape = tuple(int(n) for n in e.left.split("x"))
    q = Quantized(
        np.zeros(shape, np.uint8),
        np.zeros(scales_shape(shape, 1, r.block_size), np.uint8),
        r,
        1,
        None if r.tensor_scale is None else np.float32(1),
    )
    names = {dtype: name for name, dtype in DTYPES.items()}

    def compute() -> str:
        return " ".join(
            f"{k.removeprefix('w_')}:{names[a.dtype]}:{'x'.join(map(str, a.shape))}"
            for k, a in stored_arrays("w", q).items()
        )

    return _or_refused(compute), e.right


def run_reciprocal(e: Example) -> Ran:
    functions = {"stored": stored_scale, "read": read_scale, "kept": kept_tensor_scale}
    _, [bits] = floats(e.left)
    got = functions[e.subject](np.uint32(bits).view(np.float32))
    return f"fp32:{got.view(np.uint32):08x}", e.right


INTERCHANGE: dict[str, Callable[[Example], Ran]] = {
    "pack": run_pack,
    "unpack": run_unpack,
    "swizzle": run_swizzle,
    "type": run_type,
    "dlpack": run_dlpack,
    "arrays": run_arrays,
    "reciprocal": run_reciprocal,
}
assert set(TYPES) <= set(FORMATS)
