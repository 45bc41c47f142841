"""Safetensors files: 8 bytes of header length, a JSON header, then the tensors' bytes.

The header is read here, and not by the safetensors package, because that package's NumPy loader
refuses bfloat16. Nothing is copied: tensors are views of the mapped file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from emulator.errors import FileFormatError

DTYPES: Mapping[str, np.dtype] = {
    "F32": np.dtype("<f4"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "F16": np.dtype("<f2"),
    "F64": np.dtype("<f8"),
    "I64": np.dtype("<i8"),
    "U64": np.dtype("<u8"),
    "I32": np.dtype("<i4"),
    "U32": np.dtype("<u4"),
    "I16": np.dtype("<i2"),
    "U16": np.dtype("<u2"),
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
    "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
    "F8_E8M0": np.dtype(ml_dtypes.float8_e8m0fnu),
}
"""NumPy dtypes by their names in a header. Tensors of other types are listed but not read."""

MAX_HEADER = 100_000_000
"""Bytes that a header may take; the limit that other readers have."""

METADATA = "__metadata__"


@dataclass(frozen=True)
class Entry:
    """One tensor of a file: dtype as the header names it, shape, first and last byte + 1."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """What a file says of itself; ``data`` is where the tensors' bytes begin."""

    tensors: Mapping[str, Entry]
    metadata: Mapping[str, str]
    data: int


def read_header(path: Path) -> Header:
    """Read and check the header of a safetensors file.

    Raises:
        FileFormatError: if the file is truncated, its header is not what the format asks for, or
            tensors lie outside the file, overlap or leave gaps.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        first = file.read(8)
        length = int.from_bytes(first, "little")
        if len(first) < 8:
            raise FileFormatError(f"{path}: {size} bytes are too few for a safetensors file")
        if length > min(MAX_HEADER, size - 8):
            raise FileFormatError(
                f"{path}: the header's length is {length} bytes, beyond the {size - 8} that follow "
                "(truncated, or not a safetensors file)"
            )
        text = file.read(length)
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{path}: the header is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise FileFormatError(f"{path}: the header is not a JSON object")
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise FileFormatError(f"{path}: {METADATA} is not a map of strings")
    tensors = {name: _entry(f"{path}: tensor {name!r}", e) for name, e in header.items()}
    _check_bytes(path, tensors, size - 8 - length)
    return Header(tensors, metadata, 8 + length)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _entry(where: str, e: Any) -> Entry:
    if not isinstance(e, dict) or set(e) != {"dtype", "shape", "data_offsets"}:
        raise FileFormatError(f"{where}: its entry is not dtype, shape and data_offsets")
    dtype, shape, offsets = e["dtype"], e["shape"], e["data_offsets"]
    if not isinstance(dtype, str):
        raise FileFormatError(f"{where}: dtype {dtype!r} is not a name")
    if not isinstance(shape, list) or not all(map(_whole, shape)):
        raise FileFormatError(f"{where}: shape {shape!r} is not a list of whole numbers")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_whole, offsets)):
        raise FileFormatError(f"{where}: data_offsets {offsets!r} are not two whole numbers")
    begin, end = offsets
    if end < begin:
        raise FileFormatError(f"{where}: data_offsets {offsets!r} run backwards")
    if dtype in DTYPES and end - begin != math.prod(shape) * DTYPES[dtype].itemsize:
        raise FileFormatError(
            f"{where}: {end - begin} bytes do not hold {dtype} of shape {tuple(shape)}"
        )
    return Entry(dtype, tuple(shape), begin, end)


def _check_bytes(path: Path, tensors: Mapping[str, Entry], size: int) -> None:
    """The tensors' bytes follow each other without overlap or gap and fill the file."""
    at = 0
    for name, e in sorted(tensors.items(), key=lambda t: (t[1].begin, t[1].end)):
        if e.end > size:
            raise FileFormatError(
                f"{path}: tensor {name!r} ends at byte {e.end} of {size} (truncated?)"
            )
        if e.begin != at:
            what = "overlaps the one before it" if e.begin < at else "leaves a gap before it"
            raise FileFormatError(f"{path}: tensor {name!r} at byte {e.begin} {what}")
        at = max(at, e.end)
    if at != size:
        raise FileFormatError(f"{path}: {size - at} bytes follow the last tensor")


def read_array(path: Path, header: Header, name: str) -> np.ndarray:
    """Return a tensor as a read-only view of the mapped file.

    Raises:
        FileFormatError: if its dtype is not one of `DTYPES`.
    """
    e = header.tensors[name]
    if e.dtype not in DTYPES:
        raise FileFormatError(f"{path}: tensor {name!r} is {e.dtype}, which is not read here")
    if e.begin == e.end:
        return np.zeros(e.shape, DTYPES[e.dtype])
    raw = np.memmap(path, np.uint8, "r", header.data + e.begin, (e.end - e.begin,))
    return raw.view(np.ndarray).view(DTYPES[e.dtype]).reshape(e.shape)


def write_safetensors(
    path: Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> None:
    """Write arrays of dtypes in `DTYPES`; the same arrays always give the same bytes.

    Names are sorted, wide dtypes come first so that each tensor is aligned to its items, and the
    header is padded with spaces to a multiple of 8 bytes. ``path`` is written directly: callers
    pass a temporary name.

    Raises:
        TypeError: for a dtype that has no name in a header.
    """
    names = {dtype: name for name, dtype in DTYPES.items()}
    header: dict[str, Any] = {METADATA: dict(sorted(metadata.items()))} if metadata else {}
    order = sorted(tensors, key=lambda n: (-tensors[n].dtype.itemsize, n))
    at = 0
    for name in order:
        x = tensors[name]
        if x.dtype not in names:
            raise TypeError(f"tensor {name!r} is {x.dtype}, which safetensors has no name for")
        offsets = [at, at + x.nbytes]
        header[name] = {
            "dtype": names[x.dtype],
            "shape": list(x.shape),
            "data_offsets": offsets,
        }
        at += x.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            x = np.ascontiguousarray(tensors[name])
            file.write(x.reshape(-1).view(np.uint8).data)
