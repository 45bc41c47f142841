"""Where a peer and the nearest exact recipe give different codes for a tensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emulator.arguments import Array, bit_view
from emulator.peers_codes import Codes
from emulator.peers_model import Peer
from emulator.recipes import recipe
from emulator.tensor import quantize

ZERO_SIGN = 8
"""Two E2M1 codes of zero differ in this bit alone."""


@dataclass(frozen=True)
class Case:
    """One element of a block that differs; codes of the peer first, then of the exact recipe.

    Attributes:
        index: place in the tensor.
        bits: pattern of the number, in hex digits.
        value: the number.
        scales: the two scale codes of its block.
        codes: the two element codes.
    """

    index: tuple[int, ...]
    bits: str
    value: float
    scales: tuple[int, int]
    codes: tuple[int, int]


@dataclass(frozen=True)
class Disagreement:
    """How often a peer and an exact recipe differ, on one tensor.

    Attributes:
        peer: the peer.
        exact: name of the exact recipe, or None if there is none.
        skipped: why nothing was compared, or None.
        blocks: blocks compared.
        elements: elements compared.
        scale_codes: blocks whose scale codes differ.
        element_codes: elements whose codes differ, those of `zero_signs` included.
        zero_signs: elements that are zero in both and differ in the sign only.
        cases: the first that differ, one per block.
    """

    peer: Peer
    exact: str | None
    skipped: str | None = None
    blocks: int = 0
    elements: int = 0
    scale_codes: int = 0
    element_codes: int = 0
    zero_signs: int = 0
    cases: tuple[Case, ...] = ()


def obstacle(x: Array, p: Peer) -> str | None:
    """Why the peer cannot be compared with an exact recipe on a tensor, or None."""
    if p.exact is None:
        return "no exact recipe is near"
    unavailable = recipe(p.exact).unavailable
    if unavailable is not None:
        return unavailable
    if p.bfloat16_only and x.dtype.name != "bfloat16":
        return f"takes bfloat16 tensors only, not {x.dtype}"
    return None


def disagree(x: Array, p: Peer, axis: int = -1, cases: int = 3) -> Disagreement:
    """Compare a peer with the nearest exact recipe on one tensor.

    Args:
        x: float32, bfloat16 or float16.
        p: the peer.
        axis: the axis along which blocks run.
        cases: how many differing blocks to show; those that differ in more than the sign of a
            zero come first.

    Raises:
        TypeError, ValueError: as `Peer.quantize`.
    """
    skipped = obstacle(x, p)
    if skipped is not None or p.exact is None:
        return Disagreement(p, p.exact, skipped)
    theirs, exact = p.quantize(x, axis), quantize(x, p.exact, axis=axis)
    differ = theirs.codes != exact.codes
    zeros = differ & ((theirs.codes | exact.codes) == ZERO_SIGN)
    scales = theirs.scales != exact.scales
    return Disagreement(
        p,
        p.exact,
        None,
        theirs.scales.size,
        theirs.codes.size,
        int(scales.sum()),
        int(differ.sum()),
        int(zeros.sum()),
        _cases(
            x,
            theirs.axis,
            p.block_size,
            (theirs.codes, exact.codes),
            (theirs.scales, exact.scales),
            cases,
        ),
    )


def _cases(
    x: Array,
    axis: int,
    size: int,
    codes: tuple[Codes, Codes],
    scales: tuple[Codes, Codes],
    count: int,
) -> tuple[Case, ...]:
    """The first differing element of each differing block, in the order of blocks."""
    a, b = (np.moveaxis(c, axis, -1) for c in codes)
    s, t = (np.moveaxis(c, axis, -1) for c in scales)
    # 0 the same, 1 the sign of a zero, 2 another code
    kinds = np.zeros((*s.shape, size), np.uint8)
    kinds.reshape(*s.shape[:-1], -1)[..., : a.shape[-1]] = np.where(
        a == b, 0, np.where((a | b) == ZERO_SIGN, 1, 2)
    )
    worst = np.maximum(kinds.max(axis=-1), np.where(s != t, 2, 0))
    blocks = [*np.argwhere(worst == 2)[:count], *np.argwhere(worst == 1)[:count]][:count]
    patterns, values = (np.moveaxis(array, axis, -1) for array in (bit_view(x), x))
    made = []
    for block in (tuple(map(int, found)) for found in blocks):
        lane = int(kinds[block].argmax())
        place = (*block[:-1], block[-1] * size + lane)
        index = [*place[:-1]]
        index.insert(axis, place[-1])
        made.append(
            Case(
                tuple(index),
                f"{int(patterns[place]):0{2 * x.dtype.itemsize}x}",
                float(values[place]),
                (int(s[block]), int(t[block])),
                (int(a[place]), int(b[place])),
            )
        )
    return tuple(made)
