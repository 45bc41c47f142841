"""Candidates: the scale codes that a selection tries (spec §15.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.hierarchy import place
from rtl.scale import ScaleEncoder
from rtl.select_variant import CANDIDATES, POWER_CANDIDATES
from rtl.shapes import Shapes


class CandidateEncoder(wiring.Component):
    """The candidate scale codes of a block, all of them or one by its number. Combinational.

    Both quotients are encoded once (spec §8.1); candidates that differ by an offset share them.
    Blocks with a NaN or an infinity have equal candidates, so that no choice is left (spec §6).

    Args:
        shapes: widths, and rule and prevent-zero of the recipe.
        numbered: whether there is one output, for the candidate of ``number``.
        more: further ports, of a subclass with another way to divide.

    Members:
        amax: In, `Shapes.key`, the block's largest key.
        number: In, of the candidate, if ``numbered``.
        scales_<i>: Out, the stored scale codes in their order; only the first if ``numbered``.
    """

    amax: data.View
    number: Signal
    scales: list[Signal]

    def __init__(self, shapes: Shapes, *, numbered: bool, **more: Any) -> None:
        self.shapes = shapes
        self.numbered = numbered
        rules = POWER_CANDIDATES.get(shapes.rule, ())
        self.candidates: list[tuple[int | str, int]] = [(rule, 0) for rule in rules] or [
            *CANDIDATES[shapes.rule]
        ]
        outputs = 1 if numbered else len(self.candidates)
        ports = {
            "amax": In(shapes.key),
            "scales": Out(shapes.scale.storage_bits).array(outputs),
            **more,
        }
        if numbered:
            ports["number"] = In((len(self.candidates) - 1).bit_length())
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """The logic of the unit."""
        m = Module()
        quotients = self.quotients(m, platform)
        if not self.numbered:
            for scale, (source, offset) in zip(self.scales, self.candidates, strict=True):
                m.d.comb += scale.eq(self._finished(quotients[source], offset))
            return m
        base = Signal(self.shapes.scale.storage_bits)
        up, down = Signal(), Signal()
        m.d.comb += [
            base.eq(self.chosen(quotients)),
            up.eq(self._is(lambda c: c[1] > 0)),
            down.eq(self._is(lambda c: c[1] < 0)),
        ]
        code = Mux(up, self._next(base, 1), Mux(down, self._next(base, -1), base))
        m.d.comb += self.scales[0].eq(self._checked(base, code))
        return m

    @property
    def sources(self) -> list[int | str]:
        """Divisors or rules of the candidates, each once."""
        return list(dict.fromkeys(source for source, _ in self.candidates))

    def quotients(self, m: Module, platform: object) -> dict[int | str, Value]:
        """The scale of each of `sources`, without prevent-zero: that follows the offsets."""
        s = self.shapes
        plain = replace(s, prevent_zero=False)
        found: dict[int | str, Value] = {}
        for source in self.sources:
            if isinstance(source, int):
                encoder, name = ScaleEncoder(plain, divisor=source), f"divide{source}"
            else:
                encoder, name = ScaleEncoder(plain, rule=source), source
            place(m, platform, name, encoder, kind=name)
            m.d.comb += encoder.amax.eq(self.amax)
            found[source] = encoder.scale
        return found

    def chosen(self, quotients: Mapping[int | str, Value]) -> Value:
        """The quotient that the candidate of ``number`` starts from."""
        result: Value = Const(0)
        for source, quotient in quotients.items():
            result = result | Mux(self._is(lambda c, s=source: c[0] == s), quotient, 0)
        return result

    def _is(self, wanted: Callable[[tuple[int | str, int]], bool]) -> Value:
        """Whether the candidate of ``number`` is one of those wanted."""
        numbers = [i for i, candidate in enumerate(self.candidates) if wanted(candidate)]
        return Cat(*(self._number_is(i) for i in numbers)).any() if numbers else Const(0, 1)

    def _number_is(self, number: int) -> Value:
        return self.number == number if number else ~self.number.any()

    def _next(self, code: Value, offset: int) -> Value:
        """The code one up or down, clamped (spec §8.2)."""
        end = self.shapes.scale.max_code if offset > 0 else 0
        at_end = code == end if end else ~code.any()
        return Mux(at_end, code, code + offset)[: len(code)]

    def _finished(self, base: Value, offset: int) -> Value:
        return self._checked(base, self._next(base, offset) if offset else base)

    def _checked(self, base: Value, code: Value) -> Value:
        """The code of a finite block, with prevent-zero (spec §8.3), or that of a special one."""
        result = Mux(self.amax.exponent.all(), base, code)
        return result | ~result.any() if self.shapes.prevent_zero else result
