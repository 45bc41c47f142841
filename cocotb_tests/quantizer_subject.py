"""The quantizer as a subject: recipes give its words, and clauses explain what differs.

Codes are decoded for display only.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from cocotb_tests.subject import Named, Subject
from emulator import golden
from emulator.formats import Format
from emulator.layout import Words
from emulator.recipes import TABLE_RULE
from emulator.stimulus import stimulus, stimulus_names
from rtl.quantizer_variant import QuantizerVariant

SCALE_CLAUSES = {
    "absmax": "spec §8.1",
    "floor": "spec §8.4",
    "ceil": "spec §8.5",
    "even": "spec §8.6",
    "top2": "spec §18.4",
    "top3": "spec §18.4",
    "pop": "spec §18.6",
}


class QuantizerSubject(Subject[QuantizerVariant]):
    """See `Subject`."""

    def names(self) -> list[str]:
        """All stimuli of the recipe but the random one."""
        names = stimulus_names(self.variant.recipe, self.variant.input)
        return [name for name in names if name != "random"]

    def stimulus(self, name: str, *, words: int | None = None, seed: int = 0) -> Words:
        """Words of `emulator.stimulus`."""
        return stimulus(name, self.variant.recipe, self.variant.input, blocks=words, seed=seed)

    def expected(self, words: Words) -> Words:
        """Words by the kernels."""
        return golden.expected(self.variant.recipe, self.variant.input, words)

    def load(self, folder: Path) -> Named:
        """Golden vectors of the recipe and input format."""
        return golden.load(folder, self.variant.recipe, self.variant.input)

    def explain(self, spec: Words, dut: Words, stimulus: Words, label: str) -> list[str]:
        """One line for the scale if it differs, and one for each of the first differing lanes."""
        return explain(spec, dut, stimulus, self.variant, label)


def explain(
    spec: Words, dut: Words, stimulus: Words, variant: QuantizerVariant, block: str, lanes: int = 3
) -> list[str]:
    """Explain how one observed word differs from the required one.

    Args:
        spec: required word, shape ``(nbytes,)``.
        dut: observed word.
        stimulus: input word.
        variant: what the design is meant to compute.
        block: name of the block, for the text.
        lanes: number of differing lanes that are explained.

    Returns:
        One line for the scale if it differs, and one for each of the first differing lanes:
        ``block, lane, x in hex and decimal, scale => dut code and value, spec code and value``.
    """
    layout, recipe, source = variant.output_layout, variant.recipe, variant.input
    x = [int(b) for b in variant.input_layout.unpack(stimulus[None])["x"][0]]
    parts = [layout.unpack(word[None]) for word in (spec, dut)]
    spec_scale, dut_scale = (int(p["scale"][0, 0]) for p in parts)
    spec_codes, dut_codes = ([int(c) for c in p["codes"][0]] for p in parts)
    special = _special_clause(x, source)
    lines: list[str] = []
    if spec_scale != dut_scale:
        peak = max(range(len(x)), key=lambda i: x[i] & source.magnitude_mask)
        clause = special or _scale_clause(spec_scale, dut_scale, variant)
        lines.append(
            f"{block} scale, lane {peak} is largest: x {show(x[peak], source)} => "
            f"dut {show(dut_scale, recipe.scale)}, spec {show(spec_scale, recipe.scale)} "
            f"({clause})"
        )
    differing = [i for i, (s, d) in enumerate(zip(spec_codes, dut_codes, strict=True)) if s != d]
    shown = differing[: 1 if lines else lanes]  # lanes follow a wrong scale
    for lane in shown:
        clause = special or _element_clause(
            spec_codes[lane], dut_codes[lane], spec_scale, recipe.scale, recipe.element
        )
        lines.append(
            f"{block} lane {lane}: x {show(x[lane], source)}, "
            f"scale {show(spec_scale, recipe.scale)} => "
            f"dut {show(dut_codes[lane], recipe.element)}, "
            f"spec {show(spec_codes[lane], recipe.element)} ({clause})"
        )
    if len(differing) > len(shown):
        lines.append(f"{block}: {len(differing) - len(shown)} more lanes differ")
    return lines


def _special_clause(x: list[int], source: Format) -> str:
    """The clause of blocks with NaN or infinity, or an empty string."""
    if any(source.is_nan(b) for b in x):
        return "spec §6.1"
    return "spec §6.2" if any(source.is_inf(b) for b in x) else ""


def _scale_clause(spec: int, dut: int, variant: QuantizerVariant) -> str:
    """The clause that decides the scale code of a finite block."""
    scale = variant.recipe.scale
    if spec == dut & (scale.magnitude_mask | scale.sign_mask):
        return "spec §2.3"  # a bit above the code's width is set
    if variant.recipe.prevent_zero and spec == 1:
        return "spec §8.3"
    if not scale.has_zero and spec in (0, scale.max_code):
        return "spec §8.7"
    if spec == scale.max_code:
        return "spec §8.2"
    if variant.recipe.limited:
        return "spec §17.7" if variant.recipe.rule == TABLE_RULE else "spec §17.4"
    return SCALE_CLAUSES.get(variant.recipe.rule, "spec §15.3")


def _element_clause(spec: int, dut: int, scale_code: int, scale: Format, element: Format) -> str:
    """The clause that decides an element code of a finite block."""
    if (spec ^ dut) == element.sign_mask:
        return "spec §9.2"
    if scale.is_finite(scale_code) and scale.value(scale_code) == 0:
        return "spec §9.3"
    return "spec §9.1"


def show(code: int, fmt: Format) -> str:
    """A code in hex and, in brackets, its value in decimal."""
    digits = -(-fmt.storage_bits // 4)
    return f"{code:0{digits}x} ({_decimal(code, fmt)})"


def _decimal(code: int, fmt: Format) -> str:
    if fmt.is_nan(code):
        return "nan"
    sign = "-" if code & fmt.sign_mask else ""
    if fmt.is_inf(code):
        return f"{sign}inf"
    value: Fraction = abs(fmt.value(code))
    # All values here lie within the range of a double, so that this is the exact value's nearest.
    return f"{sign}{float(value):.9g}"
