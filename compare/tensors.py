"""Weights to measure on: what `emulator.files` reads, and llama2.c checkpoints."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator import files
from emulator.errors import FileFormatError, UnknownNameError, near

Array = npt.NDArray[Any]

SUFFIXES = (*files.INPUTS, ".bin")


def read_tensors(
    path: str | Path, key: str | None = None, dtype: str | None = None
) -> dict[str, Array]:
    """Read the floating-point tensors of a file, or the one named ``key``.

    Args:
        path: a .npy, .npz, .safetensors or llama2.c .bin file.
        key: name of the only tensor wanted.
        dtype: what raw bits are where the file cannot say it, as `emulator.files.read_tensors`
            takes it.

    Raises:
        FileFormatError: if the file is unreadable, truncated or not of its kind.
        UnknownNameError: if there is no tensor ``key``.
        TypeError, ValueError: as `emulator.files.read_tensors`.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise FileFormatError(f"{path}: the name does not end in {', '.join(SUFFIXES)}")
    try:
        if path.suffix != ".bin":
            keys = None if key is None else [key]
            return files.read_tensors(path, keys, dtype, skip_others=True)
        tensors = _read_llama2c(path)
    except OSError as error:
        raise FileFormatError(f"{path}: {error.strerror or error}") from None
    if key is None:
        return tensors
    if key not in tensors:
        raise UnknownNameError(f"{path}: no tensor {key!r}{near(key, tensors)}")
    return {key: tensors[key]}


def matrices(tensors: dict[str, Array]) -> dict[str, Array]:
    """The tensors that count as weights: two or more axes, not empty (norm gains are left out)."""
    return {name: x for name, x in tensors.items() if x.ndim >= 2 and x.size}


def _read_llama2c(path: Path) -> dict[str, Array]:
    """The layout of llama2.c's version 0 files: seven int32, then all weights in float32."""
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
    tensors: dict[str, Array] = {}
    at = 28
    for name, count, shape in sizes:
        for layer in range(count):
            if name:
                prefix = f"layers.{layer}." if any(name == n for n, _ in per_layer) else ""
                x = np.frombuffer(raw, "<f4", math.prod(shape), at).reshape(shape)
                tensors[f"{prefix}{name}.weight"] = x
            at += 4 * math.prod(shape)
    return tensors
