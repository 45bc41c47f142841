"""What commands leave in a memory, by the reference alone (spec §24.1 to §24.7)."""

from __future__ import annotations

import numpy as np

from cocotb_tests.memory_bench import Image
from emulator import reference
from emulator.formats import BF16, FP32
from emulator.layout import TENSOR_SCALE_FIELDS, Words
from emulator.recipes import Recipe
from rtl.tensor_quantizer_variant import TensorQuantizerVariant

NO_BLOCK, MISALIGNED = 1, 2


def execute(v: TensorQuantizerVariant, before: Image, commands: Words) -> tuple[Image, Words]:
    """Commands one after the other.

    Args:
        v: the tensor quantizer.
        before: the memory, uint8.
        commands: shape ``(n, nbytes)`` of the command layout.

    Returns:
        The memory afterwards and the status words.
    """
    memory = before.copy()
    columns = {
        name: part[:, 0].tolist() for name, part in v.command_layout.unpack(commands).items()
    }
    refused, amaxes = [], []
    for row in zip(*columns.values(), strict=True):
        command = dict(zip(columns, map(int, row), strict=True))
        aligned = all(command[base] % v.width == 0 for base in v.bases)
        refused.append(0 if command["blocks"] and aligned else MISALIGNED)
        if not command["blocks"]:
            refused[-1] = NO_BLOCK
        amaxes.append(0 if refused[-1] else _quantize(v, memory, command))
    found = {"refused": refused, "amax": amaxes}
    parts = {
        f.name: np.array(found[f.name], f.dtype).reshape(-1, 1) for f in v.status_layout.fields
    }
    return memory, v.status_layout.pack(**parts)


def _quantize(v: TensorQuantizerVariant, memory: Image, command: dict[str, int]) -> int:
    """Write the results of a command; returns the pattern of the tensor's amax."""
    r, x = v.quantizer.recipe, v.quantizer.input
    size, n = x.width // 8, r.block_size
    data = memory[command["x"] :][: command["blocks"] * v.block_bytes].tobytes()
    bits = [int.from_bytes(data[k : k + size], "little") for k in range(0, len(data), size)]
    g = reference.ONE
    if r.tensor_scale is not None:
        given = command.get("g")
        g = reference.tensor_scale(bits, x, r) if given is None else given_scale(r, given)
        pattern = reference.round_magnitude(g, FP32)
        _put(memory, command["tensor_scale"], pattern.to_bytes(4, "little"))
    for k in range(command["blocks"]):
        scale, codes = reference.quantize_block(bits[k * n : (k + 1) * n], x, r, g)
        pairs = zip(codes[::2], codes[1::2], strict=True)
        _put(memory, command["codes"] + k * n // 2, bytes(low + 16 * high for low, high in pairs))
        _put(memory, command["scales"] + k, bytes([scale]))
    finite = (b & x.magnitude_mask for b in bits if x.is_finite(b))
    return max(finite, default=0, key=x.value)


def given_scale(r: Recipe, g: int) -> reference.Fraction:
    """The tensor scale that a command holds (spec §23.1)."""
    assert r.tensor_scale is not None
    if r.tensor_scale == "hp2":
        return reference.Fraction(2) ** (g - FP32.bias)
    bf16 = TENSOR_SCALE_FIELDS[r.tensor_scale][1] == BF16.fraction_bits
    return (BF16 if bf16 else FP32).value(g)


def _put(memory: Image, at: int, data: bytes) -> None:
    memory[at : at + len(data)] = np.frombuffer(data, np.uint8)
