"""Driver and monitor of a valid/ready stream, for use inside the simulator (spec §12).

One coroutine and one trigger per clock cycle: at the rising edge all signals are sampled as they
stood before it, which is what decides a transfer (spec §12.2), and the inputs of the next cycle are
written, which take effect after it. So `i_ready` may depend on `o_ready` within a cycle.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

IDLE_LIMIT = 2_000
"""Cycles without a transfer after which a design counts as dead; far above the longest pause."""

FILLING = 16
"""Accepted words that the interval leaves out."""

DRAIN = 64
"""Cycles in which nothing more may come out."""


def always() -> Iterator[bool]:
    """A side that never pauses."""
    return itertools.repeat(True)


def random_pauses(seed: int, chance: float = 0.6) -> Iterator[bool]:
    """A side that goes in a cycle with the given chance, drawn anew for each cycle."""
    draw = random.Random(seed).random
    while True:
        yield draw() < chance


def burst_pauses(seed: int, longest: int = 24) -> Iterator[bool]:
    """A side that goes and pauses in turn, for 1 to ``longest`` cycles each."""
    length = random.Random(seed).randint
    while True:
        yield from itertools.repeat(True, length(1, longest))
        yield from itertools.repeat(False, length(1, longest))


@dataclass
class Transfers:
    """What was seen: words out, and the cycles of the transfers.

    Args:
        words: observed output words.
        accepted: cycle in which each input word was transferred.
        called: the same of those words that call for an output.
        valid: first cycle in which each output word was valid.
        cycles: number of cycles looked at.
        problem: what broke the protocol, or an empty string.
    """

    words: list[int] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    called: list[int] = field(default_factory=list)
    valid: list[int] = field(default_factory=list)
    cycles: int = 0
    problem: str = ""

    @property
    def latencies(self) -> list[int]:
        """Cycles from each input's transfer to its output being valid (spec §12.5)."""
        return [out - at for out, at in zip(self.valid, self.called, strict=False)]

    @property
    def interval(self) -> float | None:
        """Mean cycles between accepted words, the first ones left out; None below two words.

        The first words only fill the pipeline, whatever the rate is at which it works.
        """
        first = min(FILLING, len(self.accepted) // 2)
        gaps = len(self.accepted) - 1 - first
        return (self.accepted[-1] - self.accepted[first]) / gaps if gaps > 0 else None


class Stream:
    """The ports of a design and its clock.

    Args:
        dut: cocotb's handle of the top module, with the ports of spec §12.1.
        last_bit: bit of an input word that says that it calls for an output; None if all do.
    """

    def __init__(self, dut: Any, last_bit: int | None = None) -> None:
        self.dut = dut
        self.last_bit = last_bit
        self.edge = RisingEdge(dut.clk)

    async def start(self) -> None:
        """Start the clock and reset the design."""
        # The clock is made by the simulator's own callbacks: a Python clock would halve the speed.
        Clock(self.dut.clk, 2, "ns", impl="gpi").start(start_high=False)
        await self.reset()

    async def reset(self, cycles: int = 2) -> None:
        """Hold `rst` for some rising edges (spec §12.4), with the sink closed.

        A word that is offered stays offered at these edges: it must be dropped like the others.
        """
        self.dut.rst.value = 1
        self.dut.o_ready.value = 0
        for _ in range(cycles):
            await self.edge
        self.dut.rst.value = 0
        self.dut.i_valid.value = 0

    async def transfer(
        self,
        words: list[int],
        source: Iterator[bool],
        sink: Iterator[bool],
        *,
        stop: int | None = None,
    ) -> Transfers:
        """Send words and collect what they call for.

        Args:
            words: input words.
            source: whether the source offers its next word, asked once per cycle without an offer.
            sink: whether the sink is ready, asked once per cycle.
            stop: leave after so many cycles, with words in flight; by default when all are out.
        """
        dut, edge, seen = self.dut, self.edge, Transfers()
        i_payload, i_valid, o_ready = dut.i_payload, dut.i_valid, dut.o_ready
        i_ready, o_valid, o_payload = dut.i_ready, dut.o_valid, dut.o_payload
        calls = [self.calls(word) for word in words]
        count, due = len(words), sum(calls)
        sent, shown, progress, cycle = 0, 0, 0, 0
        offered, valid_now, ready_now = False, None, None
        held: int | None = None
        raw: list[Any] = []
        while (shown < due or sent < count) and (stop is None or cycle < stop):
            if not offered and sent < count and next(source):
                i_payload.value = words[sent]
                offered = True
            if offered is not valid_now:
                i_valid.value = valid_now = offered
            ready = next(sink)
            if ready is not ready_now:
                o_ready.value = ready_now = ready
            await edge
            if offered and i_ready.value:
                seen.accepted.append(cycle)
                if calls[sent]:
                    seen.called.append(cycle)
                sent += 1
                offered = False
                progress = cycle
            if o_valid.value:
                if held is None:
                    seen.valid.append(cycle)
                    if len(seen.valid) > len(seen.called):
                        seen.problem = "a word came out that no input called for"
                        break
                elif int(o_payload.value) != held:
                    seen.problem = "o_payload changed before the word was taken"
                    break
                if ready:
                    raw.append(o_payload.value)
                    held = None
                    shown += 1
                    progress = cycle
                elif held is None:
                    held = int(o_payload.value)
            elif held is not None:
                seen.problem = "o_valid fell before the word was taken"
                break
            cycle += 1
            if cycle - progress > IDLE_LIMIT:
                state = f"i_ready={i_ready.value}, o_valid={o_valid.value}"
                seen.problem = f"no transfer for {IDLE_LIMIT} cycles ({state})"
                break
        if seen.problem:
            seen.problem = f"cycle {cycle}: {seen.problem}"
        if stop is None:
            i_valid.value = 0
        seen.words = [int(value) for value in raw]
        seen.cycles = cycle
        return seen

    def calls(self, word: int) -> bool:
        """Whether an input word calls for an output."""
        return self.last_bit is None or bool(word >> self.last_bit & 1)

    async def drain(self) -> list[int]:
        """Keep the sink open, offer nothing, and return what comes out all the same."""
        self.dut.i_valid.value = 0
        self.dut.o_ready.value = 1
        late: list[int] = []
        for _ in range(DRAIN):
            await self.edge
            if self.dut.o_valid.value:
                late.append(int(self.dut.o_payload.value))
        return late

    async def close_sink(self, words: list[int], latency: int) -> str:
        """Offer words to a sink that is never ready: valid does not wait for ready (spec §12.2).

        Args:
            words: input words, at least one.
            latency: the longest latency seen before.

        Returns:
            What broke the protocol, or an empty string.
        """
        dut, offers = self.dut, itertools.cycle(words)
        dut.i_payload.value = next(offers)
        dut.i_valid.value = 1
        dut.o_ready.value = 0
        silent = 0 if self.last_bit is None else len(words)
        for _ in range(latency + DRAIN + silent):
            await self.edge
            if dut.o_valid.value:
                return ""
            if dut.i_ready.value:
                dut.i_payload.value = next(offers)
        return "o_valid waits for o_ready (spec §12.2)"
