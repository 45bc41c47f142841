"""Whole input spaces of codecs and dequantizers through their gates (`tests.rtl.gates`)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cocotb_tests.codec_subject import decoded
from cocotb_tests.dequantizer_subject import products, tensor_scale_parts
from cocotb_tests.encode_space import segments
from emulator import reference
from emulator.blocks import BlockFormat
from emulator.errors import MismatchError
from emulator.formats import E2M1, FORMATS, Format
from emulator.recipes import Recipe
from rtl.codec import Conversions
from rtl.dequantizer import DecodedBlock
from rtl.reach import Reach
from rtl.verilog import convert
from tests.emulator.unit_examples import given_scale
from tests.rtl.gates import Netlist, netlist

Conversion = tuple[Format, Format, bool]
"""Source, target, and whether overflow gives infinity."""

PAIRS = 1 << 12
"""Pairs of a stored scale code and an element code."""


def gates_of(verilog: str, top: str) -> Netlist:
    """The gates of a Verilog text."""
    with tempfile.TemporaryDirectory() as folder:
        return netlist(verilog, top, Path(folder))


def conversion(name: str) -> Conversion:
    """Parse ``encode_<format>_<input>``, ``encode_<format>_<input>_ieee``, ``decode_...``."""
    verb, code, number, *ieee = name.split("_")
    fmt, other = FORMATS[code], FORMATS[number]
    return (fmt, other, True) if verb == "decode" else (other, fmt, bool(ieee))


@lru_cache(maxsize=64)
def _table(name: str) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """First patterns and results of runs of equal results, by the reference."""
    source, target, ieee = conversion(name)
    if name.startswith("decode"):
        results = decoded(source, target)
        return np.arange(results.size, dtype=np.uint32), results
    found = segments(source, target, "ieee" if ieee else "saturate")
    first, results = np.array(found, np.uint32).T
    return first, results


def required(name: str, patterns: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """The results of a conversion (spec §21.2, §21.3, §21.4)."""
    first, results = _table(name)
    return results[np.searchsorted(first, patterns, side="right") - 1]


@lru_cache(maxsize=4)
def conversion_gates(names: Sequence[str]) -> Netlist:
    """The gates of conversions side by side."""
    chosen = {name: conversion(name) for name in names}
    bits = max(source.storage_bits for source, _, _ in chosen.values())
    return gates_of(convert(Conversions(chosen, bits), "conversions"), "conversions")


def compare_conversions(
    names: Sequence[str], patterns: npt.NDArray[np.uint32], gates: Netlist | None = None
) -> int:
    """Compare conversions with the reference, each with those patterns that its source has.

    Raises:
        MismatchError: naming the first difference, or if nothing was compared (spec §13.2).
    """
    found = (gates or conversion_gates(tuple(names))).run(x=patterns)
    compared = 0
    for name in names:
        known = patterns >> conversion(name)[0].storage_bits - 1 < 2
        dut, spec = found[name][known], required(name, patterns[known])
        if (wrong := np.flatnonzero(dut != spec)).size:
            x = patterns[known][wrong[0]]
            raise MismatchError(
                f"{name}: x {x:x}: dut {dut[wrong[0]]:x} spec {spec[wrong[0]]:x} "
                f"({wrong.size} differ)"
            )
        compared += dut.size
    if not compared:
        raise MismatchError("nothing was compared (spec §13.2)")
    return compared


@lru_cache(maxsize=4)
def block_gates(reach: Reach) -> Netlist:
    """The gates of factor, products and one lane."""
    return gates_of(convert(DecodedBlock(reach), "block"), "block")


def _first_difference(
    reach: Reach, dut: npt.NDArray[Any], spec: npt.NDArray[Any], given: Sequence[int]
) -> None:
    wrong = np.flatnonzero(dut != spec)
    if wrong.size:
        at = int(wrong[0])
        pair, g = at % PAIRS, given[at // PAIRS]
        raise MismatchError(
            f"{reach.scale.name} {reach.tensor_scale} {reach.output.name}: scale {pair >> 4:02x} "
            f"code {pair & 15:x} g {g:x}: dut {int(dut[at]):x} spec {int(spec[at]):x} "
            f"({wrong.size} differ)"
        )


def compare_blocks(
    reach: Reach, given: Iterable[int] = (0,), *, gates: Netlist | None = None, exact: bool = False
) -> int:
    """Compare all scale codes and element codes under tensor scales (spec §21.7).

    Args:
        given: tensor scales as a word holds them (spec §21.6).
        gates: what to test in place of ours.
        exact: compare with the reference, and not with the kernels' arithmetic.

    Raises:
        MismatchError: naming the first difference, or if nothing was compared (spec §13.2).
    """
    scales = list(given)
    count = len(scales)
    pairs = np.arange(PAIRS, dtype=np.uint32)
    values: dict[str, npt.NDArray[Any]]
    values = {"codes": np.tile(pairs & 15, count), "scale": np.tile(pairs >> 4, count)}
    if reach.tensor_scale:
        values["g"] = np.repeat(np.array(scales, np.uint32), PAIRS)
    if not count:
        raise MismatchError("nothing was compared (spec §13.2)")
    dut = (gates or block_gates(reach)).run(**values)["numbers"]
    by = _by_reference if exact else _by_kernels
    _first_difference(reach, dut, by(reach, scales), scales)
    return dut.size


def compare_fractions(reach: Reach, scale: int, exponent: int, fractions: range) -> int:
    """Compare one binade of scales and all positive elements under fractions of a tensor scale.

    Args:
        scale: the scale code that the binade begins with.
        exponent: exponent field of the float32 tensor scales.
        fractions: their fractions.

    Raises:
        MismatchError: naming the first difference, or if nothing was compared (spec §13.2).
    """
    size = 1 << reach.scale.fraction_bits
    given = np.repeat(np.arange(fractions.start, fractions.stop) | exponent << 23, size)
    stored = np.tile(np.arange(scale, scale + size), len(fractions))
    if not given.size:
        raise MismatchError("nothing was compared (spec §13.2)")
    table = products(E2M1, reach.scale, reach.output, stored, tensor_scale_parts("h", given))
    dut = block_gates(reach).run(
        codes=np.tile(np.arange(8, dtype=np.uint32), given.size),
        scale=np.repeat(stored, 8).astype(np.uint32),
        g=np.repeat(given, 8).astype(np.uint32),
    )["numbers"]
    wrong = np.flatnonzero(dut != table.reshape(-1))
    if wrong.size:
        at = int(wrong[0])
        raise MismatchError(
            f"{reach.scale.name} h {reach.output.name}: scale {stored[at // 8]:02x} code {at % 8} "
            f"g {given[at // 8]:x}: dut {int(dut[at]):x} spec {int(table.reshape(-1)[at]):x}"
        )
    return dut.size


def _by_kernels(reach: Reach, scales: Sequence[int]) -> npt.NDArray[np.uint32]:
    stored = np.tile(np.arange(256, dtype=np.int64), len(scales))
    factor = None
    if reach.tensor_scale:
        given = np.repeat(np.array(scales, np.int64), 256)
        factor = tensor_scale_parts(reach.tensor_scale, given)
    half = products(E2M1, reach.scale, reach.output, stored, factor)
    finite = (stored & reach.scale.magnitude_mask) <= reach.scale.max_code
    negative = half | np.where(finite, reach.output.sign_mask, 0).astype(np.uint32)[:, None]
    return np.concatenate([half, negative], axis=1).reshape(-1)


def _by_reference(reach: Reach, scales: Sequence[int]) -> npt.NDArray[np.uint32]:
    rule = "absmax" if reach.scale.has_zero else "floor"
    recipe = Recipe(BlockFormat(E2M1, reach.scale, 16, reach.tensor_scale), rule)
    rows = []
    for given in scales:
        g = given_scale(recipe, given) if reach.tensor_scale else reference.ONE
        for stored in range(256):
            rows += reference.dequantize_block(stored, range(16), recipe, reach.output, g)
    return np.array(rows, np.uint32)
