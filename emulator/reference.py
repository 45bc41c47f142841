"""The meaning of the specification: exact, slow, in integers and fractions only.

Each function follows the clauses it cites and nothing else; it exists to be read beside
`docs/spec.md`. Floats enter and leave as bit patterns, so that no float is ever computed with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from emulator.formats import BF16, FP32, Format
from emulator.recipes import VOTING_RULES, Recipe
from emulator.reference_random import check_seed, draws, stochastic_value
from emulator.reference_votes import voted


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


ONE = Fraction(1)

CANDIDATES = {
    "absmax": ((6, 0),),
    "4o6": ((6, 0), (4, 0)),
    "4o6t": ((6, 0), (4, 0)),
    "3c": ((6, 0), (6, -1), (4, 0)),
    "6c": ((6, 0), (6, -1), (6, 1), (4, 0), (4, -1), (4, 1)),
}
CANDIDATES |= dict.fromkeys(VOTING_RULES, CANDIDATES["4o6"])  # spec §18
"""Divisor of amax and offset of the code of each candidate, in order (spec §8.1, §15.1)."""


def candidate_codes(amax: Fraction, recipe: Recipe, g: Fraction = ONE) -> list[int]:
    """Scale codes that the rule considers for a block of that amax (spec §8, §15.1)."""
    fmt = recipe.scale
    if recipe.rule == "search":
        codes = list(range(1, fmt.max_code + 1)) if amax else [0]  # spec §15.5
    elif recipe.rule in CANDIDATES:
        codes = [
            min(round_magnitude(amax / (divisor * g), fmt), fmt.max_code) + offset
            for divisor, offset in CANDIDATES[recipe.rule]
        ]
    elif amax == 0:
        codes = [0]  # spec §8.7
    else:
        rules = ("floor", "ceil") if recipe.rule == "fc" else (recipe.rule,)  # spec §15.6
        exponents = {"floor": _floor, "ceil": _ceil, "even": _even}
        codes = [fmt.bias + exponents[rule](amax) for rule in rules]
    codes = [min(max(code, 0), fmt.max_code) for code in codes]  # spec §8.2, §8.7
    return [max(code, 1) for code in codes] if recipe.prevent_zero else codes  # spec §8.3


def squared_error(
    magnitudes: Sequence[Fraction], code: int, recipe: Recipe, g: Fraction = ONE
) -> Fraction:
    """Sum of the squared distances of a block to what a scale code makes of it (spec §15.2)."""
    scale = recipe.scale.value(code) * g
    total = Fraction(0)
    for x in magnitudes:
        value = recipe.element.value(_element_magnitude(x, scale, recipe.element)) * scale
        total += (x - value) ** 2
    return total


def scale_code(amax: Fraction, recipe: Recipe, g: Fraction = ONE) -> int:
    """Scale code of a block of that amax, under a rule with one candidate (spec §8)."""
    (code,) = candidate_codes(amax, recipe, g)
    return code


def chosen_code(magnitudes: Sequence[Fraction], recipe: Recipe, g: Fraction = ONE) -> int:
    """Scale code of a block without NaN and infinity (spec §8, §15.3, §17)."""
    if recipe.limited:
        from emulator import reference_width  # it is built on this module

        return reference_width.chosen_code(magnitudes, recipe, g)
    codes = candidate_codes(max(magnitudes), recipe, g)  # spec §7.1
    if len(codes) == 1:
        return codes[0]
    if recipe.rule in VOTING_RULES:
        return voted(magnitudes, codes, recipe, g)
    return _first_smallest(magnitudes, codes, recipe, g)


def _first_smallest(
    magnitudes: Sequence[Fraction], codes: Sequence[int], recipe: Recipe, g: Fraction
) -> int:
    """The first of the codes with the smallest squared error (spec §15.3).

    All are tried, those first that bring 6 * s * g near amax: a sum of squares that is beyond the
    smallest so far after some lanes, the largest first, stays beyond it.
    """
    lanes = sorted(magnitudes, reverse=True)
    distance = [abs(6 * recipe.scale.value(code) * g - lanes[0]) for code in codes]
    best: tuple[Fraction, int] | None = None
    for place in sorted(range(len(codes)), key=distance.__getitem__):
        for count in (1, len(lanes)):
            error = squared_error(lanes[:count], codes[place], recipe, g)
            if best is not None and error > best[0]:
                break
        else:
            best = (error, place) if best is None else min(best, (error, place))
    assert best is not None
    return codes[best[1]]


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


def tensor_scale(bits: Iterable[int], x_format: Format, recipe: Recipe) -> Fraction:
    """Tensor scale of all elements of a tensor, given as float patterns (spec §14.1 to §14.5)."""
    amax = max((abs(x_format.value(b)) for b in bits if x_format.is_finite(b)), default=Fraction(0))
    if amax == 0 or recipe.tensor_scale is None:
        return ONE
    limit = Fraction(256) if recipe.tensor_scale == "h256" else recipe.scale.max
    exact = amax / (6 * limit)
    smallest = Fraction(1, 1 << 126)
    if recipe.tensor_scale == "hp2":
        exponent = floor_log2(exact)
        power = Fraction(2) ** exponent
        return max(power if power == exact else 2 * power, smallest)
    fmt = BF16 if recipe.tensor_scale == "hbf16" else FP32
    return max(fmt.value(round_magnitude(exact, fmt)), smallest)


def quantize_block(
    bits: Sequence[int],
    x_format: Format,
    recipe: Recipe,
    g: Fraction = ONE,
    seed: int | None = None,
    number: int = 0,
) -> tuple[int, list[int]]:
    """Scale code and element codes of one block, given as float patterns (spec §6 to §9, §15).

    A block shorter than the recipe's block size is padded with +0 (spec §5.2); only the codes of
    the given elements are returned. ``g`` is the tensor scale, if there is one (spec §14.7).
    Recipes with stochastic rounding need a seed and the number of the block (spec §19).

    Raises:
        NotAvailableError: if the recipe cannot be computed yet.
        TypeError, ValueError: for a seed that spec §19.7 refuses.
        ValueError: if there are no elements or more than the block size.
    """
    recipe.require_available()
    check_seed(seed, recipe)
    if not 1 <= len(bits) <= recipe.block_size:
        raise ValueError(f"{len(bits)} elements do not make a block of {recipe.block_size}")
    if any(x_format.is_nan(b) for b in bits):
        assert recipe.scale.nan_code is not None
        return recipe.scale.nan_code, [0] * len(bits)  # spec §6.1
    if any(x_format.is_inf(b) for b in bits):
        code = recipe.scale.max_code  # spec §6.2
    else:
        code = chosen_code([abs(x_format.value(b)) for b in bits], recipe, g)
    scale = recipe.scale.value(code) * g
    codes = [_element(b, x_format, scale, recipe.element) for b in bits]
    if recipe.sr_bits is not None and seed is not None:
        element, k = recipe.element, recipe.sr_bits
        for i, r in enumerate(draws(seed, number, len(bits), k)):
            if x_format.is_finite(bits[i]):  # spec §19.2
                x = abs(x_format.value(bits[i]))
                magnitude = round_magnitude(stochastic_value(x, scale, r, k, element), element)
                codes[i] = codes[i] & element.sign_mask | magnitude
    return code, codes


def _element(x_bits: int, x_format: Format, scale: Fraction, element: Format) -> int:
    """Element code of one float under a scale (spec §9, §6.2)."""
    sign = element.sign_mask if x_bits & x_format.sign_mask else 0  # spec §9.2
    if x_format.is_inf(x_bits):
        return sign | element.max_code  # spec §6.2
    return sign | _element_magnitude(abs(x_format.value(x_bits)), scale, element)


def _element_magnitude(x: Fraction, scale: Fraction, element: Format) -> int:
    """Magnitude code of x >= 0 under a scale (spec §9.1, §9.3)."""
    return min(round_magnitude(x / scale, element), element.max_code) if scale else 0


def dequantize_block(
    scale: int, codes: Sequence[int], recipe: Recipe, output: Format = FP32, g: Fraction = ONE
) -> list[int]:
    """Patterns in ``output`` of the elements of one block (spec §10, §14.7)."""
    if recipe.scale.is_nan(scale):
        assert output.nan_code is not None
        return [output.nan_code] * len(codes)  # spec §10.2
    s = recipe.scale.value(scale) * g
    return [
        (output.sign_mask if code & recipe.element.sign_mask else 0)
        | _round_ieee(abs(recipe.element.value(code)) * s, output)
        for code in codes
    ]
