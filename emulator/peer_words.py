"""Words of quantizers that compute what a peer computes (spec §25), by the peers' own models."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.arguments import INPUTS
from emulator.formats import Format
from emulator.peers import peer
from emulator.peers_codes import F32_MAX, Codes, Floats
from emulator.peers_te import TransformerEngine

Patterns = npt.NDArray[np.unsignedinteger[Any]]

_DTYPES = {fmt: dtype for dtype, fmt in INPUTS.items()}

LEAST_MULTIPLIER = int((np.float32(2688) / F32_MAX).view(np.uint32))
MOST_MULTIPLIER = int(F32_MAX.view(np.uint32))
"""Float32 patterns between which a tensor's multiplier lies (spec §25.3)."""


def by_tensor(name: str) -> bool:
    """Whether the words of a peer carry their tensor's multiplier (spec §25.1)."""
    return isinstance(peer(name).algorithm, TransformerEngine)


def multipliers(amax: Floats) -> npt.NDArray[np.uint32]:
    """Float32 patterns of the multipliers of tensors with these largest magnitudes (spec §25.3)."""
    with np.errstate(divide="ignore", over="ignore"):
        found = TransformerEngine().multiplier(np.asarray(amax, np.float32))
    return np.asarray(found, np.float32).view(np.uint32)


def lane_values(x: Patterns, x_format: Format) -> Floats:
    """Lanes as float32; NaN is read as infinity of its sign (spec §25.8)."""
    values = np.ascontiguousarray(x).view(_DTYPES[x_format]).astype(np.float32)
    return np.where(np.isnan(values), np.copysign(np.float32(np.inf), values), values)


def quantize_lanes(
    name: str, x_format: Format, x: Patterns, multiplier: Patterns | None = None
) -> tuple[Codes, Codes]:
    """Element codes and scale codes of blocks, one multiplier each.

    Args:
        name: of the peer.
        x_format: FP16, BF16 or FP32.
        x: patterns, of shape ``(n, block size)``.
        multiplier: float32 patterns, of shape ``(n,)``, for a peer that takes one.

    Returns:
        uint8 of the shape of ``x``, and of shape ``(n,)``.

    Raises:
        ValueError: if a multiplier is missing or not wanted, or out of its range (spec §25.3).
    """
    if (multiplier is None) == by_tensor(name):
        raise ValueError(f"{name} takes {'a' if multiplier is None else 'no'} multiplier")
    algorithm, values = peer(name).algorithm, lane_values(x, x_format)
    with np.errstate(all="ignore"):
        if multiplier is None:
            return algorithm.quantize(values, {})
        wrong = (multiplier < LEAST_MULTIPLIER) | (multiplier > MOST_MULTIPLIER)
        if wrong.any():
            raise ValueError(
                f"multiplier {int(multiplier[wrong][0]):08x} is not between "
                f"{LEAST_MULTIPLIER:08x} and {MOST_MULTIPLIER:08x} (spec §25.3)"
            )
        assert isinstance(algorithm, TransformerEngine)
        encode = multiplier.astype(np.uint32).view(np.float32).reshape(-1, 1)
        return algorithm.quantize_by(values, encode)
