"""Numbers on the command line, read without rounding."""

from __future__ import annotations

import re
from fractions import Fraction

_HEX = re.compile(
    r"(?P<sign>[+-]?)0x(?P<whole>[0-9a-f]*)(?:\.(?P<part>[0-9a-f]*))?(?:p(?P<power>[+-]?[0-9]+))?",
    re.IGNORECASE,
)
_BITS = re.compile(r"fp32:[0-9a-f]{8}", re.IGNORECASE)
_MOST = 5000
"""Exponents beyond this are no numbers of any format, and would take memory to hold."""


def float32_number(text: str, option: str) -> float:
    """Return the number in a text, which has to be a float32 exactly.

    Args:
        text: a decimal (0.25, 1e-3), a hexadecimal float (0x1.8p-3), or the bits of a float32
            (fp32:3f800000).
        option: what the text was given for, to be named in errors.

    Raises:
        ValueError: if the text is no finite number, or no float32; the nearest one is named.
    """
    if _BITS.fullmatch(text):
        return _of_bits(int(text[5:], 16), text, option)
    found = _fraction(text)
    if found is None:
        raise ValueError(
            f"{option} {text!r} is not a finite decimal (0.25), hexadecimal float (0x1.8p-3) or "
            "pattern of a float32 (fp32:3f800000)"
        )
    near = _nearest(found)
    if Fraction(near) != found:
        raise ValueError(
            f"{option} {text} is not a float32 (spec §14.6); the nearest is {near.hex()}"
        )
    return near


def _nearest(x: Fraction) -> float:
    """The finite float32 nearest to a number."""
    from emulator.formats import FP32
    from emulator.reference import round_magnitude

    magnitude = float(FP32.value(min(round_magnitude(abs(x), FP32), FP32.max_code)))
    return -magnitude if x < 0 else magnitude


def _of_bits(bits: int, text: str, option: str) -> float:
    from emulator.formats import FP32

    if not FP32.is_finite(bits):
        raise ValueError(f"{option} {text} is not finite (spec §14.6)")
    return float(FP32.value(bits))


def _fraction(text: str) -> Fraction | None:
    """The exact number of a decimal or hexadecimal text, or None."""
    match = _HEX.fullmatch(text)
    if match is None:
        exponent = re.search(r"e([+-]?[0-9]+)$", text, re.IGNORECASE)
        if "/" in text or (exponent and abs(int(exponent[1])) > _MOST):
            return None
        try:
            return Fraction(text)
        except ValueError:
            return None
    digits, part = match["whole"] + (match["part"] or ""), match["part"] or ""
    power = int(match["power"] or 0)
    if not digits or abs(power) > _MOST:
        return None
    magnitude = int(digits, 16) * Fraction(2) ** (power - 4 * len(part))
    return -magnitude if match["sign"] == "-" else magnitude
