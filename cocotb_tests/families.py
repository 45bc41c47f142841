"""One small variant of every kind of unit, and how a kind that is missing here is found.

What has to hold of every unit (golden vectors, a second simulator, other interfaces) is tested on
these. A new unit is one line in `FAMILIES`; a test names those that are missing.
"""

from __future__ import annotations

from collections.abc import Iterator

from emulator.blocks import TENSOR_SCALES
from emulator.errors import FinescaleError
from emulator.recipes import ALL_SELECTIONS, LIMITED_SELECTIONS
from rtl.variant import Variant
from rtl.variants import UNITS, variant

FAMILIES = (
    "quantizer-e8m0-floor-b4-bf16",
    "quantizer-ue4m3-absmax-b4-bf16",
    "quantizer-ue5m3-absmax-b4-bf16",
    "quantizer-ue4m3-absmax-h-b2-bf16",
    "quantizer-ue4m3-absmax-hbf16-b2-bf16",
    "quantizer-ue5m3-absmax-hp2-b2-bf16",
    "quantizer-ue5m3-4o6-b2-bf16",
    "quantizer-ue4m3-3c-b2-bf16-turn",
    "quantizer-ue4m3-4o6t-b2-bf16",
    "quantizer-ue5m3-4o6-e6-b2-bf16",
    "quantizer-ue5m3-3c-e5-b2-bf16-turn",
    "quantizer-ue5m3-4o6t-hp2-b2-bf16",
    "quantizer-ue4m3-4o6-e6-hp2-b2-bf16",
    "quantizer-ue4m3-3c-e5-hp2-b2-bf16-turn",
    "quantizer-ue4m3-4o6-e6-h-b2-bf16",
    "quantizer-ue4m3-4o6-e6-h-b2-bf16-turn",
    "quantizer-ue5m3-4o6-e5-hbf16-b2-bf16",
    "quantizer-ue5m3-3c-e6-hbf16-b2-bf16-turn",
    "quantizer-ue4m3-4o6-hbf16-b2-bf16",
    "quantizer-ue5m3-4o6-hp2-b2-bf16",
    "quantizer-ue4m3-4o6-hbf16-b2-bf16-turn",
    "quantizer-ue5m3-3c-hp2-b2-bf16-turn",
    "quantizer-ue4m3-pop-b2-bf16",
    "quantizer-ue5m3-top2-b2-bf16",
    "quantizer-ue4m3-top2-h-b2-bf16",
    "quantizer-ue5m3-pop-hp2-b2-bf16",
    "quantizer-ue4m3-absmax-sr4-b2-bf16-r1",
    "quantizer-ue4m3-absmax-sr4-h-b2-bf16-r9",
    "quantizer-ue5m3-absmax-sr4-hp2-b2-bf16-r9",
    "quantizer-e8m0-even-sr4-b2-bf16-r9",
    "quantizer-ue5m3-4o6-sr4-b2-bf16-turn-r9",
    "quantizer-ue4m3-4o6-sr4-h-b2-bf16-turn-r9",
    "quantizer-peer-te-nvfp4-b2-bf16",
    "quantizer-peer-torchao-nvfp4-1level-b2-bf16",
    "quantizer-e8m0-fc-b4-bf16",
    "quantizer-e8m0-fc-b4-bf16-turn",
    "encode-ue5m3-bf16",
    "encode-e2m1-fp32-x4",
    "decode-ue5m3-bf16-x2",
    "dequantizer-e8m0-floor-b4-fp16",
    "dequantizer-ue5m3-absmax-b4-bf16",
    "dequantizer-ue4m3-absmax-h-b2-bf16",
    "dequantizer-ue4m3-absmax-hbf16-b2-fp32",
    "dequantizer-ue5m3-absmax-hp2-b4-fp16",
    "dot-ue5m3-b4-block",
    "dot-ue4m3-b2-fp32",
    "dot-ue5m3-b4-exact-n3",
    "dot-ue4m3-b16-tc8",
    "dot-ue4m3-b4-fp32-h",
    "dot-ue4m3-b2-exact-n3-h",
    "dot-ue4m3-b16-tc8-h",
    "dot-ue4m3-b4-fp32-hbf16",
    "dot-ue4m3-b4-fp32-hp2",
    "tensor-amax-bf16-x4",
    "tensor-scale-h-ue4m3-bf16",
    "tensor-scale-h256-ue4m3-bf16",
    "tensor-scale-hbf16-ue5m3-bf16",
    "tensor-scale-hp2-ue5m3-bf16",
)
"""Names of variants; small, so that building one takes a second or a few."""

GIVEN = {None: "plain", "h": "float", "h256": "float", "hbf16": "float", "hp2": "power"}
"""What words carry of a tensor scale: floats of 24 and 8 bits go through the same design."""

STREAMS = (
    "quantizer-e8m0-floor-b2-bf16",
    "encode-ue5m3-bf16",
    "decode-ue5m3-bf16-x2",
    "dequantizer-ue5m3-absmax-b2-bf16",
    "dot-ue5m3-b2-block",
    "dot-ue4m3-b2-fp32",
    "tensor-amax-bf16-x2",
    "tensor-scale-hp2-ue5m3-bf16",
)
"""Names of the smallest variants, of each unit one for each way in which words call for results."""


MEMORY_FAMILIES = (
    "tensor-quantizer-ue5m3-absmax-b4-bf16-one-w16",
    "tensor-quantizer-ue4m3-absmax-h-b8-bf16-two-w16",
    "tensor-quantizer-ue4m3-4o6-hp2-b8-bf16-turn-delayed-w16",
    "tensor-quantizer-ue5m3-absmax-hbf16-b8-bf16-local8-w16",
)
"""Names of tensor quantizers, one of each schedule (spec §24.7), with each kind of tensor scale."""


def family(v: Variant) -> str:
    """The kind of unit that a variant belongs to: its unit, the class of its design, and what of
    its recipe or accumulation makes other gates."""
    words = [v.unit, type(v.component()).__name__]
    if (r := getattr(v, "recipe", None)) is not None:
        words += [
            "values" if r.scale.has_zero else "powers",
            GIVEN[r.tensor_scale],
            "exact" if r.error_bits is None else "limited",
        ]
    if (peer := getattr(v, "peer", None)) is not None:
        words.append(peer)
    if (a := getattr(v, "accumulation", None)) is not None:
        kind = getattr(v, "tensor_scale", None)
        # Behind the sum hbf16 and hp2 have gates of their own, the same ones for any accumulation.
        words += [a.kind, "scaled" if kind else "plain"] if kind in (None, "h") else [kind]
    if isinstance(kind := getattr(v, "kind", None), str):
        words.append(kind)
    return " ".join(words)


def streams() -> set[tuple[str, bool]]:
    """The units, each with whether all of its words or only some of them call for a result."""
    return {(v.unit, v.last_bit is None) for v in _every()}


def families() -> dict[str, list[str]]:
    """Names of the variants that are known, by family; the listed ones are among them."""
    found: dict[str, list[str]] = {}
    for v in _every():
        found.setdefault(family(v), []).append(v.name)
    return found


def _every() -> Iterator[Variant]:
    """What the units compare by default, and a small quantizer of every recipe that has gates."""
    yield from (variant(name) for name in FAMILIES)
    for kind in _kinds(Variant):
        yield from kind.defaults()
    for selection in (*ALL_SELECTIONS, *_limited()):
        for turn in ("", "-turn"):
            try:
                v = UNITS["quantizer"].parse(f"quantizer-{selection}-b4-bf16{turn}")
            except (FinescaleError, ValueError):
                continue
            if v is not None:
                yield v


def _kinds(kind: type[Variant]) -> Iterator[type[Variant]]:
    """The classes of variants that have defaults of their own."""
    for found in kind.__subclasses__():
        if "defaults" in vars(found):
            yield found
        yield from _kinds(found)


def _limited() -> Iterator[str]:
    """Selections of limited width with a tensor scale, of which `ALL_SELECTIONS` has none."""
    for selection in LIMITED_SELECTIONS:
        for kind in TENSOR_SCALES:
            if kind != "h256" or selection.startswith("ue4m3"):
                yield f"{selection}-{kind}"
