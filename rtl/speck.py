"""Speck64/128, and the random numbers of a block by its counter (spec §19.3 to §19.5)."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl.hierarchy import place
from rtl.random_variant import CIPHER_ROUNDS, NUMBER_BITS


class CipherRound(wiring.Component):
    """One round on a word. Combinational.

    Members:
        word: In, y in the low half, x in the high one.
        key: In, the round's key.
        after: Out, the word after the round.
    """

    word: Signal
    key: Signal
    after: Signal

    def __init__(self) -> None:
        super().__init__({"word": In(64), "key": In(32), "after": Out(64)})

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        y, x = self.word[:32], self.word[32:]
        next_x, next_y = Signal(32), Signal(32)
        m.d.comb += [
            next_x.eq((x.rotate_right(8) + y)[:32] ^ self.key),
            next_y.eq(y.rotate_left(3) ^ next_x),
            self.after.eq(Cat(next_y, next_x)),
        ]
        return m


class KeyRound(wiring.Component):
    """One round of the key schedule. Combinational.

    Members:
        keys: In, the round's key k in the low word, then the l of this round and the next two.
        number: In, number of the round.
        after: Out, the same for the next round.
    """

    keys: Signal
    number: Signal
    after: Signal

    def __init__(self) -> None:
        super().__init__({"keys": In(128), "number": In(5), "after": Out(128)})

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        k, this, *rest = (self.keys.word_select(i, 32) for i in range(4))
        next_l, next_k = Signal(32), Signal(32)
        m.d.comb += [
            next_l.eq((k + this.rotate_right(8))[:32] ^ self.number),
            next_k.eq(k.rotate_left(3) ^ next_l),
            self.after.eq(Cat(next_k, *rest, next_l)),
        ]
        return m


class Draws(wiring.Component):
    """The random numbers of a block, some rounds of the cipher per cycle.

    Holds one block. Latency and interval: 27 over the rounds per cycle; the first rounds are done
    before the first register, and the next block may come when a block leaves. Only the valid bit
    is reset (spec §12.4).

    Args:
        rest: shape of what goes along.
        bits: all random bits of a block.
        rounds: rounds per cycle, a divisor of 27.

    Members:
        i: In, stream of ``number`` of the block, ``seed`` and ``rest``.
        o: Out, stream of ``draws``, the low bits of the key stream, and ``rest``.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, rest: ShapeLike, bits: int, rounds: int) -> None:
        assert CIPHER_ROUNDS % rounds == 0
        self.bits, self.rounds, self._rest = bits, rounds, rest
        before = data.StructLayout({"number": NUMBER_BITS, "seed": 128, "rest": rest})
        after = data.StructLayout({"draws": bits, "rest": rest})
        super().__init__({"i": In(stream.Signature(before)), "o": Out(stream.Signature(after))})

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        given: Any = self.i.payload
        words = -(-self.bits // 64)
        states = [Signal(64, name=f"state{w}", reset_less=True) for w in range(words)]
        keys = Signal(128, reset_less=True)
        rest = Signal(self._rest, reset_less=True)
        done = Signal(5, reset_less=True)  # rounds
        full, running = Signal(), Signal()
        m.d.comb += [
            running.eq(full & (done != CIPHER_ROUNDS)),
            self.o.valid.eq(full & ~running),
            self.i.ready.eq(~full | (self.o.valid & self.o.ready)),
            self.o.payload.draws.eq(Cat(*states)[: self.bits]),
            self.o.payload.rest.eq(rest),
        ]
        once = self.rounds == CIPHER_ROUNDS

        def begin(first: Value, held: Signal) -> Value:
            return first if once else Mux(running, held, first)

        # The counter is 128 times the number, and the number of the word (spec §19.4).
        counters = [Cat(Const(w, 7), given.number) for w in range(words)]
        texts = [begin(c, state) for c, state in zip(counters, states, strict=True)]
        schedule = begin(given.seed, keys)
        at = Signal(5)
        m.d.comb += at.eq(0 if once else Mux(running, done, 0))
        for r in range(self.rounds):
            key = Signal(128, name=f"key{r}")
            m.d.comb += key.eq(schedule)
            for w in range(words):
                cipher = CipherRound()
                place(m, platform, f"round{r}_{w}", cipher, kind="round")
                m.d.comb += [cipher.word.eq(texts[w]), cipher.key.eq(key[:32])]
                texts[w] = cipher.after
            step = KeyRound()
            place(m, platform, f"key_round{r}", step, kind="key_round")
            m.d.comb += [step.keys.eq(key), step.number.eq(r if once else at + r)]
            schedule = step.after
        with m.If(self.i.ready):
            m.d.sync += [full.eq(self.i.valid), rest.eq(given.rest)]
        with m.If(self.i.ready | running):
            m.d.sync += [state.eq(text) for state, text in zip(states, texts, strict=True)]
            m.d.sync += done.eq(at + self.rounds)
            if not once:
                m.d.sync += keys.eq(schedule)
        return m
