"""Tensors in a memory, commands, and what has to be there afterwards (spec §24)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cocotb_tests.memory_bench import Image, Memory, MemoryModel, MemoryRun, Stalls
from emulator.arguments import INPUTS
from emulator.errors import MismatchError
from emulator.formats import Format
from emulator.layout import Words
from emulator.scaled_words import carried
from emulator.tensor import quantize
from emulator.tensor_scale import scale_of, tensor_amax
from rtl.tensor_quantizer_variant import TensorQuantizerVariant

_DTYPES = {fmt: dtype for dtype, fmt in INPUTS.items()}

Patterns = npt.NDArray[Any]


@dataclass(frozen=True)
class Task:
    """A memory with tensors in it, commands that quantize them, and what is required.

    Args:
        before: the memory.
        commands: shape ``(n, nbytes)`` of the command layout.
        after: the memory that is required: codes, scale codes and tensor scales in their
            regions, all other bytes as they were.
        statuses: required status words.
    """

    before: Image
    commands: Words
    after: Image
    statuses: Words

    def sizes(self, v: TensorQuantizerVariant) -> list[int]:
        """Blocks of each command, 0 for those that are refused (spec §24.4)."""
        blocks = v.command_layout.unpack(self.commands)["blocks"][:, 0]
        refused = v.status_layout.unpack(self.statuses)["refused"][:, 0]
        return np.where(refused, 0, blocks).tolist()


def pattern_of(amax: tuple[int, int], fmt: Format) -> int:
    """The pattern of a finite magnitude ``c * 2**q`` that came from one."""
    c, q = amax
    if c >> fmt.fraction_bits:
        return ((q - fmt.min_quantum + 1) << fmt.fraction_bits) + (c - (1 << fmt.fraction_bits))
    return c


def tensor(v: TensorQuantizerVariant, blocks: int, seed: int, special: float = 0.02) -> Patterns:
    """Random patterns of a tensor: some binades, some NaN, infinity, zeros and subnormals.

    Args:
        v: gives format and block size.
        blocks: number of blocks.
        seed: of the numbers.
        special: share of blocks that hold special numbers, and of blocks near zero.

    Returns:
        Shape ``(blocks, block size)``.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    x, n = v.quantizer.input, v.quantizer.recipe.block_size
    dtype = np.dtype(f"u{x.width // 8}")
    assert x.inf_code is not None
    middle = int(random.integers(x.bias - 4, x.bias + 4))
    spread = random.integers(0, 6, (blocks, 1)) + random.integers(0, 5, (blocks, n))
    fields = np.clip(middle - spread, 0, (1 << x.exponent_bits) - 2)
    fractions = random.integers(0, 1 << x.fraction_bits, (blocks, n))
    bits = (fields << x.fraction_bits) + fractions
    known = np.array([0, 1, x.inf_code, x.inf_code + 1, x.magnitude_mask, x.max_code // 2])
    odd = random.random((blocks, 1)) < special
    bits = np.where(
        odd & (random.random((blocks, n)) < 0.4), random.choice(known, (blocks, n)), bits
    )
    # Blocks of subnormals and zeros: their scale codes are the smallest there are.
    small = fractions * random.integers(0, 2, (blocks, n))
    bits = np.where(random.random((blocks, 1)) < special, small, bits)
    return (bits | (random.integers(0, 2, (blocks, n)) << x.magnitude_bits)).astype(dtype)


def given_scale(v: TensorQuantizerVariant, seed: int) -> np.float32:
    """A tensor scale that a command may give, which is not that of the tensor (spec §14.6)."""
    bits = {"hbf16": 0x00010000, "hp2": 0x00800000}.get(v.kind or "", 1)
    pattern = (0x3C000000 + (seed * 0x00235711) % 0x03000000) // bits * bits
    return np.uint32(pattern).view(np.float32)


def task(v: TensorQuantizerVariant, tensors: Sequence[Patterns], seed: int = 0) -> Task:
    """Lay tensors and their results into a memory full of random bytes.

    What follows a tensor in its last memory word is random, too: it shall not count (spec §24.5).
    """
    random = np.random.Generator(np.random.PCG64(seed))
    r, x, width = v.quantizer.recipe, v.quantizer.input, v.width
    regions: list[tuple[int, npt.NDArray[np.uint8]]] = []
    at = width * int(random.integers(0, 4))
    commands: list[dict[str, int]] = []
    statuses: list[dict[str, int]] = []
    inputs: list[tuple[int, npt.NDArray[np.uint8]]] = []

    def take(size: int) -> int:
        nonlocal at
        begin = at
        at += -(-size // width) * width + width * int(random.integers(0, 3))
        return begin

    for number, bits in enumerate(tensors):
        g = given_scale(v, seed + number) if v.schedule == "delayed" else None
        q = quantize(bits.view(_DTYPES[x]), r, threads=1, tensor_scale=g)
        command = {"x": take(bits.nbytes), "blocks": len(bits)}
        inputs.append((command["x"], bits.view(np.uint8).reshape(-1)))
        results = {"codes": q.packed().reshape(-1), "scales": q.scales.reshape(-1)}
        status = {"refused": 0}
        if v.kind is not None:
            found = np.float32(q.tensor_scale)
            results["tensor_scale"] = np.frombuffer(found.tobytes(), np.uint8)
            amax = tensor_amax(bits, x, 1)
            status["amax"] = pattern_of(amax, x)
            assert g is not None or found == np.float32(scale_of(amax, r))
        if g is not None:
            command["g"] = int(carried(g.view(np.uint32), v.kind or ""))
        for name, data in results.items():
            command[name] = take(data.size)
            regions.append((command[name], data))
        commands.append(command)
        statuses.append(status)
    before = random.integers(0, 256, at + width, dtype=np.uint8)
    for begin, data in inputs:
        before[begin : begin + data.size] = data
    after = before.copy()
    for begin, data in regions:
        after[begin : begin + data.size] = data
    return Task(before, _pack(v.command_layout, commands), after, _pack(v.status_layout, statuses))


def _pack(layout: Any, rows: Sequence[dict[str, int]]) -> Words:
    """Words of one-part fields."""
    parts = {
        f.name: np.array([row[f.name] for row in rows], f.dtype).reshape(-1, 1)
        for f in layout.fields
    }
    return layout.pack(**parts)


def judge(v: TensorQuantizerVariant, t: Task, run: MemoryRun) -> int:
    """Compare a run with what is required, byte by byte.

    Returns:
        Number of bytes of results that were compared.

    Raises:
        MismatchError: naming what differs first, or if there was nothing to compare.
    """
    if run.problem:
        raise MismatchError(f"{v}: {run.problem} (spec §24.2)")
    if len(run.results) != len(t.commands) or not run.results:
        raise MismatchError(f"{v}: {len(run.results)} of {len(t.commands)} commands ended")
    if run.outstanding > v.reads:
        raise MismatchError(f"{v}: {run.outstanding} reads under way, not up to {v.reads}")
    for k, (result, status) in enumerate(zip(run.results, t.statuses, strict=True)):
        if not np.array_equal(result.status, status):
            seen, spec = (bytes(s[::-1]).hex() for s in (result.status, status))
            raise MismatchError(f"{v}: status {k} is {seen}, spec {spec} (spec §24.4)")
    wrong = np.flatnonzero(run.image != t.after)
    if len(wrong):
        at = int(wrong[0])
        raise MismatchError(
            f"{v}: {len(wrong)} bytes differ, first address {at:08x}: dut {run.image[at]:02x}, "
            f"spec {t.after[at]:02x}{_region(v, t, at)} (spec §24.6)"
        )
    written = sum(r.written for r in run.results)
    if written < 1:
        raise MismatchError(f"{v}: no byte was written (spec §13.2)")
    return written


def _region(v: TensorQuantizerVariant, t: Task, at: int) -> str:
    """The region that an address lies in."""
    parts = v.command_layout.unpack(t.commands)
    bases = [(int(b), name, k) for name in v.bases for k, b in enumerate(parts[name][:, 0])]
    below = [entry for entry in bases if entry[0] <= at]
    if not below:
        return ""
    base, name, command = max(below)
    return f", byte {at - base} from {name} of command {command}"


def measure(
    model: MemoryModel,
    tensors: Sequence[Patterns],
    memory: Memory,
    stalls: Stalls = Stalls(),  # noqa: B008  # frozen
    seed: int = 0,
) -> tuple[MemoryRun, int]:
    """Quantize tensors and compare all bytes; returns the run and the bytes compared."""
    t = task(model.variant, tensors, seed)
    run = model.run(t.before, t.commands, memory, stalls)
    return run, judge(model.variant, t, run)
