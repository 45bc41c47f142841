"""Choice and cipher side by side with stand-ins for their logic: all cuts in little time (§26.5).

Of the choice there is what makes its pace, registers and turns; of the cipher all but its rounds.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from unittest import mock

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl import speck
from rtl.chain import Chain
from rtl.random_select import RandomSelectQuantizer
from rtl.random_select_variant import RandomSelectVariant
from rtl.select import keep_best, take_turns
from rtl.select_variant import SELECT_CUTS, SelectVariant
from rtl.variants import quantizer
from tests.rtl.simulation import testbench

WORDS = 14


class Pacer(wiring.Component):
    """The registers and turns of a choice; its scale code is the low byte of the word."""

    i: stream.Interface
    o: stream.Interface

    def __init__(self, variant: SelectVariant) -> None:
        self.variant = variant
        super().__init__(
            {
                "i": In(stream.Signature(variant.input_layout.width)),
                "o": Out(stream.Signature(variant.output_layout.width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        v = self.variant
        pipe = Chain(m, platform, v.cuts, self.i)
        at = pipe.cut("i", {"word": self.i.payload[:8]})
        at = pipe.cut("a", {"word": at.word})
        about: Any = Signal(3)
        if v.turn:
            number = take_turns(m, pipe, v.candidates)
            m.d.comb += about.eq(Cat(~number.any(), number == v.candidates - 1))
        for letter in "stef":
            at = pipe.cut(letter, {"word": at.word, "about": about})
            about = at.about
        codes = Const(0, len(self.o.payload) - 8)
        if v.turn:
            keep_best(m, pipe, self.o, about, Const(0, 2), Cat(codes, at.word))
        else:
            out = pipe.cut("o", {"word": at.word})
            m.d.comb += self.o.payload.eq(Cat(codes, out.word))
            pipe.end(self.o)
        return m


class IdleRound(speck.CipherRound):
    """No cipher."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.after.eq(self.word)
        return m


class IdleKeys(speck.KeyRound):
    """No keys."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.after.eq(self.keys)
        return m


class Paced(RandomSelectQuantizer):
    """Gives the low byte of the word that waited as codes, beside that of the choice as scale."""

    def kept(self, m: Module, platform: object, word: Value) -> dict[str, Any]:
        return {"x0": word[:4], "x1": word[4:8]}

    def thresholds(self, m: Module, platform: object, scale: Value, rest: Any) -> Any:
        return Const(0, 1)

    def code(self, m: Module, platform: object, i: int, at: Any) -> Value:
        return at[f"x{i}"]


def pace(v: RandomSelectVariant, pauses: float = 0.0, seed: int = 1) -> tuple[list[int], list[int]]:
    """The cycles in which words are taken, and those from then until they come out.

    Asserts that words come out in pairs and in order, and that an offered one stays (spec §12).
    """
    assert isinstance(v.choice, SelectVariant) and v.recipe.block_size == 2
    rng = random.Random(seed)
    words = [(37 * i + 5) & 0xFF for i in range(WORDS)]
    taken: list[int] = []
    given: list[int] = []

    async def bench(ctx: Any) -> None:
        offered, held = False, None
        for cycle in range(100 * (WORDS + v.interval)):
            offered = offered or (len(taken) < WORDS and rng.random() >= pauses)
            ready = rng.random() >= pauses
            ctx.set(dut.i.valid, offered)
            ctx.set(dut.i.payload, words[min(len(taken), WORDS - 1)])
            ctx.set(dut.o.ready, ready)
            valid, payload = ctx.get(dut.o.valid), ctx.get(dut.o.payload)
            assert held is None or (valid and payload == held)
            held = payload if valid and not ready else None
            if valid and ready:
                assert payload == words[len(given)] * 0x101
                given.append(cycle)
            if offered and ctx.get(dut.i.ready):
                taken.append(cycle)
                offered = False
            if len(given) == WORDS and cycle > given[-1] + v.latency:
                break
            await ctx.tick()
        assert len(given) == len(taken) == WORDS and not ctx.get(dut.o.valid)

    with (
        mock.patch.object(SelectVariant, "component", lambda choice: Pacer(choice)),
        mock.patch.object(speck, "CipherRound", IdleRound),
        mock.patch.object(speck, "KeyRound", IdleKeys),
    ):
        dut: Any = Paced(v)
        testbench(dut, bench, clocked=True)
    return taken, [b - a for a, b in zip(taken, given, strict=True)]


def check_pace(v: RandomSelectVariant, seed: int = 1) -> None:
    """Latency and interval of a variant, and no word lost or doubled with pauses."""
    taken, waits = pace(v)
    # In front of turns two registers take words before it is their turn.
    steady = [b - a for a, b in pairwise(taken[4:])]
    assert set(steady) == {v.interval}, f"{v}: interval {steady}, not {v.interval}"
    assert min(waits) == v.latency, f"{v}: latency {min(waits)}, not {v.latency}"
    pace(v, 0.4, seed)


def all_cuts() -> Iterator[RandomSelectVariant]:
    """All cuts of exact choices, side by side and in turn, with all rounds per cycle."""
    letters = "".join(SELECT_CUTS)
    for rule, turn in (("4o6", ""), ("4o6", "-turn"), ("3c", "-turn"), ("6c", "-turn")):
        for chosen in range(1, 1 << len(letters)):
            cuts = "".join(c for k, c in enumerate(letters) if chosen >> k & 1)
            if turn and "o" not in cuts:
                continue
            for rounds in ("-r1", "-r3", "-r9", ""):
                for behind in ("", "w", "rw"):
                    name = f"quantizer-ue5m3-{rule}-sr4-b2-bf16{turn}{rounds}-cut{cuts}{behind}"
                    v = quantizer(name)
                    assert isinstance(v, RandomSelectVariant)
                    yield v
