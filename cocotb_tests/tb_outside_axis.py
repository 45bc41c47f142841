"""Runs in the simulator: AXI4-Stream ports driven by an outside bus model, cocotbext-axi."""

from __future__ import annotations

import itertools
import json
import os
import random
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from cocotbext.axi import (  # pyright: ignore[reportMissingImports]  # installed by hand
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)


@cocotb.test()
async def frames(dut: Any) -> None:
    """Send frames of words, pausing on both sides, and leave the frames that come out."""
    folder = Path(os.environ["FINESCALE_JOB"])
    job = json.loads((folder / "job.json").read_text())
    Clock(dut.aclk, 2, "ns").start()
    options = {"clock": dut.aclk, "reset": dut.aresetn, "reset_active_level": False}
    source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), **options, byte_lanes=1)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), **options, byte_lanes=1)
    draw = random.Random(1).random
    source.set_pause_generator(draw() < 0.3 for _ in itertools.count())
    sink.set_pause_generator(draw() < 0.4 for _ in itertools.count())
    dut.aresetn.value = 0
    for _ in range(3):
        await RisingEdge(dut.aclk)
    dut.aresetn.value = 1
    for frame in job["frames"]:
        words: Any = [int(word, 16) for word in frame]  # its hints know of bytes only
        await source.send(AxiStreamFrame(words))
    seen = []
    for _ in job["frames"]:
        frame = await sink.recv(compact=False)
        seen.append([f"{int(word):x}" for word in frame.tdata])
    assert sink.empty()
    (folder / "seen.json").write_text(json.dumps(seen))
