"""NumPy's .npy and .npz files, without pickles, with errors that name the file and the rule."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import IO

import numpy as np
from numpy.lib import format as npy

from emulator.errors import FileFormatError


def _header(file: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Shape, Fortran order and dtype at the head of an open .npy file."""
    try:
        version = npy.read_magic(file)
        if version == (1, 0):
            found = npy.read_array_header_1_0(file)
        elif version == (2, 0):
            found = npy.read_array_header_2_0(file)
        else:
            raise FileFormatError(f"{where}: .npy version {version} is not read here")
    except FileFormatError:
        raise
    except (ValueError, EOFError, SyntaxError, TokenError) as error:
        first = str(error).splitlines()[0]
        raise FileFormatError(f"{where}: not a .npy file, or truncated: {first}") from None
    if found[2].hasobject:
        raise FileFormatError(f"{where}: an object array, which only a pickle can hold")
    return found


def read_npy(path: Path) -> np.ndarray:
    """Return the array of a .npy file as a read-only view of the mapped file.

    Raises:
        FileFormatError: if it is not a .npy file, is truncated, holds objects or goes on after
            the array.
    """
    with path.open("rb") as file:
        shape, fortran, dtype = _header(file, str(path))
        start = file.tell()
    count = int(np.prod(shape, dtype=object)) if shape else 1
    have, need = path.stat().st_size - start, count * dtype.itemsize
    if have != need:
        what = "truncated" if have < need else "more than one array?"
        raise FileFormatError(
            f"{path}: {have} bytes of data, but {dtype} of shape {shape} takes {need} ({what})"
        )
    if not need:
        return np.zeros(shape, dtype)
    x = np.memmap(path, dtype, "r", start, shape, "F" if fortran else "C")
    return x.view(np.ndarray)


_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(EOFError, IndexError, OSError, OverflowError, RuntimeError, ValueError),
)
"""What zipfile raises over damaged archives, of which it documents the first."""


@contextmanager
def _archive(path: Path, what: str = "") -> Iterator[zipfile.ZipFile]:
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                yield archive
        except FileFormatError:
            raise
        except _DAMAGE as error:
            text = f"{path}{what}: damaged, or not a .npz file: {error}"
            raise FileFormatError(" ".join(text.split())) from None


def list_npz(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Names, shapes and dtypes of the arrays of a .npz file.

    Raises:
        FileFormatError: if it is not a .npz file, damaged, truncated or holds objects.
    """
    found = {}
    with _archive(path) as archive:
        for member in archive.namelist():
            if member.endswith(".npy"):
                name = member.removesuffix(".npy")
                with archive.open(member) as file:
                    shape, _, dtype = _header(file, f"{path}: array {name!r}")
                found[name] = (shape, dtype)
    return found


def read_npz(path: Path, name: str) -> np.ndarray:
    """Return one array of a .npz file.

    Raises:
        FileFormatError: if it is damaged, truncated or holds objects.
    """
    where = f": array {name!r}"
    with _archive(path, where) as archive, archive.open(f"{name}.npy") as file:
        shape, fortran, dtype = _header(file, f"{path}{where}")
        data = file.read()
    need = int(np.prod(shape, dtype=object)) * dtype.itemsize if shape else dtype.itemsize
    if len(data) != need:
        raise FileFormatError(
            f"{path}{where}: {len(data)} bytes of data, but {dtype} of shape {shape} takes {need}"
        )
    x = np.frombuffer(data, dtype) if need else np.zeros(0, dtype)
    return x.reshape(shape, order="F" if fortran else "C")


def write_npy(path: Path, x: np.ndarray) -> None:
    """Write one array. ``path`` is written directly: callers pass a temporary name."""
    with path.open("wb") as file:
        npy.write_array(file, x, allow_pickle=False)


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays uncompressed; the same arrays always give the same bytes.

    ``path`` is written directly: callers pass a temporary name.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name in sorted(arrays):
            # A ZipInfo of its own: the default one has the time of day in it.
            entry = zipfile.ZipInfo(f"{name}.npy")
            with archive.open(entry, "w", force_zip64=True) as file:
                npy.write_array(file, np.asanyarray(arrays[name]), allow_pickle=False)
