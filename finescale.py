"""finescale: bit-exact FP4 block-scaled quantization, from Python and from the command line.

This module is the only documented import. What it exports is loaded on first use, so that
importing it costs neither Numba nor the command line's libraries.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulator.blocks import BlockFormat as BlockFormat
    from emulator.compressed_tensors_io import (
        compressed_tensors_config as compressed_tensors_config,
    )
    from emulator.compressed_tensors_io import kept_tensor_scale as kept_tensor_scale
    from emulator.compressed_tensors_io import read_compressed_tensors as read_compressed_tensors
    from emulator.compressed_tensors_io import write_compressed_tensors as write_compressed_tensors
    from emulator.dot import dot as dot
    from emulator.dot import matmul as matmul
    from emulator.formats import FORMATS as FORMATS
    from emulator.formats import Format as Format
    from emulator.interchange import pack as pack
    from emulator.interchange import unpack as unpack
    from emulator.peers import peer as peer
    from emulator.peers import peer_names as peer_names
    from emulator.recipes import Recipe as Recipe
    from emulator.recipes import recipe as recipe
    from emulator.swizzle import swizzle as swizzle
    from emulator.swizzle import unswizzle as unswizzle
    from emulator.tensor import Quantized as Quantized
    from emulator.tensor import decode as decode
    from emulator.tensor import dequantize as dequantize
    from emulator.tensor import encode as encode
    from emulator.tensor import quantize as quantize

__version__ = "0.1.0"

_HOMES = {
    "FORMATS": "emulator.formats",
    "Format": "emulator.formats",
    "BlockFormat": "emulator.blocks",
    "Recipe": "emulator.recipes",
    "recipe": "emulator.recipes",
    "peer": "emulator.peers",
    "peer_names": "emulator.peers",
    "Quantized": "emulator.tensor",
    "quantize": "emulator.tensor",
    "dequantize": "emulator.tensor",
    "encode": "emulator.tensor",
    "decode": "emulator.tensor",
    "dot": "emulator.dot",
    "matmul": "emulator.dot",
    "pack": "emulator.interchange",
    "unpack": "emulator.interchange",
    "swizzle": "emulator.swizzle",
    "unswizzle": "emulator.swizzle",
    "compressed_tensors_config": "emulator.compressed_tensors_io",
    "kept_tensor_scale": "emulator.compressed_tensors_io",
    "read_compressed_tensors": "emulator.compressed_tensors_io",
    "write_compressed_tensors": "emulator.compressed_tensors_io",
}

__all__ = [*_HOMES, "__version__"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'finescale' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)


if __name__ == "__main__":
    import sys

    from cli.main import run

    sys.exit(run())
