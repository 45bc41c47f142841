"""Names of accumulations, and the widths of exact accumulators."""

from __future__ import annotations

from itertools import product

import pytest

from emulator.accumulation import (
    KINDS,
    Accumulation,
    accumulation,
    accumulation_names,
    exact_bits,
    exact_blocks,
    largest_block,
    unit_exponent,
)
from emulator.errors import UnknownNameError
from emulator.formats import Format
from emulator.recipes import recipe


def test_names_are_printed_back() -> None:
    """spec §16.3"""
    names = [
        f"tc{bits}{step}{zeros}"
        for bits, step, zeros in product((1, 13, 40), ("", "-k16", "-k256"), ("", "-zeros"))
    ]
    for name in [*accumulation_names(), *names]:
        assert accumulation(name).name == str(accumulation(name)) == name
    assert accumulation("tc35-k64") == accumulation("tc35") == Accumulation("tc", 35)
    assert accumulation("tc35").groups == 4
    assert accumulation("exact").groups == 1
    assert {accumulation(n).kind for n in accumulation_names()} == set(KINDS)


@pytest.mark.parametrize("name", ["", "fp16", "tc", "tc35-k", "tc35-zeros-k32", "TC35", "exact64"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown accumulation '.*\(names are fp32 \| exac"):
        accumulation(name)


def test_errors_list_near_names() -> None:
    with pytest.raises(UnknownNameError, match="'tc35-zero'; did you mean tc35-zeros"):
        accumulation("tc35-zero")
    with pytest.raises(UnknownNameError, match="kind of accumulation 'exakt'; did you mean exact"):
        Accumulation("exakt")
    with pytest.raises(TypeError, match="a string, not int"):
        accumulation(35)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", ["tc0", "tc41", "tc35-k8", "tc35-k0", "tc35-k40", "tc35-k272"])
def test_numbers_out_of_range(name: str) -> None:
    """spec §16.3"""
    with pytest.raises(ValueError, match=r"not .*\(spec §16\.3\)"):
        accumulation(name)


def test_parameters_of_the_wrong_kind() -> None:
    with pytest.raises(ValueError, match="None fraction bits are not 1 to 40"):
        Accumulation("tc")
    for parameters in ({"fraction_bits": 35}, {"step": 64}, {"zeros": True}):
        with pytest.raises(ValueError, match="exact: fraction_bits, step and zeros go with tc"):
            Accumulation("exact", **parameters)  # pyright: ignore[reportArgumentType]


def largest(fmt: Format) -> int:
    values = [fmt.value(c) for c in range(1 << fmt.width) if fmt.is_finite(c)]
    unit = min(abs(v) for v in values if v)
    assert all((v / unit).denominator == 1 for v in values)
    return int(max(values) / unit)


@pytest.mark.parametrize(
    "name", ["ue4m3-absmax-b16", "ue5m3-absmax-b256", "e8m0-floor-b32", "e2m3.ue5m3-absmax-b4"]
)
def test_width_of_exact_accumulators(name: str) -> None:
    """spec §16.6: against the values of the formats."""
    stored = recipe(name).block_format
    block = stored.block_size * largest(stored.element) ** 2 * largest(stored.scale) ** 2
    assert largest_block(stored, stored) == block
    for blocks in (1, 2, 3, 1000):
        bits = exact_bits(stored, stored, blocks)
        assert block * blocks < 1 << (bits - 1) <= 2 * block * blocks
        assert exact_blocks(stored, stored, bits) >= blocks
        assert exact_blocks(stored, stored, bits - 1) < blocks


def test_known_widths() -> None:
    """spec §16.6"""
    ue4m3, ue5m3, e8m0 = (
        recipe(f"{s}-b16").block_format for s in ("ue4m3-absmax", "ue5m3-absmax", "e8m0-even")
    )
    assert [exact_bits(f, f) for f in (ue4m3, ue5m3, e8m0)] == [48, 80, 521]
    assert exact_bits(ue4m3, ue5m3) == 64
    assert [unit_exponent(f, f) for f in (ue4m3, ue5m3, e8m0)] == [-20, -36, -256]
    assert exact_blocks(ue4m3, ue4m3, 64) == exact_blocks(ue5m3, ue5m3, 96) == 76087
    assert exact_blocks(ue4m3, ue4m3, 1) == exact_blocks(ue4m3, ue4m3, 47) == 0
