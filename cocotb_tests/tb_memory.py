"""Runs in the simulator: a tensor quantizer between commands and a memory that pauses (spec §24).

It drives and records; what was seen is judged outside. `job.json` holds the memory, commands as
hex, the bytes of a memory word, the memory's latency, chances of pauses and a seed.
"""

from __future__ import annotations

import json
import os
import random
from collections import deque
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

LIMIT = 200_000
OUT = ("request", "write", "status")


class Bench:
    """Drives and samples at falling edges, when all signals are at rest."""

    def __init__(self, dut: Any, job: dict[str, Any], pauses: float) -> None:
        self.dut, self.width, self.latency = dut, job["width"], job["latency"]
        self.memory = bytearray.fromhex(job["memory"])
        self.commands = [int(word, 16) for word in job["commands"]]
        self.pauses, self.random = pauses, random.Random(job["seed"])
        self.under: deque[tuple[int, int]] = deque()
        self.held: dict[str, int | None] = dict.fromkeys(OUT)
        self.statuses: list[int] = []
        self.most = 0

    async def reset(self) -> None:
        """Two cycles of reset, nothing offered."""
        for name in ("command_valid", "read_valid", *(f"{stream}_ready" for stream in OUT)):
            getattr(self.dut, name).value = 0
        self.dut.rst.value = 1
        for _ in range(2):
            await FallingEdge(self.dut.clk)
        self.dut.rst.value = 0

    def goes(self) -> bool:
        """Whether a side does not pause in this cycle."""
        return self.random.random() >= self.pauses

    def taken(self, stream: str, ready: bool) -> int | None:
        """The word of a stream that is transferred; what waits must not change (spec §12.2)."""
        valid = int(getattr(self.dut, f"{stream}_valid").value)
        payload = int(getattr(self.dut, f"{stream}_payload").value) if valid else None
        held = self.held[stream]
        assert held is None or payload == held, f"{stream} changed before it was taken"
        self.held[stream] = None if ready else payload
        return payload if ready else None

    def write(self, word: int) -> None:
        """Write the bytes of a word that its mask names (spec §24.2)."""
        address, data, mask = word & 0xFFFFFFFF, word >> 32, word >> (32 + 8 * self.width)
        assert address % self.width == 0, f"write to {address:x}"
        for k in range(self.width):
            if mask >> k & 1:
                self.memory[address + k] = data >> 8 * k & 255

    async def run(self) -> None:
        """Give all commands; afterwards nothing may be offered for a while."""
        dut, sent, offered, rest = self.dut, 0, False, 32
        for cycle in range(LIMIT):
            there = bool(self.under) and self.under[0][0] <= cycle
            offered = there and (offered or self.goes())
            dut.read_valid.value = int(offered)
            if offered:
                at = self.under[0][1]
                dut.read_payload.value = int.from_bytes(self.memory[at : at + self.width], "little")
            giving = sent < len(self.commands)
            dut.command_valid.value = int(giving)
            if giving:
                dut.command_payload.value = self.commands[sent]
            ready = {stream: self.goes() for stream in OUT}
            for stream in OUT:
                getattr(dut, f"{stream}_ready").value = int(ready[stream])
            await ReadOnly()
            took = {stream: self.taken(stream, ready[stream]) for stream in OUT}
            sent += giving and int(dut.command_ready.value)
            if offered and int(dut.read_ready.value):
                self.under.popleft()
                offered = False
            if (address := took["request"]) is not None:
                assert address % self.width == 0, f"read of {address:x}"
                self.under.append((cycle + self.latency, address))
                self.most = max(self.most, len(self.under))
            if (word := took["write"]) is not None:
                self.write(word)
            if (status := took["status"]) is not None:
                self.statuses.append(status)
            if len(self.statuses) == len(self.commands):
                assert rest == 32 or all(word is None for word in took.values()), took
                rest -= 1
            await FallingEdge(dut.clk)
            if rest == 0:
                return
        raise AssertionError(f"{len(self.statuses)} of {len(self.commands)} commands ended")


async def commands(dut: Any, test: str, pauses: float) -> None:
    """Run all commands of the job, and leave memory and statuses as `<test>.json`."""
    folder = Path(os.environ["FINESCALE_JOB"])
    bench = Bench(dut, json.loads((folder / "job.json").read_text()), pauses)
    Clock(dut.clk, 2, "ns").start()
    await bench.reset()
    await bench.run()
    found = {
        "memory": bench.memory.hex(),
        "statuses": [f"{word:x}" for word in bench.statuses],
        "most": bench.most,
    }
    (folder / f"{test}.json").write_text(json.dumps(found))


@cocotb.test()
async def full_rate(dut: Any) -> None:
    """No side pauses."""
    await commands(dut, "full_rate", 0.0)


@cocotb.test()
async def random_pauses(dut: Any) -> None:
    """Memory, and who takes the status, pause at random."""
    await commands(dut, "random_pauses", 0.5)
