"""Small runs in Amaranth's own simulator, which needs no other tool."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

from amaranth.sim import Simulator

from rtl.variants import QuantizerVariant


def testbench(unit: Any, bench: Callable[[Any], Awaitable[None]], *, clocked: bool = False) -> None:
    """Run a bench, a coroutine of the simulator's context, to its end."""
    simulator = Simulator(unit)
    if clocked:
        simulator.add_clock(1e-6)
    simulator.add_testbench(bench)  # pyright: ignore[reportArgumentType]  # wants a generator, too
    simulator.run()


testbench.__test__ = False  # pyright: ignore[reportFunctionMemberAccess]  # read by pytest


def quantize_words(
    variant: QuantizerVariant, words: list[int], *, pauses: float = 0.0, seed: int = 1
) -> list[int]:
    """Send words through the quantizer of a variant and return the words that come out.

    Asserts that an offered word stays as it is until it is taken (spec §12.2) and that no more
    words come out than went in (spec §12.3).
    """
    dut: Any = variant.component()
    rng = random.Random(seed)
    out: list[int] = []

    async def bench(ctx: Any) -> None:
        sent, offered, held = 0, False, None
        for _ in range(50 * (len(words) + 10)):
            offered = offered or (sent < len(words) and rng.random() >= pauses)
            ctx.set(dut.i.valid, offered)
            if offered:
                ctx.set(dut.i.payload, words[sent])
            ready = rng.random() >= pauses
            ctx.set(dut.o.ready, ready)
            valid, payload = ctx.get(dut.o.valid), ctx.get(dut.o.payload)
            assert held is None or (valid and payload == held)
            held = payload if valid and not ready else None
            if valid and ready:
                out.append(payload)
            if offered and ctx.get(dut.i.ready):
                sent, offered = sent + 1, False
            await ctx.tick()
            if len(out) == len(words):
                break
        ctx.set(dut.i.valid, 0)
        ctx.set(dut.o.ready, 1)
        for _ in range(variant.latency + 2):
            await ctx.tick()
            assert not ctx.get(dut.o.valid)

    testbench(dut, bench, clocked=True)
    return out
