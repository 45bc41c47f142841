"""Runs in the simulator: drives stimuli through the ports and records what comes out.

Nothing is computed or judged here. The job file named by ``FINESCALE_JOB`` gives for each test
the file of its stimulus words; each test leaves ``<test>.bin`` with the observed words and
``<test>.json`` with what was measured. `cocotb_tests.harness` writes the job and reads the rest.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb

from cocotb_tests.stream import DRAIN, Stream, Transfers, always, burst_pauses, random_pauses


class Job:
    """The part of the job file that concerns one test."""

    def __init__(self, test: str) -> None:
        job = json.loads(Path(os.environ["FINESCALE_JOB"]).read_text())
        self.test = test
        self.folder = Path(os.environ["FINESCALE_JOB"]).parent
        self.output_bytes: int = job["output_bytes"]
        self.seed: int = job["seed"]
        self.last_bit: int | None = job["last_bit"]
        step: int = job["input_bytes"]
        data = (self.folder / job["stimuli"][test]).read_bytes()
        self.words = [
            int.from_bytes(data[i : i + step], "little") for i in range(0, len(data), step)
        ]

    def finish(self, seen: Transfers, **more: Any) -> None:
        """Write the observed words and the measurements."""
        raw = b"".join(word.to_bytes(self.output_bytes, "little") for word in seen.words)
        (self.folder / f"{self.test}.bin").write_bytes(raw)
        latencies = seen.latencies
        measured = {
            "words": len(seen.words),
            "cycles": seen.cycles,
            "latency": min(latencies, default=None),
            "latency_max": max(latencies, default=None),
            "interval": seen.interval,
            "problem": seen.problem,
            **more,
        }
        (self.folder / f"{self.test}.json").write_text(json.dumps(measured))


async def stream_test(dut: Any, test: str, source: Iterator[bool], sink: Iterator[bool]) -> None:
    """Send all words of a test; words that come out late are recorded behind the others.

    Then the sink closes for good, and a word has to become valid all the same (spec §12.2).
    """
    job = Job(test)
    stream = Stream(dut, job.last_bit)
    await stream.start()
    late = await stream.drain()
    start = time.process_time()
    seen = await stream.transfer(job.words, source, sink)
    seconds = time.process_time() - start
    if late:
        seen.problem = f"{len(late)} words came out within {DRAIN} cycles after reset"
    if not seen.problem:
        seen.words += await stream.drain()
        if job.words:
            longest = max(seen.latencies, default=0)
            seen.problem = await stream.close_sink(job.words, longest)
    job.finish(seen, seconds=seconds)


def seeds(test: str) -> tuple[int, int]:
    """Two seeds for the two sides of a test."""
    seed = Job(test).seed
    return 2 * seed, 2 * seed + 1


@cocotb.test()
async def full_rate(dut: Any) -> None:
    """Neither side ever pauses: latency and interval are measured here."""
    await stream_test(dut, "full_rate", always(), always())


@cocotb.test()
async def random_both(dut: Any) -> None:
    """Both sides pause at random, in single cycles."""
    a, b = seeds("random_both")
    await stream_test(dut, "random_both", random_pauses(a), random_pauses(b))


@cocotb.test()
async def source_pauses(dut: Any) -> None:
    """Only the source pauses, in bursts: the pipeline runs empty."""
    a, _ = seeds("source_pauses")
    await stream_test(dut, "source_pauses", burst_pauses(a), always())


@cocotb.test()
async def sink_pauses(dut: Any) -> None:
    """Only the sink pauses, in bursts: the pipeline fills up."""
    a, _ = seeds("sink_pauses")
    await stream_test(dut, "sink_pauses", always(), burst_pauses(a))


@cocotb.test()
async def reset_in_mid_stream(dut: Any) -> None:
    """Words in flight are dropped by a reset, nothing comes out, and the rest goes through."""
    job = Job("reset_in_mid_stream")
    stream = Stream(dut, job.last_bit)
    a, b = seeds("reset_in_mid_stream")
    await stream.start()
    half = len(job.words) // 2
    seen = await stream.transfer(job.words, random_pauses(a, 0.9), random_pauses(b), stop=half)
    accepted = len(seen.accepted)
    reset = {"shown": len(seen.words), "called": len(seen.called), "accepted": accepted}
    if not seen.problem:
        await stream.reset()
        if late := await stream.drain():
            seen.problem = f"{len(late)} words came out within {DRAIN} cycles after reset"
    if not seen.problem:
        rest = await stream.transfer(job.words[accepted:], always(), random_pauses(b))
        late = await stream.drain() if not rest.problem else []
        seen.words += rest.words + late
        seen.cycles += rest.cycles
        seen.problem = rest.problem
    job.finish(seen, reset=reset)
