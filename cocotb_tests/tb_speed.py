"""Runs in the simulator: the full-rate bench against a bare clock-and-drive loop, in turn.

The job file is that of `tb_stream`. The measurements hold one pair of processor times per round:
taken in turn, so that both loops meet the same machine.
"""

from __future__ import annotations

import time
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

from cocotb_tests.stream import Stream, always
from cocotb_tests.tb_stream import Job

ROUNDS = 5


async def bare_loop(dut: Any, words: list[int]) -> float:
    """Drive one payload per clock cycle, read nothing; return the processor time."""
    edge, payload = RisingEdge(dut.clk), dut.i_payload
    dut.i_valid.value = 1
    dut.o_ready.value = 1
    start = time.process_time()
    for word in words:
        payload.value = word
        await edge
    return time.process_time() - start


@cocotb.test()
async def speed(dut: Any) -> None:
    """Both loops over the same words, several times; the bench's words are left for judging."""
    job = Job("speed")
    stream = Stream(dut, job.last_bit)
    await stream.start()
    rounds: list[tuple[float, float]] = []
    seen = await stream.transfer(job.words[:100], always(), always())
    for _ in range(ROUNDS):
        bare = await bare_loop(dut, job.words)
        await stream.reset()
        await stream.drain()
        start = time.process_time()
        seen = await stream.transfer(job.words, always(), always())
        rounds.append((bare, time.process_time() - start))
    job.finish(seen, rounds=rounds)
