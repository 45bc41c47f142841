"""Normalised products of blocks, over all sums and significands (spec §16.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from emulator.errors import MismatchError
from emulator.formats import FORMATS
from rtl import dot_normal
from rtl.dot_normal import NormalProduct, field_range, number_layout, width_of
from rtl.dot_scales import scale_layout
from rtl.dot_shapes import LARGEST_PRODUCT, DotShapes
from rtl.dot_variant import SCALES
from rtl.verilog import convert
from tests.rtl.gates import netlist


def fields(layout: Any, packed: np.ndarray) -> dict[str, np.ndarray]:
    """The fields of packed words; signed ones as such."""
    found = {}
    for name, field in layout:
        width = field.width
        raw = (packed >> np.uint64(field.offset)) & np.uint64((1 << width) - 1)
        value = raw.astype(np.int64)
        if getattr(field.shape, "signed", False):
            value = np.where(value >> (width - 1), value - (1 << width), value)
        found[name] = value
    return found


def compare(shapes: DotShapes, folder: Path) -> int:
    """All sums under all products of significands, exponents in turn; return their number.

    Raises:
        MismatchError: if the value differs, or its leading one is out of its place.
    """
    most = LARGEST_PRODUCT * shapes.lanes
    scale = range(shapes.significand + 1) if shapes.scale.has_zero else range(1, 2)
    sums, significands = (x.ravel() for x in np.meshgrid(np.arange(-most, most + 1), scale))
    exponents = np.arange(len(sums)) % (shapes.largest_exponent - shapes.least_exponent + 1)
    exponents += shapes.least_exponent
    layout = dict(iter(scale_layout(shapes)))
    word = (significands << layout["significand"].offset) | (exponents << layout["exponent"].offset)
    gates = netlist(convert(NormalProduct(shapes), "normal"), "normal", folder)
    mask = (1 << shapes.sum_bits) - 1
    run = gates.run(sum=(sums & mask).astype(np.uint64), scale=word.astype(np.uint64))
    got = fields(number_layout(shapes), run["product"])
    some = (sums != 0) & (significands != 0)
    top = width_of(shapes) - 1
    shift = got["field"] - 127 - top - (exponents + shapes.unit)
    want = np.abs(sums) * significands
    product = got["significand"]
    in_place = (product >> top) == some
    right = (product >> np.clip(-shift, 0, 62)) == want
    exact = (want << np.clip(-shift, 0, 62)) == product
    low, high = field_range(shapes)
    within = (got["field"] >= low) & (got["field"] <= high)
    sign = got["sign"] == (sums < 0)
    good = in_place & sign & (~some | (right & exact & within & (shift <= 0)))
    if not good.all():
        k = int(np.flatnonzero(~good)[0])
        raise MismatchError(
            f"{shapes}: sum {sums[k]} times {significands[k]} * 2**{exponents[k]} gives "
            f"{product[k]:x} with field {got['field'][k]}"
        )
    assert not got["nan"].any()
    return len(sums)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("lanes", [2, 16])
def test_all_sums(scale: str, lanes: int, tmp_path: Path) -> None:
    shapes = DotShapes(FORMATS[scale], lanes)
    sums = 2 * LARGEST_PRODUCT * lanes + 1
    assert compare(shapes, tmp_path) == sums * (226 if scale != "e8m0" else 1)


def test_a_wrong_count_is_found(tmp_path: Path) -> None:
    """spec §13.1."""
    sound = dot_normal.leading_zeros

    def late(m: Any, name: str, value: Any) -> Any:
        return sound(m, name, value | 2)

    with mock.patch.object(dot_normal, "leading_zeros", late), pytest.raises(MismatchError):
        compare(DotShapes(FORMATS["ue5m3"], 2), tmp_path)
