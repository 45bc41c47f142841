"""Weights to measure on, from the files that `emulator.files` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy.typing as npt

from emulator import files
from emulator.errors import FileFormatError

Array = npt.NDArray[Any]


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
    try:
        return files.read_tensors(path, None if key is None else [key], dtype, skip_others=True)
    except OSError as error:
        raise FileFormatError(f"{path}: {error.strerror or error}") from None


def matrices(tensors: dict[str, Array]) -> dict[str, Array]:
    """The tensors that count as weights: two or more axes, not empty (norm gains are left out)."""
    return {name: x for name, x in tensors.items() if x.ndim >= 2 and x.size}
