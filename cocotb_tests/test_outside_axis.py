"""An outside AXI4-Stream bus model against the wrapper, where it is installed.

cocotbext-axi pulls in scapy, which is under the GPL, so it is no dependency of this project:
`pip install cocotbext-axi` makes this test run.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from cocotb_tests import toolchain
from cocotb_tests.subject import emitting
from cocotb_tests.vectors import gather
from emulator.layout import to_hex
from rtl.axis import SUFFIX, axis_wrapper
from rtl.variant import Variant
from rtl.variants import variant
from rtl.verilog import to_verilog

try:
    FOUND = importlib.util.find_spec("cocotbext.axi") is not None
except ModuleNotFoundError:
    FOUND = False

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FOUND, reason="cocotbext-axi is not installed"),
]


def test_frames_of_an_outside_bus_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words and packet ends, as cocotbext-axi sends and receives them."""
    v = variant("quantizer-ue5m3-absmax-b4-bf16")
    given = gather(v, 300)
    words = to_hex(given.words, v.input_layout)[:2000]
    spec = [int(w, 16) for w in to_hex(given.spec, v.output_layout)[:2000]]
    lengths = [1, 2, 7, 30, 160, 1800]
    starts = [sum(lengths[:k]) for k in range(len(lengths))]
    frames = [words[s : s + n] for s, n in zip(starts, lengths, strict=True)]
    seen = through(v, frames, tmp_path, monkeypatch)
    assert [len(frame) for frame in seen] == lengths
    assert [int(word, 16) for frame in seen for word in frame] == spec[: sum(lengths)]


@pytest.mark.parametrize("name", ["tensor-amax-bf16-x2", "dot-ue4m3-b2-fp32"])
def test_a_frame_is_a_sum(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where words make sums, each frame gives a frame of one word (spec §22.3, §23.3)."""
    v = variant(name)
    given = gather(v, 1_000)
    assert v.last_bit is not None
    assert v.last_bit == v.input_layout.width - 1  # so that the data are the bits below
    data = [f"{int(w, 16) & ~(1 << v.last_bit):x}" for w in to_hex(given.words, v.input_layout)]
    ends = np.flatnonzero(emitting(v, given.words)) + 1
    frames = [data[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)]
    seen = through(v, frames, tmp_path, monkeypatch)
    spec = [int(w, 16) for w in to_hex(given.spec, v.output_layout)]
    assert [[int(word, 16) for word in frame] for frame in seen] == [[word] for word in spec]


def through(
    v: Variant, frames: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[list[str]]:
    """What comes out of the wrapper for frames of words."""
    from cocotb_tools.runner import get_runner

    (tmp_path / "job.json").write_text(json.dumps({"frames": frames}))
    design = tmp_path / "design.v"
    design.write_text(to_verilog(v) + axis_wrapper(v))
    for key, value in toolchain.environment().items():
        monkeypatch.setenv(key, value)
    runner = get_runner("verilator")
    build = tmp_path / "build"
    flags = ["-Wno-fatal", "-Wno-lint", "-Wno-style", "--timescale", "1ns/1ps"]
    runner.build(
        sources=[design], hdl_toplevel=f"{v.module}{SUFFIX}", build_dir=build, build_args=flags
    )
    results = runner.test(
        test_module="cocotb_tests.tb_outside_axis",
        hdl_toplevel=f"{v.module}{SUFFIX}",
        build_dir=build,
        test_dir=tmp_path,
        extra_env={"FINESCALE_JOB": str(tmp_path)},
    )
    assert results.is_file()
    return json.loads((tmp_path / "seen.json").read_text())
