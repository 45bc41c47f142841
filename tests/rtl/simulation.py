"""Small runs in Amaranth's own simulator, which needs no other tool."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
from amaranth.sim import Simulator

from emulator.layout import from_hex, to_hex
from rtl.variant import Variant
from rtl.variants import variant
from tests.spec_examples import Example


def testbench(unit: Any, bench: Callable[[Any], Awaitable[None]], *, clocked: bool = False) -> None:
    """Run a bench, a coroutine of the simulator's context, to its end."""
    simulator = Simulator(unit)
    if clocked:
        simulator.add_clock(1e-6)
    simulator.add_testbench(bench)  # pyright: ignore[reportArgumentType]  # wants a generator, too
    simulator.run()


testbench.__test__ = False  # pyright: ignore[reportFunctionMemberAccess]  # read by pytest


def through(
    v: Variant,
    words: list[int],
    due: int | None = None,
    *,
    pauses: float = 0.0,
    seed: int = 1,
) -> list[int]:
    """Send words through the unit of a variant and return the words that come out.

    Asserts that an offered word stays as it is until it is taken (spec §12.2) and that no more
    than ``due`` words come out (spec §12.3), by default as many as go in.
    """
    due = len(words) if due is None else due
    dut: Any = v.component()
    rng = random.Random(seed)
    out: list[int] = []

    async def bench(ctx: Any) -> None:
        sent, offered, held = 0, False, None
        for _ in range((v.interval + 4) * 10 * (len(words) + 10)):
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
            if sent == len(words) and len(out) == due:
                break
        ctx.set(dut.i.valid, 0)
        ctx.set(dut.o.ready, 1)
        for _ in range(v.latency + 2):
            await ctx.tick()
            assert not ctx.get(dut.o.valid)

    testbench(dut, bench, clocked=True)
    return out


def example_through(example: Example) -> str:
    """The output word, in hex, of a worked example of one word."""
    v = variant(example.subject)
    (word,) = from_hex([example.left], v.input_layout)
    (out,) = through(v, [int.from_bytes(word.tobytes(), "little")])
    raw = out.to_bytes(v.output_layout.nbytes, "little")
    return to_hex(np.frombuffer(raw, np.uint8)[None], v.output_layout)[0]
