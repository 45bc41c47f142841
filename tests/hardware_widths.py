"""The widths that docs/hardware.md states, as formulas of what a variant's name says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from math import ceil, log2
from typing import Any

from emulator.formats import UE4M3, Format
from emulator.layout import TENSOR_SCALE_FIELDS, tensor_scale_bits
from rtl.codec import Codec
from rtl.limited_shapes import LimitedShapes
from rtl.peer_shapes import PeerShapes
from rtl.scaled_amax import LargestMagnitude
from rtl.shapes import Shapes
from rtl.tensor_amax import TensorAmax

Names = dict[str, int]
"""What letters and words of a formula stand for."""

FREE = (
    "for the exponents that can occur",
    "payload",
    "those of the sum",
    "those of `merit`",
    "sum of the fields below",
)
"""Ends of cells that give no formula: widths of a range of numbers, or those of what is put in."""

FUNCTIONS: Mapping[str, Callable[..., int]] = {
    "bits": int.bit_length,
    "min": min,
    "max": max,
    "log2": lambda x: ceil(log2(x)),
}


def names(of: Any, unit: Any, beside: Any = None) -> Names:
    """The names that the formulas of a unit's widths may use; a word's value is its width.

    Args:
        of: the design that the unit is in.
        unit: its instance.
        beside: a unit next to it, for one that knows nothing of formats.
    """
    if type(unit).__name__ in MEMORY:
        q = of.quantizer
        known = {"W": of.width, "B": of.block_bytes, "q": of.group, "m": of.group_words}
        return known | {"n": q.recipe.block_size, "w": q.input.width}
    of = getattr(of, "quantizer", of)
    recipe = getattr(of, "recipe", None)
    scale = recipe.scale if recipe else getattr(of, "scale", UE4M3)
    known = {"stored scale code": scale.storage_bits, "F": scale.fraction_bits}
    known["top"] = (scale.max_code >> scale.fraction_bits) - scale.bias
    known["n"] = recipe.block_size if recipe else getattr(of, "block_size", 1)
    if isinstance(x := getattr(of, "input", None), Format):
        known |= {"w": x.width, "e": x.exponent_bits, "f": x.fraction_bits}
        known |= {"p": x.fraction_bits + 1, "bias": x.bias}
    if kind := getattr(recipe, "tensor_scale", None):
        known["P"] = TENSOR_SCALE_FIELDS[kind][1] + 1
        known["those of `g`"] = tensor_scale_bits(kind)
    known |= _lanes(beside, known)
    for found in (_lanes(unit, known), _choices(of, unit, known), _codes(of, unit)):
        known |= found
    if of.unit == "dot":
        known |= _dots(of, unit, known)
    if isinstance(unit, LargestMagnitude | TensorAmax | Codec):
        known["n"] = unit.variant.lanes if isinstance(unit, Codec) else unit.lanes
    return known


MEMORY = {
    "TensorQuantizer",
    "TensorReader",
    "ReadRequests",
    "Gather",
    "TensorMeasure",
    "ResultWriter",
    "Packer",
}
"""Units whose letters are those of spec §24."""


RANDOM = {"RandomElement", "RandomScaledElement", "RandomScaledThresholds", "Draws"}
"""Units in whose sections k is the number of random bits."""


def _lanes(unit: Any, known: Names) -> Names:
    """Of lanes and keys."""
    shapes = getattr(unit, "shapes", None)
    if isinstance(shapes, PeerShapes):
        shapes = shapes.block
    shapes = getattr(shapes, "lanes", shapes)
    if not isinstance(shapes, Shapes):
        return {}
    # The widest threshold is 7 times the scale's significand.
    found = {"k": (7 * (2 ** (known["F"] + 1) - 1)).bit_length() - 1 + shapes.raw}
    found["lane exponent"] = shapes.exponent_bits
    found["lane"] = shapes.lane.size
    found["key"] = shapes.key.size
    found["those of `thresholds`"] = found["as with a tensor scale"] = shapes.thresholds.size
    return found


def _choices(of: Any, unit: Any, known: Names) -> Names:
    """Of candidates, their errors and votes."""
    found: Names = {}
    shapes: Any = getattr(unit, "shapes", None)
    if hasattr(shapes, "top_steps"):
        found |= {"T": shapes.top_steps, "d": getattr(shapes, "finer", 0)}
    if hasattr(shapes, "reaching"):
        found["as with a tensor scale"] = shapes.reaching.thresholds.size
    if isinstance(shapes, LimitedShapes):
        found |= {"b": shapes.bits, "B": shapes.below_bits, "K": shapes.fraction_bits}
    elif hasattr(shapes, "limit_bits"):
        found["b"] = shapes.bits
    near = getattr(unit, "_near", None)
    if near is not None:
        found["B"] = near.below_bits
    choices = getattr(unit, "merits", None) or getattr(unit, "candidates", None)
    if isinstance(choices, list):
        found["c"] = len(choices)
    rule = getattr(getattr(of, "recipe", None), "rule", "")
    found["v"] = {"top2": 1, "top3": 2}.get(rule, known["n"])
    if type(unit).__name__ in RANDOM:
        found["k"] = of.recipe.sr_bits
        if rest := getattr(unit, "_rest", None):
            found["rest"] = rest.size
        found["B"] = known["F"] + known.get("P", 1) - (known.get("P") == 1)
    return found


def _codes(of: Any, unit: Any) -> Names:
    """Of codecs and dequantizers."""
    if (source := getattr(of, "source", None)) is not None:
        return {
            "stored code of the source": source.storage_bits,
            "stored code of the target": of.target.storage_bits,
            "magnitude bits of the target": of.target.magnitude_bits,
        }
    if (output := getattr(of, "output", None)) is None:
        return {}
    found = {"m": output.fraction_bits, "x": output.exponent_bits, "output's width": output.width}
    kind = of.recipe.tensor_scale
    found["those of `g`"] = 0 if kind is None else tensor_scale_bits(kind)
    if reach := getattr(unit, "reach", None):
        found |= {"precision": reach.precision, "level": reach.factor["level"].width}
    return found


def _dots(of: Any, unit: Any, known: Names) -> Names:
    """Of dot products."""
    n = of.group if hasattr(unit, "shapes") or hasattr(unit, "variant") else known["n"]
    found = {"n": n, "m": of.blocks}
    top = 2 * (of.scale.max_code >> of.scale.fraction_bits)
    found["exponent"] = top.bit_length()
    ratio = Fraction(of.scale.max) / Fraction(2) ** of.scale.min_quantum
    assert ratio.denominator == 1
    largest = of.exact_blocks * n * 144 * int(ratio) ** 2
    found["accumulator"] = 1 + largest.bit_length()
    found["those of `g`"] = {None: 0, "h": 32, "hbf16": 25, "hp2": 9}[of.tensor_scale]
    if type(unit).__name__ in ("NormalProduct", "FloatAdd"):
        port = unit.product if hasattr(unit, "product") else unit.term
        found["field"] = port.field.shape().width
        found["product of `normal`"] = port.shape().size
    if type(unit).__name__ == "Accumulator":
        found["products of a word"] = unit.i.payload.products.shape().size
    return found


def widths(cell: str, known: Names) -> list[int] | None:
    """The widths that a cell allows; None where it gives a range of numbers in their place.

    Alternatives stand between ``;``, ``,`` and ``or``; one that begins with ``+`` comes on top of
    the first one. Text in parentheses with a code span, and before a colon, says when.

    Raises:
        ValueError: if there is a word that no name explains.
    """
    if cell.endswith(FREE):
        return None
    for name in sorted(known, key=len, reverse=True):
        if not name.isalpha() or len(name) > 1:
            cell = re.sub(rf"(?<![\w`]){re.escape(name)}(?![\w`])", f" {known[name]} ", cell)
    cell = re.sub(r"\((?:[^()]*`[^()]*|codes|scale codes)\)", "", cell)
    found: list[int] = []
    for part in _alternatives(cell):
        text = part.rpartition(":")[2].partition(" = ")[0].strip()
        if text == "signed":
            continue
        more = text.startswith("+")
        value = evaluate(text.lstrip("+ "), known)
        found.append(value + (found[0] if more else 0))
    return found


def _alternatives(cell: str) -> list[str]:
    """The parts of a cell between ``;``, ``,`` and ``or`` that are in no parentheses."""
    parts, depth = [""], 0
    for token in re.split(r"(;| or |[,()])", cell):
        depth += {"(": 1, ")": -1}.get(token, 0)
        if not depth and token in (";", " or ", ","):
            parts.append("")
        else:
            parts[-1] += token
    return parts


def evaluate(text: str, known: Names) -> int:
    """The value of a formula, written as it is by hand: ``4n (F + 1) + bits(3^2)``."""
    tokens = re.findall(r"\d+|[A-Za-z]\w*|[-+*/^(),]", text)
    if "".join(tokens) != text.replace(" ", "") or not tokens:
        raise ValueError(f"{text!r} is no formula")
    done = ""
    before = ""
    for token in tokens:
        if token[0].isalpha() and token not in FUNCTIONS:
            if token not in known:
                raise ValueError(f"{token!r} of {text!r} is not known")
            token = str(known[token])
        operand = token[0].isalnum() or token == "("
        if operand and before and (before.isdigit() or before == ")"):
            done += "*"
        done += {"^": "**", "/": "//"}.get(token, token)
        before = token
    return int(eval(done, {"__builtins__": {}}, dict(FUNCTIONS)))
