"""Judges observed words against required ones and explains the first differences.

It computes no expected value: the required words are handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from cocotb_tests.subjects import subject
from emulator.errors import MismatchError
from emulator.layout import Words
from rtl.variant import Device

EXPLAINED = 5
"""Number of differing blocks that are explained."""


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
    variant: Device,
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
        problems.append(f"{len(dut) - len(spec)} words more than the {len(spec)} due (spec §12.3)")
    if count == 0:
        problems.append("no word was compared (spec §13.2)")
    slip = _slip(spec, dut, int(wrong[0]), label) if len(wrong) else []
    problems += slip
    about = subject(variant)
    lines: list[str] = []
    # After a lost or repeated word all others differ too; one of them says enough.
    for block in wrong[: 1 if slip else EXPLAINED]:
        lines += about.explain(spec[block], dut[block], stimulus[block], label(int(block)))
    return Verdict(source or variant.name, count, len(wrong), problems, lines)


def _check_shapes(spec: Words, dut: Words, stimulus: Words, variant: Device) -> None:
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
