"""llama2.c checkpoints, version 0: seven int32, then all weights in float32."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emulator.errors import FileFormatError


def read_llama2c(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    """Read the tensors of a checkpoint by name, in the order of the file.

    Raises:
        FileFormatError: if the header is no shape, or the size of the file not that of the shape.
        OSError: if the file cannot be read.
    """
    raw = path.read_bytes()
    if len(raw) < 28:
        raise FileFormatError(f"{path}: {len(raw)} bytes are too few for a llama2.c header")
    dim, hidden, layers, heads, kv_heads, vocab, length = struct.unpack_from("<7i", raw)
    plausible = min(dim, hidden, layers, heads, kv_heads, abs(vocab), length) > 0
    if not plausible or dim % heads or heads % kv_heads:
        raise FileFormatError(f"{path}: not a llama2.c file (its first seven int32 are no shape)")
    kv = dim // heads * kv_heads
    per_layer: list[tuple[str, tuple[int, ...]]] = [
        ("attention_norm", (dim,)),
        ("attention.wq", (dim, dim)),
        ("attention.wk", (kv, dim)),
        ("attention.wv", (kv, dim)),
        ("attention.wo", (dim, dim)),
        ("ffn_norm", (dim,)),
        ("feed_forward.w1", (hidden, dim)),
        ("feed_forward.w2", (dim, hidden)),
        ("feed_forward.w3", (hidden, dim)),
    ]
    # The file goes through the layers once per kind of weight.
    sizes: list[tuple[str, int, tuple[int, ...]]] = [("tok_embeddings", 1, (abs(vocab), dim))]
    sizes += [(name, layers, shape) for name, shape in per_layer]
    sizes += [("norm", 1, (dim,)), ("", 1, (2, length, dim // heads // 2))]  # "": rotation tables
    if vocab < 0:  # llama2.c marks an output matrix of its own by a negative vocabulary
        sizes += [("output", 1, (-vocab, dim))]
    need = 28 + 4 * sum(count * math.prod(shape) for _, count, shape in sizes)
    if need != len(raw):
        raise FileFormatError(
            f"{path}: {len(raw)} bytes, but a llama2.c file with this header has {need}"
        )
    tensors: dict[str, npt.NDArray[np.float32]] = {}
    at = 28
    for name, count, shape in sizes:
        for layer in range(count):
            if name:
                prefix = f"layers.{layer}." if any(name == n for n, _ in per_layer) else ""
                x = np.frombuffer(raw, "<f4", math.prod(shape), at).reshape(shape)
                tensors[f"{prefix}{name}.weight"] = x
            at += 4 * math.prod(shape)
    return tensors
