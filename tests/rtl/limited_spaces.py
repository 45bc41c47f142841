"""Whole spaces of the units of limited width, against the reference (spec §17).

Each function returns how much it compared, and raises AssertionError at the first difference.
"""

from __future__ import annotations

import tempfile
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.lib import wiring

from emulator import reference, reference_width
from emulator.formats import FORMATS
from emulator.recipes import recipe
from rtl.limited_shapes import LimitedShapes
from rtl.limited_variant import LimitedVariant
from rtl.verilog import convert
from tests.rtl.gates import Netlist, netlist
from tests.rtl.limited_units import BothElements, OneLane, Tables

TWICE = np.array([0, 1, 2, 3, 4, 6, 8, 12])


def shapes(selection: str, x: str = "bf16", block: int = 16) -> LimitedShapes:
    return LimitedShapes.of(LimitedVariant(recipe(f"{selection}-b{block}"), FORMATS[x]))


def gates(unit: wiring.Component) -> Netlist:
    with tempfile.TemporaryDirectory() as folder:
        return netlist(convert(unit, "unit"), "unit", Path(folder))


def table_space(selection: str, x: str, spoil: Any = None) -> int:
    """All keys of amax: the table values of all cells up to amax's own (spec §17.6, §17.7).

    Where they are such that every sum is positive, any values that make it so will do.
    """
    s, r = shapes(selection, x), recipe(f"{selection}-b4")
    keys = np.arange(1 << s.lanes.key.size, dtype=np.uint32)
    out = gates(Tables(s) if spoil is None else spoil(s)).run(amax=keys)
    compared = 0
    width = s.lanes.key_fraction_bits
    for key in keys[1 << width : s.lanes.infinity_exponent << width].tolist():
        exponent = (key >> width) + s.lanes.base - s.lanes.input.bias
        amax = (1 + Fraction(key & ((1 << width) - 1), 1 << width)) * Fraction(2) ** exponent
        exceeds = reference_width.exceeds(amax, 4, r, reference.ONE)
        assert bool(out["six"][key]) == exceeds, key
        six, four = reference.candidate_codes(amax, r)
        if exceeds or six == four:
            continue
        want = _table(six, four, exponent, selection)
        bits = int(out["low"][key]) | int(out["high"][key]) << 48
        own = reference_width.cell(int(amax * 16 / Fraction(2) ** exponent))
        always = min(want[: own + 1]) >= 0 and want[own] > 0
        for cell in range(1, own + 1):
            found = ((bits >> (4 * (cell - 1)) & 15) ^ 8) - 8
            like = found >= (cell == own) if always else found == want[cell]
            assert like, (key, cell, found, want[cell])
            compared += 1
    return compared


@lru_cache(maxsize=4096)
def _table(six: int, four: int, exponent: int, selection: str) -> tuple[int, ...]:
    r, unit = recipe(f"{selection}-b4"), Fraction(2) ** (exponent - 4)
    scales = (r.scale.value(code) / unit for code in (six, four))
    return reference_width.table_values(*scales, r.element)


def lane_space(selection: str, x: str = "bf16") -> int:
    """All X under all scale codes and exponents of amax that leave a choice (spec §17.3).

    The block is one lane, counted twice: its error under a scale, less that under a scale of 0,
    is the merit.
    """
    s = shapes(selection, x, 2)
    bits, r = s.bits, recipe(f"{selection}-b2")
    unit = gates(OneLane(s))
    lanes = np.arange(1 << bits, dtype=np.int64)
    points = 8 * lanes + 4
    columns: dict[str, list[Any]] = {name: [] for name in ("scale", "reference", "seen")}
    want: dict[str, list[Any]] = {"magnitude": [], "merit": []}
    for code in range(r.scale.max_code + 1):
        for field in range(s.lanes.infinity_exponent):
            e = field + s.lanes.base - s.lanes.input.bias
            amax, u = Fraction(2) ** e, Fraction(2) ** (e + 1 - bits)
            if code and r.scale.value(code) < amax / 8:
                continue  # a candidate is not so far below amax where there is a choice
            seen = min(reference_width.scale_seen(code, u, r, Fraction(1)), (16 << bits) - 8)
            away = np.abs(points[:, None] - TWICE * seen)
            columns["scale"].append(np.full(len(lanes), code))
            columns["reference"].append(np.full(len(lanes), field))
            columns["seen"].append(lanes)
            want["magnitude"].append(away.argmin(axis=1))
            want["merit"].append(2 * (points**2 - away.min(axis=1) ** 2))
    given = {k: np.concatenate(v).astype(np.uint32) for k, v in columns.items()}
    out = unit.run(**given)
    shift = 2 * bits - 10 if bits < 8 else bits - 2
    merits = np.concatenate(want["merit"])
    assert (merits & ((1 << shift) - 1) == 0).all()
    assert (out["merit"] == (merits >> shift).astype(np.uint64)).all()
    codes = np.concatenate(want["magnitude"]).astype(np.uint64)
    assert (out["magnitude"] == codes).all()
    return len(merits)


def element_space(selection: str, x: str, scales: list[int]) -> int:
    """All lanes and exponents of amax under scale codes: elements by `below` (spec §9.1).

    Compared with the element that sees exponents, wherever a lane does not exceed amax and
    the scale is one that such an amax can lead to.
    """
    s = shapes(selection, x)
    unit = gates(BothElements(s))
    assert s.fraction_bits == s.lanes.fraction_bits
    lane = np.arange(1 << s.lanes.lane.size, dtype=np.uint32)
    exponent = lane >> (1 + s.lanes.fraction_bits) & s.lanes.infinity_exponent
    compared = 0
    for scale in scales:
        nan = scale > s.scale.max_code
        origin = 0 if nan or scale == 0 else _origin(s, scale)
        for amax in range(s.lanes.infinity_exponent + 1):
            special = amax == s.lanes.infinity_exponent
            above = amax - origin > 7 and scale != s.scale.max_code and scale and not nan
            if above or (special and not nan and scale != s.scale.max_code):
                continue
            rows = lane[exponent <= amax]
            out = unit.run(
                lane=rows,
                scale=np.full(len(rows), scale, np.uint32),
                amax=np.full(len(rows), amax, np.uint32),
            )
            assert (out["near"] == out["code"]).all(), (scale, amax)
            compared += len(rows)
    return compared


def _origin(s: LimitedShapes, scale: int) -> int:
    value = s.scale.value(scale)
    return reference.floor_log2(value) + s.lanes.input.bias - 3 - s.lanes.base
