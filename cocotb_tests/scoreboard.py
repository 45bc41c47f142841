"""Judges observed words against required ones and explains the first differences.

It computes no expected value: the required words are handed in. Codes are decoded for display only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from emulator.errors import MismatchError
from emulator.formats import Format
from emulator.layout import Words
from rtl.variants import Variant

EXPLAINED = 5
"""Number of differing blocks that are explained."""

SCALE_CLAUSES = {
    "absmax": "spec §8.1",
    "floor": "spec §8.4",
    "ceil": "spec §8.5",
    "even": "spec §8.6",
}


@dataclass(frozen=True)
class Verdict:
    """Outcome of a comparison.

    Args:
        source: what was compared, for messages.
        compared: number of words that were compared.
        mismatches: number of compared words that differ.
        problems: what is wrong besides differing words: missing words, protocol, nothing compared.
        explanations: the first differences, one line each.
    """

    source: str
    compared: int
    mismatches: int
    problems: list[str] = field(default_factory=list)
    explanations: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether at least one word was compared and nothing is wrong."""
        return self.compared > 0 and not self.mismatches and not self.problems

    def report(self) -> str:
        """Everything that is wrong, as text of several lines; one line if all is well."""
        if self.ok:
            return f"{self.source}: {self.compared} words identical"
        head = f"{self.source}: {self.mismatches} of {self.compared} words differ"
        return "\n".join([head, *(f"  {line}" for line in [*self.problems, *self.explanations])])

    def require(self) -> Verdict:
        """Return self if all is well.

        Raises:
            MismatchError: with the report.
        """
        if not self.ok:
            raise MismatchError(self.report())
        return self


def judge(
    spec: Words,
    dut: Words,
    stimulus: Words,
    variant: Variant,
    *,
    problem: str = "",
    label: Callable[[int], str] = "block {}".format,
    source: str = "",
) -> Verdict:
    """Compare observed with required words, all bits of them (spec §13.1).

    Args:
        spec: required words, shape ``(n, nbytes)`` of the variant's output layout.
        dut: observed words; another number of words than ``n`` is a failure (spec §12.3).
        stimulus: the input words that belong to ``spec``, for the explanations.
        variant: what the design is meant to compute.
        problem: something already found wrong by the bench.
        label: names the k-th word in messages.
        source: what is compared, for messages; by default the variant.

    Raises:
        ValueError: if the shapes do not fit the variant.
    """
    _check_shapes(spec, dut, stimulus, variant)
    count = min(len(spec), len(dut))
    wrong = np.flatnonzero((spec[:count] != dut[:count]).any(axis=1))
    problems = [problem] if problem else []
    if len(dut) < len(spec):
        problems.append(f"{len(spec) - len(dut)} of {len(spec)} words are missing (spec §12.3)")
    if len(dut) > len(spec):
        problems.append(
            f"{len(dut) - len(spec)} words more than the {len(spec)} inputs (spec §12.3)"
        )
    if count == 0:
        problems.append("no word was compared (spec §13.2)")
    slip = _slip(spec, dut, int(wrong[0]), label) if len(wrong) else []
    problems += slip
    lines: list[str] = []
    # After a lost or repeated word all others differ too; one of them says enough.
    for block in wrong[: 1 if slip else EXPLAINED]:
        lines += explain(spec[block], dut[block], stimulus[block], variant, label(int(block)))
    return Verdict(source or variant.name, count, len(wrong), problems, lines)


def _check_shapes(spec: Words, dut: Words, stimulus: Words, variant: Variant) -> None:
    wanted = {
        "spec": (spec, len(spec), variant.output_layout.nbytes),
        "dut": (dut, len(dut), variant.output_layout.nbytes),
        "stimulus": (stimulus, len(spec), variant.input_layout.nbytes),
    }
    for name, (words, rows, nbytes) in wanted.items():
        if words.shape != (rows, nbytes):
            raise ValueError(f"{name} words have shape {words.shape}, not ({rows}, {nbytes})")


def _slip(
    spec: Words, dut: Words, at: int, label: Callable[[int], str], window: int = 4
) -> list[str]:
    """Say so if the first difference looks like a word that was lost or sent twice."""
    there = dut[at : at + window]
    ahead = spec[at + 1 : at + 1 + len(there)]
    if len(ahead) == len(there) and np.array_equal(there, ahead):
        return [f"{label(at)}: the word is missing, the next ones follow (spec §12.3)"]
    behind = spec[max(at - 1, 0) : max(at - 1, 0) + len(there)]
    if at and len(behind) == len(there) and np.array_equal(there, behind):
        return [f"{label(at)}: the word before came a second time (spec §12.3)"]
    return []


def explain(
    spec: Words, dut: Words, stimulus: Words, variant: Variant, block: str, lanes: int = 3
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


def _scale_clause(spec: int, dut: int, variant: Variant) -> str:
    """The clause that decides the scale code of a finite block."""
    scale = variant.recipe.scale
    if spec == dut & (scale.magnitude_mask | scale.sign_mask):
        return "spec §2.3"  # a bit above the code's width is set
    if variant.recipe.prevent_zero and spec == 1:
        return "spec §8.3"
    if not scale.has_zero and spec in (0, scale.max_code):
        return "spec §8.7"
    return "spec §8.2" if spec == scale.max_code else SCALE_CLAUSES[variant.recipe.rule]


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
