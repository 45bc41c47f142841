"""The words of a variant through two interfaces: its own streams, and AXI4-Stream around them.

Both give the same words, as a variant decides gates and cycles only; what `tlast` says is told
from the words sent, not from what `cocotb_tests.axis` expects.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from cocotb_tests import cxxrtl
from cocotb_tests.axis import AxisDevice
from cocotb_tests.bulk import ALWAYS, BulkModel, BulkRun
from cocotb_tests.subjects import subject
from cocotb_tests.unit_vectors import default_names
from emulator.errors import MismatchError
from emulator.layout import Words
from rtl.variant import Device, Variant

PAUSES = ((ALWAYS, ALWAYS, 1), (150, 120, 6))
"""Chances that source and sink go and longest pauses; one interface has them, then the other."""


def compare_interfaces(
    v: Variant, *, words: int = 256, seed: int = 0, axis_verilog: str | None = None
) -> int:
    """Send the same words through both interfaces in CXXRTL; return how many came out of each.

    Args:
        v: the variant.
        words: of the random stimulus; the others are as long as they are.
        seed: of words and pauses.
        axis_verilog: text to take for the AXI4-Stream design, for tests of this comparison.

    Raises:
        MismatchError: naming the first word that differs, or a wrong number of them or `tlast`.
    """
    device = AxisDevice(v)
    plain = _model(v, v.verilog())
    axis = _model(device, axis_verilog or device.verilog())
    total = 0
    for name in default_names(subject(v)):
        count = words if name == "random" else None
        given = subject(v).stimulus(name, words=count, seed=seed)
        sent = subject(device).stimulus(name, words=count, seed=seed)
        _require_same_input(v, given, device, sent, name)
        for number, pauses in enumerate(PAUSES):
            one = _run(plain, given, seed + 1, PAUSES[number - 1])
            two = _run(axis, sent, seed + 2, pauses)
            total += _compare(v, device, one, two, sent, f"{v} {name}")
    if not total:
        raise MismatchError(f"{v}: no word came out of either interface (spec §13.2)")
    return total


def _model(device: Device, text: str) -> BulkModel:
    with tempfile.TemporaryDirectory(prefix="finescale-") as folder:
        path = Path(folder) / f"{device.module}.v"
        path.write_text(text)
        return BulkModel(cxxrtl.build(path, device, top=device.module))


def _run(model: BulkModel, words: Words, seed: int, pauses: tuple[int, int, int]) -> BulkRun:
    valid, ready, hold = pauses
    return model.run(words, valid=valid, ready=ready, hold=hold, seed=seed)


def _bits(words: Words, width: int) -> np.ndarray:
    return np.unpackbits(words, axis=1, bitorder="little", count=width)


def _require_same_input(
    v: Variant, given: Words, device: AxisDevice, sent: Words, name: str
) -> None:
    """What goes into both has to be the same: `tdata` is the word without its ``last``."""
    bits = _bits(given, v.input_layout.width)
    if v.last_bit is not None:
        bits = np.delete(bits, v.last_bit, axis=1)
    if not np.array_equal(bits, _bits(sent, device.input_layout.width)[:, : bits.shape[1]]):
        raise MismatchError(f"{v} {name}: the interfaces were not sent the same words")


def _compare(
    v: Variant, device: AxisDevice, one: BulkRun, two: BulkRun, sent: Words, label: str
) -> int:
    for run, what in ((one, "stream"), (two, "AXI4-Stream")):
        if run.problem:
            raise MismatchError(f"{label}, {what}: {run.problem}")
    if len(one.words) != len(two.words):
        raise MismatchError(f"{label}: {len(one.words)} words, by AXI4-Stream {len(two.words)}")
    width = v.output_layout.width
    data = _bits(two.words, device.output_layout.width)
    wrong = np.flatnonzero((_bits(one.words, width) != data[:, :width]).any(axis=1))
    if len(wrong):
        raise MismatchError(f"{label} word {wrong[0]}: AXI4-Stream gives another word")
    if data[:, width:-1].any():
        raise MismatchError(f"{label}: bits of tdata above the payload are not 0")
    last = _bits(sent, device.input_layout.width)[:, -1] if v.last_bit is None else 1
    if not np.array_equal(data[:, -1], np.broadcast_to(last, len(data))):
        raise MismatchError(f"{label}: tlast is not that of the words (spec §12.3)")
    return len(one.words)
