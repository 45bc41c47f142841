"""The meaning of the specification: exact, slow, in integers and fractions only.

Each function follows the clauses it cites and nothing else; it exists to be read beside
`docs/spec.md`. Floats enter and leave as bit patterns, so that no float is ever computed with.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from emulator.formats import FP32, Format
from emulator.recipes import Recipe


def floor_log2(x: Fraction) -> int:
    """The largest integer e with 2**e <= x, for x > 0."""
    e = x.numerator.bit_length() - x.denominator.bit_length()
    whole, part = _shifted(x, -e)
    return e if whole >= part else e - 1


def _shifted(x: Fraction, by: int) -> tuple[int, int]:
    """Numerator and denominator of x * 2**by, not reduced."""
    if by >= 0:
        return x.numerator << by, x.denominator
    return x.numerator, x.denominator << -by


def round_magnitude(x: Fraction, fmt: Format) -> int:
    """Magnitude code of x >= 0, nearest with ties to the even code, range not limited (spec §3.1).

    Codes above ``fmt.max_code`` continue the format as if it had more exponents.
    """
    lowest = (1 if fmt.has_zero else 0) - fmt.bias  # exponent of the lowest binade
    exponent = floor_log2(x) if x else lowest - 1
    if exponent < lowest:
        if not fmt.has_zero:
            return 0  # spec §3.7
        exponent = lowest
    count, unit = _shifted(x, fmt.fraction_bits - exponent)  # x in quanta is count / unit
    quanta, rest = divmod(count, unit)
    # `quanta` counts from 0, so the code of the binade's start is field * 2**f minus the 2**f
    # quanta that its hidden bit stands for.
    field = exponent + fmt.bias
    lower = ((field - 1) << fmt.fraction_bits) + quanta
    if 2 * rest > unit or (2 * rest == unit and lower % 2 == 1):
        return lower + 1
    return lower


def encode(
    x_bits: int, x_format: Format, fmt: Format, overflow: str = "saturate", nan: str = "error"
) -> int:
    """Code in ``fmt`` of the float with the pattern ``x_bits`` of ``x_format`` (spec §3).

    Raises:
        ValueError: for a NaN that ``fmt`` cannot hold (spec §3.4), or ``overflow="ieee"`` for a
            format without infinity (spec §3.3).
    """
    if overflow == "ieee" and fmt.inf_code is None:
        raise ValueError(f"{fmt.name} has no infinity: overflow='ieee' needs one (spec §3.3)")
    negative = bool(x_bits & x_format.sign_mask)
    sign = fmt.sign_mask if negative else 0
    if x_format.is_nan(x_bits):
        if fmt.nan_code is not None:
            return sign | fmt.nan_code  # spec §3.4, §3.5
        if nan == "zero":
            return 0
        raise ValueError(f"NaN has no code in {fmt.name} (spec §3.4)")
    if negative and not fmt.signed:
        return 0  # spec §3.6
    if x_format.is_inf(x_bits):
        code = fmt.max_code + 1
    else:
        code = round_magnitude(abs(x_format.value(x_bits)), fmt)
    if code > fmt.max_code:  # spec §3.2, §3.3
        code = fmt.inf_code if overflow == "ieee" and fmt.inf_code is not None else fmt.max_code
    return sign | code


def decode(code: int, fmt: Format, output: Format = FP32) -> int:
    """Pattern in ``output`` of the value of a code (spec §2)."""
    sign = output.sign_mask if code & fmt.sign_mask else 0
    if fmt.is_nan(code):
        assert output.nan_code is not None
        return sign | output.nan_code
    if fmt.is_inf(code):
        assert output.inf_code is not None
        return sign | output.inf_code
    return _round_ieee(abs(fmt.value(code)), output) | sign


def _round_ieee(magnitude: Fraction, output: Format) -> int:
    """Round once to an IEEE format, overflow to infinity (spec §10.1, §10.3)."""
    assert output.inf_code is not None
    return min(round_magnitude(magnitude, output), output.inf_code)


def scale_code(amax: Fraction, recipe: Recipe) -> int:
    """Scale code of a block without NaN and infinity from its amax (spec §8)."""
    fmt = recipe.scale
    if recipe.rule == "absmax":
        code = round_magnitude(amax / 6, fmt)  # spec §8.1
    elif amax == 0:
        code = 0  # spec §8.7
    else:
        code = fmt.bias + {"floor": _floor, "ceil": _ceil, "even": _even}[recipe.rule](amax)
    code = min(max(code, 0), fmt.max_code)  # spec §8.2, §8.7
    return max(code, 1) if recipe.prevent_zero else code  # spec §8.3


def _floor(amax: Fraction) -> int:
    """Exponent of the floor rule (spec §8.4)."""
    return floor_log2(amax) - 2


def _ceil(amax: Fraction) -> int:
    """Smallest k with amax / 2**k <= 6 (spec §8.5)."""
    k = floor_log2(amax / 6)
    return k if amax == 6 * Fraction(2) ** k else k + 1


def _even(amax: Fraction) -> int:
    """The k with amax / 2**k in [3.5, 7) (spec §8.6)."""
    return floor_log2(amax * 2 / 7)


def quantize_block(bits: Sequence[int], x_format: Format, recipe: Recipe) -> tuple[int, list[int]]:
    """Scale code and element codes of one block, given as float patterns (spec §6 to §9).

    A block shorter than the recipe's block size is padded with +0 (spec §5.2); only the codes of
    the given elements are returned.

    Raises:
        NotAvailableError: if the recipe cannot be computed yet.
        ValueError: if there are no elements or more than the block size.
    """
    recipe.require_available()
    if not 1 <= len(bits) <= recipe.block_size:
        raise ValueError(f"{len(bits)} elements do not make a block of {recipe.block_size}")
    if any(x_format.is_nan(b) for b in bits):
        assert recipe.scale.nan_code is not None
        return recipe.scale.nan_code, [0] * len(bits)  # spec §6.1
    if any(x_format.is_inf(b) for b in bits):
        code = recipe.scale.max_code  # spec §6.2
    else:
        amax = max(abs(x_format.value(b)) for b in bits)  # spec §7.1
        code = scale_code(amax, recipe)
    return code, [_element(b, x_format, code, recipe) for b in bits]


def _element(x_bits: int, x_format: Format, code: int, recipe: Recipe) -> int:
    """Element code of one float under a finite scale code (spec §9, §6.2)."""
    element, scale = recipe.element, recipe.scale.value(code)
    sign = element.sign_mask if x_bits & x_format.sign_mask else 0  # spec §9.2
    if x_format.is_inf(x_bits):
        return sign | element.max_code  # spec §6.2
    if scale == 0:
        return sign  # spec §9.3
    magnitude = round_magnitude(abs(x_format.value(x_bits)) / scale, element)  # spec §9.1
    return sign | min(magnitude, element.max_code)


def dequantize_block(
    scale: int, codes: Sequence[int], recipe: Recipe, output: Format = FP32
) -> list[int]:
    """Patterns in ``output`` of the elements of one block (spec §10)."""
    if recipe.scale.is_nan(scale):
        assert output.nan_code is not None
        return [output.nan_code] * len(codes)  # spec §10.2
    s = recipe.scale.value(scale)
    return [
        (output.sign_mask if code & recipe.element.sign_mask else 0)
        | _round_ieee(abs(recipe.element.value(code)) * s, output)
        for code in codes
    ]
