"""Tensor quantizers in cocotb, their ports paused at random: the golden vectors (spec §24.2)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from cocotb_tests import toolchain
from cocotb_tests.families import MEMORY_FAMILIES
from cocotb_tests.memory_tensors import Task
from cocotb_tests.memory_vectors import COMMITTED, load
from emulator.layout import to_hex
from rtl.tensor_quantizer_variant import TensorQuantizerVariant, tensor_quantizer

pytestmark = pytest.mark.slow

VECTORS = toolchain.ROOT / "golden_vectors" / COMMITTED
TESTS = ("full_rate", "random_pauses")
ONE = tensor_quantizer(MEMORY_FAMILIES[0])


def through(
    v: TensorQuantizerVariant,
    text: str,
    t: Task,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, Any]:
    """What each test of the bench left; fails if one did not run or did not end."""
    job = {
        "memory": t.before.tobytes().hex(),
        "commands": to_hex(t.commands, v.command_layout),
        "width": v.width,
        "latency": 5,
        "seed": 3,
    }
    folder.mkdir()
    (folder / "job.json").write_text(json.dumps(job))
    design = folder / "design.v"
    design.write_text(text)
    for key, value in toolchain.environment().items():
        monkeypatch.setenv(key, value)
    runner = get_runner("verilator")
    # The compiler's flags are those of other models, so that the runtime is there already.
    flags = ["-Wno-fatal", "-Wno-lint", "-Wno-style", "--timescale", "1ns/1ps", "-CFLAGS", "-O1"]
    names: dict[str, Any] = {"hdl_toplevel": v.module, "build_dir": folder / "build"}
    runner.build(sources=[design], build_args=flags, **names)
    results = runner.test(
        test_module="cocotb_tests.tb_memory",
        test_dir=folder,
        extra_env={"FINESCALE_JOB": str(folder)},
        **names,
    )
    assert get_results(results) == (len(TESTS), 0)
    return {test: json.loads((folder / f"{test}.json").read_text()) for test in TESTS}


def differing(v: TensorQuantizerVariant, t: Task, found: dict[str, Any]) -> list[str]:
    """What of memory and statuses is not as required."""
    assert (t.before != t.after).any() and len(t.statuses)
    statuses = [int(word, 16) for word in to_hex(t.statuses, v.status_layout)]
    wrong = []
    for test in TESTS:
        memory = np.frombuffer(bytes.fromhex(found[test]["memory"]), np.uint8)
        wrong += [f"{test} {at:x}" for at in np.flatnonzero(memory != t.after)]
        if [int(word, 16) for word in found[test]["statuses"]] != statuses:
            wrong.append(f"{test} statuses")
        assert 1 < found[test]["most"] <= v.reads
    return wrong


def test_memory_and_pauses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All bytes and statuses, with and without pauses; one wrong required byte is found."""
    t = dict(load(VECTORS, ONE))["one tensors"]
    found = through(ONE, ONE.verilog(), t, tmp_path / "sound", monkeypatch)
    assert differing(ONE, t, found) == []
    after = t.after.copy()
    after[int(np.flatnonzero(t.before != t.after)[3])] ^= 8
    assert len(differing(ONE, replace(t, after=after), found)) == len(TESTS)
