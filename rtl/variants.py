"""The names of all hardware variants: `variant` finds the unit of a name."""

from __future__ import annotations

from emulator.errors import UnknownNameError, near
from rtl.codec_variant import DecodeVariant, EncodeVariant
from rtl.dequantizer_variant import DequantizerVariant
from rtl.dot_variant import DotVariant
from rtl.limited_variant import LimitedVariant
from rtl.peer_variant import PeerVariant
from rtl.quantizer_variant import CUTS, INPUTS, QuantizerVariant
from rtl.random_select_variant import RandomSelectVariant
from rtl.random_variant import RandomVariant
from rtl.select_variant import SelectVariant
from rtl.tensor_variant import TensorVariant
from rtl.variant import Variant
from rtl.vote_variant import VoteVariant

UNITS: dict[str, type[Variant]] = {
    v.unit: v
    for v in (
        QuantizerVariant,
        TensorVariant,
        EncodeVariant,
        DecodeVariant,
        DequantizerVariant,
        DotVariant,
    )
}
"""Class of the variants of each unit, by the first word of their names."""

GROUPS: dict[str, type[Variant]] = {
    **UNITS,
    "select": SelectVariant,
    "limited": LimitedVariant,
    "votes": VoteVariant,
    "random": RandomVariant,
    "random-select": RandomSelectVariant,
    "peer": PeerVariant,
}
"""Classes whose defaults are listed and compared together: units, then quantizers by rule.

Exact selection, selection with limited width, by votes, stochastic rounding, stochastic rounding of
selections, quantizers of peers.
"""

__all__ = [
    "CUTS",
    "GROUPS",
    "INPUTS",
    "UNITS",
    "DecodeVariant",
    "DequantizerVariant",
    "DotVariant",
    "EncodeVariant",
    "PeerVariant",
    "QuantizerVariant",
    "TensorVariant",
    "Variant",
    "default_variants",
    "quantizer",
    "variant",
]


def variant(name: str) -> Variant:
    """Parse a variant name.

    Raises:
        UnknownNameError: if it does not fit a grammar; the message lists near names.
        ValueError, NotAvailableError: if a part is out of its range.
    """
    unit = PeerVariant if name.startswith("quantizer-peer-") else UNITS.get(name.partition("-")[0])
    found = None if unit is None else unit.parse(name)
    if found is None:
        known = [v.name for v in default_variants()]
        grammars = [unit] if unit is not None else [*UNITS.values(), PeerVariant]
        raise UnknownNameError(
            f"unknown variant {name!r}{near(name, known)} "
            f"(names are {', '.join(g.grammar for g in grammars)})"
        )
    return found


def quantizer(name: str) -> QuantizerVariant:
    """Parse the name of a quantizer; else as `variant`."""
    found = variant(name)
    if not isinstance(found, QuantizerVariant):
        raise UnknownNameError(f"{name} is not the name of a quantizer")
    return found


def default_variants() -> list[Variant]:
    """The variants that lists show, group by group."""
    return [v for group in GROUPS.values() for v in group.defaults()]
