"""Writes tests/emulator/interchange_vectors by the libraries themselves.

    python -m tests.emulator.make_interchange_vectors

takes torch, torchao, compressed-tensors and safetensors (the extra `peers` of pyproject.toml).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

VECTORS = Path(__file__).parent / "interchange_vectors"
SHAPES = ((1, 1), (32, 4), (33, 3), (128, 4), (130, 5), (300, 9), (64, 17))
PACKAGES = ("torch", "torchao", "compressed-tensors", "safetensors")


def versions(*names: str) -> str:
    """The packages that a vector was made by, in one line."""
    return ", ".join(f"{n} {metadata.version(n).split('+')[0]}" for n in names)


def matrix(rows: int, columns: int) -> np.ndarray:
    """Scales in which neighbours differ, and no zero."""
    return (np.arange(rows * columns, dtype=np.int64) % 251 + 1).astype(np.uint8).reshape(rows, -1)


def weights(rows: int = 8, columns: int = 64, amax: float = 2688 / 512) -> np.ndarray:
    """Numbers whose largest magnitude makes the library's tensor scale a power of two."""
    raw = np.random.PCG64(20).random_raw(rows * columns).reshape(rows, columns)
    x = (raw >> np.uint64(40)).astype(np.float32) / np.float32(1 << 23) - np.float32(1)
    x *= np.exp2(-np.arange(rows, dtype=np.float32))[:, None]
    x[0, 5] = -amax
    x[-1, 16:48] = 0
    return x


def swizzled(rows: int, columns: int) -> np.ndarray:
    """What torchao makes of `matrix`."""
    torch = importlib.import_module("torch")
    utils = importlib.import_module("torchao.prototype.mx_formats.utils")
    return utils.to_blocked(torch.from_numpy(matrix(rows, columns))).numpy()


def compressed(kind: str, x: np.ndarray) -> dict[str, Any]:
    """What compressed-tensors stores for a float32 weight, and what it decodes that to."""
    torch = importlib.import_module("torch")
    compressors = importlib.import_module("compressed_tensors.compressors")
    helpers = importlib.import_module("compressed_tensors.quantization.utils.helpers")
    presets = importlib.import_module("compressed_tensors.quantization")
    names = {"nvfp4": "NVFP4PackedCompressor", "mxfp4": "MXFP4PackedCompressor"}
    compressor = getattr(compressors, names[kind])
    scheme = presets.preset_name_to_scheme(f"{kind.upper()}A16", ["Linear"])
    data = torch.from_numpy(x)
    state: dict[str, Any] = {"weight": data}
    g = helpers.generate_gparam(data.min(), data.max()) if kind == "nvfp4" else None
    groups = data.reshape(len(x), -1, scheme.weights.group_size)
    low, high = groups.amin(-1), groups.amax(-1)
    state["weight_scale"], _ = helpers.calculate_qparams(low, high, scheme.weights, g)
    if g is not None:
        state["weight_global_scale"] = g.reshape(1)
    made = compressor.compress(state, scheme)
    back = compressor.decompress(made, scheme)["weight"]
    return {f"layer.{k}": v for k, v in made.items()} | {"decoded": back.to(torch.float32)}


def main() -> None:
    """Write all vectors."""
    save: Callable[..., None] = importlib.import_module("safetensors.torch").save_file
    VECTORS.mkdir(exist_ok=True)
    blocks = {f"{r}x{c}": swizzled(r, c) for r, c in SHAPES}
    np.savez_compressed(
        VECTORS / "to_blocked.npz", allow_pickle=False, by=versions("torch", "torchao"), **blocks
    )
    for kind in ("nvfp4", "mxfp4"):
        by = versions("torch", "compressed-tensors", "safetensors")
        tensors = {k: v.contiguous() for k, v in compressed(kind, weights()).items()}
        save(tensors, VECTORS / f"{kind}.safetensors", metadata={"by": by})


if __name__ == "__main__":
    main()
