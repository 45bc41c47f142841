"""What a peer is: how one library, in one mode, quantizes a tensor; and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol

import ml_dtypes
import numpy as np

from emulator.arguments import Array, blocked_axis, input_format
from emulator.peers_codes import Codes, Floats
from emulator.peers_nvfp4 import Constants

Checked = Literal["package", "module", "restatement", "description"]
"""What a peer was compared with: the installed package; a module of it, loaded by path; another
restatement of its source; nothing but a description."""

PIECE = 1 << 16
"""Blocks that are computed at once."""


class Algorithm(Protocol):
    """What a family of peers implements, on blocks of finite float32 numbers."""

    def constants(self, amax: np.float32) -> Constants:
        """What is stored once per tensor, from its largest magnitude."""
        ...

    def quantize(self, x: Floats, constants: Constants) -> tuple[Codes, Codes]:
        """Element codes of shape (blocks, block size) and scale codes of shape (blocks,)."""
        ...

    def decode(self, codes: Codes, scales: Codes, constants: Constants) -> Floats:
        """Dequantized blocks."""
        ...


@dataclass(frozen=True)
class Peer:
    """How one library, in one mode, quantizes a tensor.

    Attributes:
        name: ``peer-<library>-<mode>``.
        library: whose algorithm it is.
        version: the version that is modelled.
        block_size: elements per block.
        scale: format of the scale codes: "ue4m3", "ue5m3" or "e8m0".
        tensor_constant: what is stored once per tensor and how it is made, or None.
        checked: what the model was compared with.
        evidence: the same in words.
        exact: name of the nearest exact recipe, or None.
        differs: how it differs from that recipe.
        dequantized: the order of operations of the library's own decoding.
        bfloat16_only: whether only tensors of bfloat16 can be given.
    """

    name: str
    library: str
    version: str
    block_size: int
    scale: str
    tensor_constant: str | None
    checked: Checked
    evidence: str
    exact: str | None
    differs: str
    dequantized: str
    algorithm: Algorithm = field(repr=False, compare=False)
    bfloat16_only: bool = False

    def quantize(self, x: Array, axis: int = -1) -> PeerQuantized:
        """Quantize a tensor as the library would.

        A last partial block is padded with +0; several libraries refuse such tensors.

        Args:
            x: float32, bfloat16 or float16 of any shape; the latter two are widened first, which
                changes no peer's result but those of `bfloat16_only`.
            axis: the axis along which blocks run.

        Raises:
            TypeError: if x is no array of these types, or not bfloat16 where it has to be.
            ValueError: if x is empty or holds NaN or infinity: peers are modelled on finite
                numbers only.
        """
        input_format(x, "x")
        if self.bfloat16_only and x.dtype != ml_dtypes.bfloat16:
            raise TypeError(f"x is {x.dtype}, but {self.name} takes bfloat16 tensors only")
        axis = blocked_axis(axis, x.ndim)
        if x.size == 0:
            raise ValueError(f"x of shape {x.shape} is empty: there is nothing to quantize")
        wide = np.moveaxis(np.asarray(x).astype(np.float32), axis, -1)
        if not np.isfinite(wide).all():
            raise ValueError(f"x holds NaN or infinity; {self.name} is modelled on finite numbers")
        count = -(-wide.shape[-1] // self.block_size)
        padded = np.zeros((*wide.shape[:-1], count * self.block_size), np.float32)
        padded[..., : wide.shape[-1]] = wide
        blocks = padded.reshape(-1, self.block_size)
        codes = np.empty(blocks.shape, np.uint8)
        scales = np.empty(len(blocks), np.uint8)
        with np.errstate(all="ignore"):
            constants = self.algorithm.constants(np.float32(np.abs(blocks).max()))
            for start in range(0, len(blocks), PIECE):
                part = slice(start, start + PIECE)
                codes[part], scales[part] = self.algorithm.quantize(blocks[part], constants)
        codes = codes.reshape(padded.shape)[..., : wide.shape[-1]]
        return PeerQuantized(
            np.ascontiguousarray(np.moveaxis(codes, -1, axis)),
            np.ascontiguousarray(np.moveaxis(scales.reshape(*wide.shape[:-1], count), -1, axis)),
            MappingProxyType(dict(constants)),
            self,
            axis,
        )


@dataclass(frozen=True, eq=False)
class PeerQuantized:
    """A tensor as a library quantized it.

    Attributes:
        codes: uint8, of the tensor's shape, one E2M1 code per element.
        scales: uint8, one scale code per block; E4M3 codes may have the sign bit of a NaN.
        constants: what the library stores once per tensor, float32, by its name for it.
        peer: the peer.
        axis: the blocked axis, counted from the front.
    """

    codes: Codes
    scales: Codes
    constants: Mapping[str, np.float32]
    peer: Peer
    axis: int

    def dequantize(self) -> Floats:
        """Decode in float32, in the order of operations that ``peer.dequantized`` states."""
        codes = np.moveaxis(self.codes, self.axis, -1)
        scales = np.moveaxis(self.scales, self.axis, -1)
        padded = np.zeros((*scales.shape, self.peer.block_size), np.uint8)
        flat = padded.reshape(*scales.shape[:-1], -1)
        flat[..., : codes.shape[-1]] = codes
        with np.errstate(all="ignore"):
            values = self.peer.algorithm.decode(
                padded.reshape(-1, self.peer.block_size), scales.reshape(-1), self.constants
            )
        values = values.reshape(flat.shape)[..., : codes.shape[-1]]
        return np.ascontiguousarray(np.moveaxis(values, -1, self.axis))
