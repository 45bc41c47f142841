"""Recipes: how scale and element codes are chosen, and the grammar of their names.

    [<element>.]<scale>-<rule>[-e<bits>][-sr<bits>][-pz][-h|-h256|-hbf16|-hp2]-b<block>

A recipe decides bits and computes nothing (spec §8, §9).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from emulator.blocks import TENSOR_SCALES, BlockFormat, check_block_size
from emulator.errors import NotAvailableError, UnknownNameError, near
from emulator.formats import E2M1, FORMATS, Format

FLOAT_RULES = ("absmax", "4o6", "4o6t", "3c", "6c", "search", "top2", "top3", "pop")
"""Rules for scale formats with a fraction and a zero."""

E8M0_RULES = ("floor", "ceil", "even", "fc")
"""Rules for scales that are powers of two."""

RULES = FLOAT_RULES + E8M0_RULES
ERROR_BITS_RULES = ("4o6", "3c", "6c")
ERROR_BITS = range(5, 17)
"""Widths of a selection's error datapath (spec §17.1)."""

TABLE_RULE = "4o6t"
"""The rule that sums table values (spec §17.6)."""

CHOOSING_RULES = ("4o6", "4o6t", "3c", "6c", "search", "fc")
"""Rules that compare the squared errors of several scale codes."""

VOTING_RULES = ("top2", "top3", "pop")
"""Rules that choose between two scale codes by votes of lanes, without errors (spec §18)."""

AVAILABLE_RULES = RULES

ALIASES = {"nvfp4": "ue4m3-absmax-h-b16", "mxfp4": "e8m0-floor-b32"}

_GRAMMAR = re.compile(
    r"(?:(?P<element>[a-z0-9]+)\.)?(?P<scale>[a-z0-9]+)-(?P<rule>[a-z0-9]+)"
    r"(?:-e(?P<error_bits>0|[1-9][0-9]*))?(?:-sr(?P<sr_bits>0|[1-9][0-9]*))?(?P<pz>-pz)?"
    r"(?:-(?P<tensor>h256|hbf16|hp2|h))?-b(?P<block>0|[1-9][0-9]*)"
)
GRAMMAR = "[<element>.]<scale>-<rule>[-e<bits>][-sr<bits>][-pz][-h|-h256|-hbf16|-hp2]-b<block>"


@dataclass(frozen=True)
class Recipe:
    """A choice of scale and element codes for each block of real numbers.

    Args:
        block_format: how the result is stored.
        rule: one of `RULES`.
        prevent_zero: whether scale code 0 is replaced by 1 (spec §8.3).
        error_bits: width of the selection's error datapath, or None for the exact one.
        sr_bits: random bits of stochastic element rounding, or None for ties to even.

    Raises:
        ValueError: if the parts make no sense together; the message says why.
    """

    block_format: BlockFormat
    rule: str
    prevent_zero: bool = False
    error_bits: int | None = None
    sr_bits: int | None = None

    def __post_init__(self) -> None:
        scale, rule, name = self.scale, self.rule, self.name
        for fmt in (self.element, scale):
            if FORMATS.get(fmt.name, fmt) != fmt:
                raise ValueError(f"{name}: another format than the known {fmt.name} has its name")
        if rule not in RULES:
            raise UnknownNameError(
                f"{name}: unknown rule {rule!r}{near(rule, RULES)} (known: {', '.join(RULES)})"
            )
        if scale.has_zero == (rule in E8M0_RULES):
            kind = "has a fraction and a zero" if scale.has_zero else "holds powers of two only"
            allowed = FLOAT_RULES if scale.has_zero else E8M0_RULES
            raise ValueError(
                f"{name}: rule {rule!r} does not fit scale format {scale.name}, which {kind} "
                f"(rules that do: {', '.join(allowed)})"
            )
        if self.prevent_zero and not scale.has_zero:
            raise ValueError(f"{name}: pz has no meaning for {scale.name}, which has no zero")
        if self.tensor_scale is not None and not scale.has_zero:
            raise ValueError(
                f"{name}: {scale.name} reaches every float32 binade and takes no tensor scale"
            )
        if self.tensor_scale == "h256" and scale.name != "ue4m3":
            raise ValueError(f"{name}: h256 is defined for ue4m3 scales only, not {scale.name}")
        if self.error_bits is not None and rule not in ERROR_BITS_RULES:
            raise ValueError(
                f"{name}: -e<bits> goes with {', '.join(ERROR_BITS_RULES)}, not with {rule!r}"
            )
        if self.error_bits is not None and self.error_bits not in ERROR_BITS:
            raise ValueError(
                f"{name}: -e{self.error_bits} is not a width from {ERROR_BITS[0]} to "
                f"{ERROR_BITS[-1]} (fewer bits choose worse than absmax on heavy tails)"
            )
        if rule == TABLE_RULE and self.tensor_scale not in (None, "hp2"):
            raise ValueError(
                f"{name}: {TABLE_RULE} goes with no tensor scale but hp2, as only powers of two "
                "leave its tables finite in number"
            )
        if self.sr_bits is not None and not 1 <= self.sr_bits <= 32:
            raise ValueError(f"{name}: -sr{self.sr_bits} is not a width from 1 to 32")

    @property
    def element(self) -> Format:
        """Format of the element codes."""
        return self.block_format.element

    @property
    def scale(self) -> Format:
        """Format of the scale code."""
        return self.block_format.scale

    @property
    def block_size(self) -> int:
        """Elements per block."""
        return self.block_format.block_size

    @property
    def tensor_scale(self) -> str | None:
        """Kind of tensor scale, or None."""
        return self.block_format.tensor_scale

    @property
    def limited(self) -> bool:
        """Whether the scale is selected with limited width (spec §17)."""
        return self.error_bits is not None or self.rule == TABLE_RULE

    @property
    def selection(self) -> str:
        """The name without its block size: what is the same for all block sizes."""
        parts = [self.scale.name, self.rule]
        if self.element != E2M1:
            parts[0] = f"{self.element.name}.{self.scale.name}"
        if self.error_bits is not None:
            parts.append(f"e{self.error_bits}")
        if self.sr_bits is not None:
            parts.append(f"sr{self.sr_bits}")
        if self.prevent_zero:
            parts.append("pz")
        if self.tensor_scale is not None:
            parts.append(self.tensor_scale)
        return "-".join(parts)

    @property
    def name(self) -> str:
        """Canonical name; `recipe(r.name) == r` for recipes over named formats."""
        return f"{self.selection}-b{self.block_size}"

    def __str__(self) -> str:
        return self.name

    def describe(self) -> dict[str, str | int | bool | None]:
        """The parts by name, as plain data."""
        return {
            "name": self.name,
            "element": self.element.name,
            "scale": self.scale.name,
            "rule": self.rule,
            "error_bits": self.error_bits,
            "sr_bits": self.sr_bits,
            "prevent_zero": self.prevent_zero,
            "tensor_scale": self.tensor_scale,
            "block_size": self.block_size,
        }

    @property
    def unavailable(self) -> str | None:
        """Why this version cannot compute the recipe, or None if it can."""
        if self.rule not in AVAILABLE_RULES:
            return f"rule {self.rule!r} is not available yet"
        if self.element != E2M1:
            return f"element format {self.element.name} is not available yet"
        return None

    def require_available(self) -> Recipe:
        """Return self, or raise NotAvailableError with the reason."""
        if self.unavailable is not None:
            raise NotAvailableError(
                f"{self.name}: {self.unavailable} (available rules: {', '.join(AVAILABLE_RULES)}; "
                "e2m1 elements)"
            )
        return self


def recipe(name: str) -> Recipe:
    """Parse a recipe name or alias.

    A recipe whose rule is not available yet parses; computing with it raises NotAvailableError.

    Raises:
        TypeError: if ``name`` is not a string.
        UnknownNameError: if the name does not fit the grammar or names an unknown format or rule.
        ValueError: if the parts make no sense together or the block size is out of range.
    """
    if not isinstance(name, str):
        raise TypeError(f"a recipe name is a string, not {type(name).__name__}")
    match = _GRAMMAR.fullmatch(ALIASES.get(name, name))
    if match is None:
        raise UnknownNameError(
            f"unknown recipe {name!r}{near(name, recipe_names())} (names are {GRAMMAR})"
        )
    try:
        block = check_block_size(int(match["block"]))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    for role in ("element", "scale"):
        if match[role] is not None and match[role] not in FORMATS:
            raise UnknownNameError(
                f"unknown recipe {name!r}: no {role} format {match[role]!r}"
                f"{near(name, recipe_names())}"
            )
    element = FORMATS[match["element"]] if match["element"] else E2M1
    return Recipe(
        BlockFormat(element, FORMATS[match["scale"]], block, match["tensor"]),
        match["rule"],
        prevent_zero=match["pz"] is not None,
        error_bits=int(match["error_bits"]) if match["error_bits"] else None,
        sr_bits=int(match["sr_bits"]) if match["sr_bits"] else None,
    )


BLOCK_SIZES = (4, 8, 16, 32)
"""Block sizes of the named recipes; every power of two from 2 to 256 can be asked for."""

SELECTIONS = (
    "ue4m3-absmax",
    "ue4m3-absmax-pz",
    "ue5m3-absmax",
    "ue5m3-absmax-pz",
    "e8m0-floor",
    "e8m0-ceil",
    "e8m0-even",
)
"""Recipes, without their block sizes, whose scale code is a function of the block's amax alone."""

CHOOSING_SELECTIONS = (
    *(
        f"{scale}-{rule}{pz}"
        for scale in ("ue4m3", "ue5m3")
        for rule in ("4o6", "3c", "6c", "search")
        for pz in ("", "-pz")
    ),
    "e8m0-fc",
)
"""Recipes that choose among scale codes by the squared error of the block (spec §15)."""

LIMITED_SELECTIONS = tuple(
    f"{scale}-{rule}{pz}"
    for scale in ("ue4m3", "ue5m3")
    for rule in ("4o6-e6", "3c-e6", "6c-e7", "4o6t")
    for pz in ("", "-pz")
)
"""Recipes that choose with limited width (spec §17); other widths can be asked for."""

VOTING_SELECTIONS = tuple(
    f"{scale}-{rule}{pz}"
    for scale in ("ue4m3", "ue5m3")
    for rule in VOTING_RULES
    for pz in ("", "-pz")
)
"""Recipes that choose between two scale codes by votes (spec §18)."""

STOCHASTIC_SELECTIONS = (
    "ue4m3-absmax-sr4",
    "ue5m3-absmax-sr8",
    "ue5m3-4o6-sr4-pz",
    "e8m0-floor-sr8",
    "ue4m3-absmax-sr8-h",
)
"""Some recipes with stochastic rounding; each other recipe has it with any width (spec §19)."""

SCALED_SELECTIONS = tuple(
    f"{selection}-{kind}"
    for selection in (*SELECTIONS[:4], *CHOOSING_SELECTIONS[:-1], *VOTING_SELECTIONS)
    for kind in TENSOR_SCALES
    if kind != "h256" or selection.startswith("ue4m3")
)
"""Recipes with a tensor scale (spec §14)."""

ALL_SELECTIONS = (
    *SELECTIONS,
    *CHOOSING_SELECTIONS,
    *LIMITED_SELECTIONS,
    *VOTING_SELECTIONS,
    *SCALED_SELECTIONS,
    *STOCHASTIC_SELECTIONS,
)
"""Recipes with a name of their own in lists and tests, without their block sizes; of those with
stochastic rounding only some."""


def recipe_names() -> list[str]:
    """Names of the available recipes at the usual block sizes, then the aliases."""
    return [f"{s}-b{b}" for s in ALL_SELECTIONS for b in BLOCK_SIZES] + list(ALIASES)


assert all(kind in _GRAMMAR.pattern for kind in TENSOR_SCALES)
