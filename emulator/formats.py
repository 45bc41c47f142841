"""Number formats as data: a finite set of values and their codes (spec §2).

A :class:`Format` holds field widths, a bias and a few special codes; everything else is derived.
Nothing here rounds: see `emulator.reference` and `emulator.kernels` for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from types import MappingProxyType

from emulator.errors import UnknownNameError, near


@dataclass(frozen=True)
class Format:
    """A binary floating-point format with at most one sign bit (spec §2.1).

    A code is ``sign | exponent | fraction`` from the top bit down. The *magnitude code* is the
    code without its sign bit. The value of a finite code is ``(-1)**sign * c * 2**q`` with
    integers c and q.

    Args:
        name: lower-case name, as used in recipe and variant names.
        exponent_bits: width of the exponent field, 1 to 8.
        fraction_bits: width of the fraction field, 0 to 23.
        bias: a normal code has the exponent ``field - bias``.
        max_code: the largest finite magnitude code; codes above it are special.
        signed: whether a sign bit stands above the exponent field.
        nan_code: the magnitude code written for NaN, or None if the format has no NaN.
        inf_code: the magnitude code of infinity, or None if the format has none.
        has_zero: True if exponent field 0 holds zero and the subnormals; False if it is a binade
            like the others (E8M0).
        storage_bits: bits that a stored code takes; the width of the code unless it is wider.

    Raises:
        TypeError: if a field is not of its type.
        ValueError: if the fields contradict each other.
    """

    name: str
    exponent_bits: int
    fraction_bits: int
    bias: int
    max_code: int
    signed: bool = False
    nan_code: int | None = None
    inf_code: int | None = None
    has_zero: bool = True
    storage_bits: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"name is {self.name!r}, not a string")
        for field in ("exponent_bits", "fraction_bits", "bias", "max_code", "storage_bits"):
            if type(getattr(self, field)) is not int:
                raise TypeError(f"{self.name}: {field} is {getattr(self, field)!r}, not an integer")
        for field in ("nan_code", "inf_code"):
            if not isinstance(getattr(self, field), int | None):
                raise TypeError(f"{self.name}: {field} is {getattr(self, field)!r}, not a code")
        for field in ("signed", "has_zero"):
            if not isinstance(getattr(self, field), bool):
                raise TypeError(f"{self.name}: {field} is {getattr(self, field)!r}, not a bool")
        if not 1 <= self.exponent_bits <= 8:
            raise ValueError(f"{self.name}: exponent_bits is {self.exponent_bits}, not 1 to 8")
        if not 0 <= self.fraction_bits <= 23:
            raise ValueError(f"{self.name}: fraction_bits is {self.fraction_bits}, not 0 to 23")
        if not 0 < self.max_code <= self.magnitude_mask:
            raise ValueError(
                f"{self.name}: max_code {self.max_code:#x} is not a code of "
                f"{self.magnitude_bits} magnitude bits above 0"
            )
        for what, code in (("nan_code", self.nan_code), ("inf_code", self.inf_code)):
            if code is not None and not self.max_code < code <= self.magnitude_mask:
                raise ValueError(f"{self.name}: {what} {code:#x} is not above max_code")
        if self.inf_code is not None and self.inf_code != self.max_code + 1:
            raise ValueError(f"{self.name}: inf_code {self.inf_code:#x} does not follow max_code")
        if self.storage_bits == 0:
            object.__setattr__(self, "storage_bits", self.width)
        if self.storage_bits < self.width:
            raise ValueError(f"{self.name}: storage_bits {self.storage_bits} < width {self.width}")

    @property
    def magnitude_bits(self) -> int:
        """Width of exponent and fraction field together."""
        return self.exponent_bits + self.fraction_bits

    @property
    def width(self) -> int:
        """Width of the code in bits, sign included."""
        return self.magnitude_bits + self.signed

    @property
    def magnitude_mask(self) -> int:
        """The mask of the magnitude bits of a code."""
        return (1 << self.magnitude_bits) - 1

    @property
    def sign_mask(self) -> int:
        """The mask of the sign bit of a code; 0 if the format is unsigned."""
        return (1 << self.magnitude_bits) if self.signed else 0

    @property
    def precision(self) -> int:
        """Bits of the significand, hidden bit included."""
        return self.fraction_bits + 1

    @property
    def min_quantum(self) -> int:
        """Exponent q of the smallest spacing between values: that of exponent field 0."""
        return (1 if self.has_zero else 0) - self.bias - self.fraction_bits

    def parts(self, code: int) -> tuple[int, int, int]:
        """Return ``(sign, c, q)`` of a finite code: its value is ``(-1)**sign * c * 2**q``.

        Bits above the code's width are ignored (spec §2.6).

        Raises:
            ValueError: if the code is not finite.
        """
        magnitude = code & self.magnitude_mask
        if magnitude > self.max_code:
            raise ValueError(f"{self.name}: code {code:#x} is not finite")
        field = magnitude >> self.fraction_bits
        fraction = magnitude & ((1 << self.fraction_bits) - 1)
        hidden = 0 if self.has_zero and field == 0 else 1
        exponent = 1 if self.has_zero and field == 0 else field
        c = (hidden << self.fraction_bits) | fraction
        return int(bool(code & self.sign_mask)), c, exponent - self.bias - self.fraction_bits

    def value(self, code: int) -> Fraction:
        """Return the exact value of a finite code (the sign of -0 is lost in a Fraction)."""
        sign, c, q = self.parts(code)
        signed = -c if sign else c
        return Fraction(signed << q) if q >= 0 else Fraction(signed, 1 << -q)

    def is_finite(self, code: int) -> bool:
        """Whether the code stands for a real number."""
        return code & self.magnitude_mask <= self.max_code

    def is_inf(self, code: int) -> bool:
        """Whether the code stands for an infinity."""
        return self.inf_code is not None and code & self.magnitude_mask == self.inf_code

    def is_nan(self, code: int) -> bool:
        """Whether the code stands for NaN: every code that is neither finite nor infinite."""
        return not self.is_finite(code) and not self.is_inf(code)

    @cached_property
    def max(self) -> Fraction:
        """The largest finite value."""
        return self.value(self.max_code)

    @cached_property
    def min_positive(self) -> Fraction:
        """The smallest value above zero."""
        return self.value(1 if self.has_zero else 0)

    @property
    def bits(self) -> str:
        """Field widths as ``sign/exponent/fraction``."""
        return f"{int(self.signed)}/{self.exponent_bits}/{self.fraction_bits}"


def _ieee(name: str, exponent_bits: int, fraction_bits: int) -> Format:
    """A signed IEEE 754 style format: the top exponent field holds infinity and NaN."""
    inf = ((1 << exponent_bits) - 1) << fraction_bits
    return Format(
        name,
        exponent_bits,
        fraction_bits,
        bias=(1 << (exponent_bits - 1)) - 1,
        max_code=inf - 1,
        signed=True,
        nan_code=inf | (1 << (fraction_bits - 1)),
        inf_code=inf,
    )


def _all_finite(name: str, exponent_bits: int, fraction_bits: int) -> Format:
    """A signed format without infinity and NaN."""
    return Format(
        name,
        exponent_bits,
        fraction_bits,
        bias=(1 << (exponent_bits - 1)) - 1,
        max_code=(1 << (exponent_bits + fraction_bits)) - 1,
        signed=True,
    )


E2M1 = _all_finite("e2m1", 2, 1)
E1M2 = Format("e1m2", 1, 2, bias=1, max_code=0x7, signed=True)
E3M0 = _all_finite("e3m0", 3, 0)
E2M3 = _all_finite("e2m3", 2, 3)
E3M2 = _all_finite("e3m2", 3, 2)
E4M3 = Format("e4m3", 4, 3, bias=7, max_code=0x7E, signed=True, nan_code=0x7F)
E5M2 = _ieee("e5m2", 5, 2)
UE4M3 = Format("ue4m3", 4, 3, bias=7, max_code=0x7E, nan_code=0x7F, storage_bits=8)
UE5M3 = Format("ue5m3", 5, 3, bias=15, max_code=0xFE, nan_code=0xFF)
E8M0 = Format("e8m0", 8, 0, bias=127, max_code=0xFE, nan_code=0xFF, has_zero=False)
FP16 = _ieee("fp16", 5, 10)
BF16 = _ieee("bf16", 8, 7)
FP32 = _ieee("fp32", 8, 23)

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        f.name: f
        for f in (E2M1, UE4M3, UE5M3, E8M0, E1M2, E3M0, E2M3, E3M2, E4M3, E5M2, FP16, BF16, FP32)
    }
)
"""All named formats, by name."""


def format_named(name: str) -> Format:
    """Return the format of that name.

    Raises:
        UnknownNameError: if there is none; the message lists near names.
    """
    try:
        return FORMATS[name]
    except KeyError:
        raise UnknownNameError(
            f"unknown format {name!r}{near(name, FORMATS)} (known: {', '.join(FORMATS)})"
        ) from None
