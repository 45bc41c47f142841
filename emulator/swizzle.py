"""Scales in the order in which block-scaled matrix multipliers of Blackwell GPUs read them.

This is the layout of tiles of 128 rows and 4 columns of cuBLAS and cuDNN (spec §20.3, §20.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from emulator.tensor import Quantized

ROWS, COLUMNS = 128, 4


def _tiles(rows: int, columns: int) -> tuple[int, int]:
    return -(-rows // ROWS), -(-columns // COLUMNS)


def swizzled_size(rows: int, columns: int) -> int:
    """Bytes of the swizzled scales of a matrix with this many rows and blocks in a row."""
    down, across = _tiles(rows, columns)
    return down * across * ROWS * COLUMNS


def swizzle(scales: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Swizzle scales for a matrix multiplier (spec §20.3, §20.4).

    Args:
        scales: shape (rows, blocks in a row), of any type of 1 byte.

    Returns:
        The same type, shape (512 * ceil(rows / 128) * ceil(blocks / 4),); zeros where neither a
        row nor a block is.

    Raises:
        TypeError: for another type.
        ValueError: for another number of dimensions, or an empty array.
    """
    _check_bytes(scales)
    if scales.ndim != 2 or not scales.size:
        raise ValueError(
            f"scales of shape {scales.shape} are not those of one matrix, (rows, blocks in a row); "
            "swizzle each matrix for itself (spec §20.3)"
        )
    rows, columns = scales.shape
    down, across = _tiles(rows, columns)
    padded = np.zeros((down * ROWS, across * COLUMNS), np.uint8)
    padded[:rows, :columns] = scales.view(np.uint8)
    # Rows count as (tile, four, thirty-two), columns as (tile, four).
    parts = padded.reshape(down, 4, 32, across, 4)
    return parts.transpose(0, 3, 2, 1, 4).reshape(-1).view(scales.dtype)


def unswizzle(swizzled: npt.NDArray[Any], rows: int, columns: int) -> npt.NDArray[Any]:
    """Return the scales of a matrix from their swizzled form; the padding is not looked at.

    Args:
        swizzled: what `swizzle` returned, in any shape, of any type of 1 byte.
        rows: rows of the matrix.
        columns: blocks in a row.

    Returns:
        The same type, shape (rows, columns).

    Raises:
        TypeError: for another type.
        ValueError: if the sizes do not fit each other.
    """
    _check_bytes(swizzled)
    if rows < 1 or columns < 1 or swizzled.size != swizzled_size(rows, columns):
        raise ValueError(
            f"{swizzled.size} bytes are not the swizzled scales of {rows} rows of {columns} "
            "blocks (spec §20.4)"
        )
    down, across = _tiles(rows, columns)
    parts = swizzled.reshape(down, across, 32, 4, 4).transpose(0, 3, 2, 1, 4)
    padded = parts.reshape(down * ROWS, across * COLUMNS)
    return np.ascontiguousarray(padded[:rows, :columns])


def _check_bytes(array: Any) -> None:
    if not isinstance(array, np.ndarray) or array.dtype.itemsize != 1:
        kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise TypeError(f"scales are {kind}, not an array of a type of 1 byte (spec §20.3)")


def swizzled_scales(q: Quantized) -> npt.NDArray[np.uint8]:
    """What `Quantized.swizzled_scales` returns."""
    if q.scales.ndim != 2:
        raise ValueError(
            f"a tensor of shape {q.shape} is not a matrix; swizzle the scales of each matrix for "
            "itself (spec §20.3)"
        )
    return swizzle(np.ascontiguousarray(np.moveaxis(q.scales, q.axis, -1)))
