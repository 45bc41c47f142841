"""Millions of words through a model by its C++ driver, without VPI."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cocotb_tests import model
from cocotb_tests.harness import Reset
from emulator.errors import MismatchError, ToolError
from emulator.layout import Words
from rtl.variant import Device

ALWAYS = 256
"""The chance, of 256, of a side that never pauses."""

IDLE_LIMIT = 20_000
"""Cycles without a transfer after which a design counts as dead; far above the longest pause."""


@dataclass(frozen=True)
class BulkRun:
    """What came out of one run.

    Args:
        words: the observed output words, in order.
        reset: where the reset in mid-stream fell, or None.
        cycles: clock cycles, reset and draining included.
        latency: least cycles from the transfer of an input to its output being valid; None if
            nothing came out.
        latency_max: the most cycles; larger than ``latency`` as soon as something pauses.
        interval: mean cycles between accepted words, the first ones left out; None below two.
        dropped: number of output words that the reset dropped.
        problem: what broke the protocol, or an empty string.
        seconds: processor time of the driving loop.
    """

    words: Words
    reset: Reset | None
    cycles: int
    latency: int | None
    latency_max: int | None
    interval: float | None
    dropped: int
    problem: str
    seconds: float


@dataclass(frozen=True)
class BulkModel:
    """A built model, driven by its C++ driver."""

    model: model.Model

    @property
    def variant(self) -> Device:
        """What the design is meant to compute."""
        return self.model.variant

    def run(
        self,
        stimulus: Words,
        *,
        valid: int = ALWAYS,
        ready: int = ALWAYS,
        hold: int = 1,
        seed: int = 1,
        reset_cycle: int = 0,
        plusargs: tuple[str, ...] = (),
    ) -> BulkRun:
        """Send words through the design and collect what comes out.

        Args:
            stimulus: shape ``(n, nbytes)`` of the input layout, n > 0.
            valid: chance, of 256, that the source does not pause.
            ready: chance, of 256, that the sink does not pause.
            hold: longest run of cycles that one draw of a pause lasts.
            seed: seed of the pauses.
            reset_cycle: cycle of a reset in mid-stream, or 0 for none.
            plusargs: arguments for ``$value$plusargs`` of the design.

        Raises:
            ValueError: if a number is out of its range or the stimulus has another shape.
            ToolError: if the program fails.
        """
        self._check(stimulus)
        if not (1 <= valid <= ALWAYS and 1 <= ready <= ALWAYS and hold >= 1):
            raise ValueError(f"valid {valid} and ready {ready} are not 1..256, or hold {hold} < 1")
        nbytes = self.variant.output_layout.nbytes
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "out"
            numbers = [valid, ready, hold, seed, reset_cycle, IDLE_LIMIT]
            arguments = [str(output), str(len(stimulus)), *map(str, numbers), *plusargs]
            done = self._call("--bulk", stimulus, Path(folder), arguments)
            words = np.fromfile(output, np.uint8).reshape(-1, nbytes)
        reset = None
        if reset_cycle and done["reset_at"]:
            reset = Reset(done["dropped_from"], done["dropped_to"], done["reset_at"])
        elif reset_cycle and not done["problem"]:
            done["problem"] = f"all words were through before the reset at cycle {reset_cycle}"
        gaps = done["accepted"] - 1 - done["first"]
        span = done["last_accept"] - done["first_accept"]
        seen = done["min_latency"] <= done["max_latency"]
        return BulkRun(
            words=words,
            reset=reset,
            cycles=done["cycles"],
            latency=done["min_latency"] if seen else None,
            latency_max=done["max_latency"] if seen else None,
            interval=span / gaps if gaps > 0 else None,
            dropped=done["dropped_to"] - done["dropped_from"],
            problem=done["problem"],
            seconds=done["seconds"],
        )

    def bare_seconds(self, stimulus: Words) -> float:
        """Processor time of the model alone: payloads copied in, the clock ticking, no reading."""
        self._check(stimulus)
        with tempfile.TemporaryDirectory() as folder:
            arguments = [str(len(stimulus))]
            return self._call("--bare", stimulus, Path(folder), arguments)["seconds"]

    def _check(self, stimulus: Words) -> None:
        nbytes = self.variant.input_layout.nbytes
        if stimulus.ndim != 2 or stimulus.shape[1] != nbytes or stimulus.dtype != np.uint8:
            raise ValueError(
                f"stimulus is {stimulus.dtype} {stimulus.shape}, not uint8 (n, {nbytes})"
            )
        if len(stimulus) == 0:
            raise MismatchError(f"{self.variant}: the stimulus has no word (spec §13.2)")

    def _call(self, mode: str, stimulus: Words, folder: Path, rest: list[str]) -> dict[str, Any]:
        file = folder / "in"
        np.ascontiguousarray(stimulus).tofile(file)
        command = [str(self.model.program), mode, str(file), *rest]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            text = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
            raise ToolError(f"{self.variant}: the simulation ended early: {text[-1]}")
        return json.loads(done.stdout.splitlines()[-1])


def build_bulk(
    verilog_path: Path, variant: Device, folder: Path | None = None, *, top: str | None = None
) -> BulkModel:
    """Build the model of a Verilog file for its C++ driver; see `cocotb_tests.model.build`."""
    return BulkModel(model.build(verilog_path, variant, top=top, folder=folder))
