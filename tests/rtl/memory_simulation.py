"""A tensor quantizer between commands and a memory, in Amaranth's own simulator (spec §24)."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from amaranth.hdl import ResetInserter, Signal

from rtl.tensor_quantizer_variant import TensorQuantizerVariant
from tests.rtl.simulation import testbench

STREAMS: tuple[str, ...] = ("request", "write", "status")


@dataclass
class Seen:
    """What a run showed.

    Attributes:
        requests: addresses, in order.
        writes: address and the bytes written there by their place, in order.
        statuses: status words.
        cycles: of each command, from its transfer to its status being offered.
    """

    requests: list[int] = field(default_factory=list)
    writes: list[tuple[int, dict[int, int]]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    cycles: list[int] = field(default_factory=list)

    @property
    def written(self) -> dict[int, int]:
        """All bytes written, by address; asserts that none is written twice (spec §24.6)."""
        found: dict[int, int] = {}
        for address, places in self.writes:
            for k, byte in places.items():
                assert address + k not in found, f"{address + k:x} is written twice"
                found[address + k] = byte
        return found


def run(
    v: TensorQuantizerVariant,
    memory: bytes,
    commands: list[int],
    *,
    latency: int = 2,
    pauses: float = 0.0,
    seed: int = 1,
    reset_at: int | None = None,
) -> Seen:
    """Give commands one after the other.

    Asserts that what is offered stays until it is taken (spec §12.2), that no more reads are
    under way than the variant allows, and that requests keep their distance (spec §24.5).

    Args:
        v: the unit.
        memory: bytes from address 0 on, whole words.
        commands: command words.
        latency: cycles from a request to its word.
        pauses: chance that a side pauses in a cycle.
        seed: of the pauses.
        reset_at: cycle of a reset, after which the first command is given again and what was
            seen before is forgotten; None for no reset.
    """
    dut: Any = v.component()
    rst = Signal()
    rng = random.Random(seed)
    seen = Seen()
    word = v.width

    async def bench(ctx: Any) -> None:
        nonlocal reset_at
        under: deque[tuple[int, int]] = deque()
        sent, started, shown, offered = 0, 0, False, False
        held: dict[str, int | None] = dict.fromkeys(STREAMS)
        cycle, asked = 0, -v.pace
        while len(seen.statuses) < len(commands):
            assert cycle < 200_000, "the unit stands still"
            if cycle == reset_at:
                reset_at = None
                under.clear()
                seen.requests, seen.writes, seen.statuses, seen.cycles = [], [], [], []
                sent, offered, held = 0, False, dict.fromkeys(STREAMS)
                asked = cycle - v.pace
                for stream in ("command", "read"):
                    ctx.set(getattr(dut, stream).valid, 0)
                ctx.set(rst, 1)
                await ctx.tick()
                ctx.set(rst, 0)
            ctx.set(dut.command.valid, sent < len(commands))
            if sent < len(commands):
                ctx.set(dut.command.payload.as_value(), commands[sent])
            ready = {stream: rng.random() >= pauses for stream in STREAMS}
            for stream in STREAMS:
                ctx.set(getattr(dut, stream).ready, ready[stream])
            there = bool(under) and under[0][0] <= cycle
            offered = there and (offered or rng.random() >= pauses)
            ctx.set(dut.read.valid, offered)
            if offered:
                at = under[0][1]
                ctx.set(dut.read.payload, int.from_bytes(memory[at : at + word], "little"))

            took = {}
            for stream in STREAMS:
                port = getattr(dut, stream)
                payload = port.payload if stream == "request" else port.payload.as_value()
                valid, value = ctx.get(port.valid), ctx.get(payload)
                assert held[stream] is None or (valid and value == held[stream]), stream
                held[stream] = value if valid and not ready[stream] else None
                if stream == "status" and valid and not shown:
                    seen.cycles.append(cycle - started)
                    shown = True
                if valid and ready[stream]:
                    took[stream] = value
            if sent < len(commands) and ctx.get(dut.command.ready):
                sent, started, shown = sent + 1, cycle, False
            if offered and ctx.get(dut.read.ready):
                under.popleft()
                offered = False
            if "request" in took:
                under.append((cycle + latency, took["request"]))
                seen.requests.append(took["request"])
                assert took["request"] + word <= len(memory)
                assert len(under) <= v.reads
                assert cycle - asked >= v.pace, f"a request {cycle - asked} cycles after another"
                asked = cycle
            if "write" in took:
                seen.writes.append(split(took["write"], word))
            if "status" in took:
                seen.statuses.append(took["status"])
            await ctx.tick()
            cycle += 1
        for stream in ("command", "read"):
            ctx.set(getattr(dut, stream).valid, 0)
        for _ in range(latency + 8):
            for stream in STREAMS:
                assert not ctx.get(getattr(dut, stream).valid), stream
            await ctx.tick()

    testbench(ResetInserter(rst)(dut), bench, clocked=True)
    return seen


def split(write: int, width: int) -> tuple[int, dict[int, int]]:
    """Address and written bytes of a write word (spec §24.2)."""
    address, data, mask = (
        write & 0xFFFFFFFF,
        write >> 32 & ((1 << 8 * width) - 1),
        write >> (32 + 8 * width),
    )
    assert address % width == 0
    return address, {k: data >> 8 * k & 255 for k in range(width) if mask >> k & 1}
