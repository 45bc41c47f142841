"""Runs the `integers`, `error` and `table` lines of the specification (spec §17)."""

from __future__ import annotations

from fractions import Fraction

from emulator import reference, reference_width
from emulator.formats import FP32
from emulator.recipes import TABLE_RULE, Recipe, recipe
from tests.spec_examples import Example, floats


def _block(e: Example) -> tuple[Recipe, list[Fraction], Fraction]:
    """The recipe, the magnitudes and the tensor scale of a line."""
    given, *options = e.left.split()
    x_format, bits = floats(given)
    g = FP32.value(int(options[0].removeprefix("g="), 16)) if options else reference.ONE
    return recipe(e.subject), [abs(x_format.value(b)) for b in bits], g


def run_integers(e: Example) -> tuple[str, str]:
    """Lanes, then scales of the candidates, or cells under rule 4o6t; and what the line says."""
    r, magnitudes, g = _block(e)
    lanes, unit = reference_width.seen(magnitudes, r.error_bits or reference_width.TABLE_WIDTH)
    if r.rule == TABLE_RULE:
        second = [reference_width.cell(x) for x in lanes]
    else:
        codes = reference.candidate_codes(max(magnitudes), r, g)
        second = [reference_width.scale_seen(code, unit, r, g) for code in codes]
    return " | ".join(" ".join(map(str, part)) for part in (lanes, second)), e.right


def run_error(e: Example) -> tuple[str, str]:
    """Errors of the candidates, and what the line says."""
    r, magnitudes, g = _block(e)
    assert r.error_bits is not None
    lanes, unit = reference_width.seen(magnitudes, r.error_bits)
    codes = reference.candidate_codes(max(magnitudes), r, g)
    errors = [reference_width.integer_error(lanes, unit, code, r, g) for code in codes]
    return " ".join(map(str, errors)), e.right


def run_table(e: Example) -> tuple[str, str]:
    """Table values for two scale codes and an exponent of amax, and what the line says."""
    r = recipe(e.subject)
    six, four, exponent = e.left.split()
    unit = Fraction(2) ** (int(exponent) + 1 - reference_width.TABLE_WIDTH)
    scales = (r.scale.value(int(code, 16)) / unit for code in (six, four))
    values = reference_width.table_values(*scales, r.element)
    return " ".join(map(str, values)), e.right
