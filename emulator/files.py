"""Tensors in files: floats in (.npy, .npz, .safetensors, llama2.c's .bin), quantized ones out.

A quantized tensor K is stored as the arrays ``K.codes`` and ``K.scales``, both uint8, and a JSON
text named "finescale" with the specification version and each tensor's recipe, axis and shape.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from emulator import safetensors_io
from emulator.errors import FileFormatError, UnknownNameError, near
from emulator.folder import new_file
from emulator.llama2c_io import read_llama2c
from emulator.numpy_io import list_npz, read_npy, read_npz, write_npy, write_npz
from emulator.recipes import recipe
from emulator.safetensors_io import write_safetensors
from emulator.version import SPEC_VERSION

if TYPE_CHECKING:
    from emulator.tensor import Quantized

FLOATS: Mapping[str, np.dtype] = {
    "float32": np.dtype(np.float32),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float16": np.dtype(np.float16),
}
"""Input types (spec §4.1)."""

INPUTS = (".npy", ".npz", ".safetensors", ".bin")
FLOAT_OUTPUTS = (".npy", ".npz", ".safetensors")
OUTPUTS = (".npz", ".safetensors")
METADATA = "finescale"
KIND = "finescale quantized tensors"


@dataclass(frozen=True)
class Stored:
    """A tensor in a file: its dtype by name, its shape, and how to get its array as stored."""

    dtype: str
    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]

    @property
    def is_float(self) -> bool:
        """Whether it is of an input type (spec §4.1)."""
        return self.dtype in FLOATS

    def holds(self, dtype: str) -> bool:
        """Whether it is of an input type, or plain bits of its size."""
        bits = 8 * FLOATS[dtype].itemsize
        return self.dtype in (dtype, f"uint{bits}", f"void{bits}")


def check_suffix(path: Path, allowed: Sequence[str]) -> str:
    """Return how the file's name ends; FileFormatError if not in one of the allowed ways."""
    if path.suffix not in allowed:
        raise FileFormatError(f"{path}: the name does not end in {' or '.join(allowed)}")
    return path.suffix


def list_tensors(path: Path) -> dict[str, Stored]:
    """The tensors of a .npy, .npz, .safetensors or llama2.c .bin file.

    The array of a .npy file is named by the file's stem.

    Raises:
        FileFormatError: if the file is not of its kind, damaged or truncated.
        OSError: if it cannot be read.
    """
    suffix = check_suffix(path, INPUTS)
    if suffix == ".npy":
        x = read_npy(path)
        return {path.stem: Stored(x.dtype.name, x.shape, lambda: x)}
    if suffix == ".npz":
        return {
            name: Stored(dtype.name, shape, partial(read_npz, path, name))
            for name, (shape, dtype) in list_npz(path).items()
        }
    if suffix == ".bin":
        return {
            name: Stored(x.dtype.name, x.shape, partial(np.asarray, x))
            for name, x in read_llama2c(path).items()
        }
    header = safetensors_io.read_header(path)
    names = {name: dtype.name for name, dtype in safetensors_io.DTYPES.items()}
    return {
        name: Stored(
            names.get(e.dtype, e.dtype),
            e.shape,
            partial(safetensors_io.read_array, path, header, name),
        )
        for name, e in sorted(header.tensors.items())
    }


def _choose(path: Path, known: Collection[str], keys: Sequence[str] | None) -> list[str]:
    for key in keys or ():
        if key not in known:
            has = near(key, known) or f" (it has {', '.join(list(known)[:5])})"
            raise UnknownNameError(f"{path}: no tensor {key!r}{has if known else ''}")
    return list(dict.fromkeys(keys)) if keys else list(known)


def read_tensors(
    path: Path,
    keys: Sequence[str] | None = None,
    dtype: str | None = None,
    *,
    skip_others: bool = False,
) -> dict[str, np.ndarray]:
    """Read float tensors of a .npy, .npz, .safetensors or llama2.c .bin file.

    Tensors of .npy and .safetensors files are read-only views of the mapped file.

    Args:
        path: the file; its name says what kind it is.
        keys: names of tensors; all if None.
        dtype: "float32", "bfloat16" or "float16": what the patterns are where the file does not
            say so. NumPy's files lose bfloat16: it comes back as void or uint16.
        skip_others: leave out tensors of other types (integers, say) instead of refusing them.

    Returns:
        Arrays of float32, bfloat16 or float16 by name; at least one.

    Raises:
        FileFormatError: if the file is not of its kind, damaged, truncated, or holds no tensor
            that is asked for.
        UnknownNameError: for a key that the file does not have; the message lists near ones.
        TypeError: naming the tensor and its dtype, if that is not an input type (spec §4.1), or
            another one than ``dtype``.
        ValueError: for another ``dtype``.
        OSError: if the file cannot be read.
    """
    if dtype is not None and dtype not in FLOATS:
        raise ValueError(f"dtype {dtype!r} is not one of {', '.join(FLOATS)}")
    stored = list_tensors(path)
    chosen = {name: stored[name] for name in _choose(path, stored, keys)}
    fits = {n: s.holds(dtype) if dtype else s.is_float for n, s in chosen.items()}
    for name, ok in fits.items():
        if not ok and not skip_others:
            raise TypeError(f"{path}: tensor {name!r} {_refusal(chosen[name], dtype)}")
    if not any(fits.values()):
        wanted = dtype or ", ".join(FLOATS)
        raise FileFormatError(f"{path}: none of its {len(chosen)} tensors is {wanted}")
    return {name: _as_float(s.read(), dtype) for name, s in chosen.items() if fits[name]}


def _refusal(s: Stored, dtype: str | None) -> str:
    if dtype is not None and s.is_float:
        return f"is {s.dtype}, not {dtype}; nothing is converted"
    if dtype is None and s.dtype in ("void16", "uint16"):
        return (
            f"is {s.dtype}: which numbers these bits are is not known; NumPy's files lose "
            "bfloat16, so if it is that, say so with --dtype bfloat16 (dtype='bfloat16')"
        )
    return f"is {s.dtype}, not {dtype or ', '.join(FLOATS)} (spec §4.1)"


def _as_float(x: np.ndarray, dtype: str | None) -> np.ndarray:
    """An array as native floats, its bits untouched."""
    if not x.dtype.isnative:
        x = x.astype(x.dtype.newbyteorder("="))
    return x if dtype is None else x.view(FLOATS[dtype])


def write_quantized(path: Path, tensors: Mapping[str, Quantized]) -> None:
    """Write quantized tensors to a .npz or .safetensors file, which appears whole or not at all.

    Raises:
        FileFormatError: if the name has another ending.
        ValueError: if there is nothing to write.
        OSError: if it cannot be written.
    """
    suffix = check_suffix(path, OUTPUTS)
    if not tensors:
        raise ValueError(f"{path}: there is no tensor to write")
    arrays: dict[str, np.ndarray] = {}
    entries: dict[str, Any] = {}
    for key, q in sorted(tensors.items()):
        arrays[f"{key}.codes"], arrays[f"{key}.scales"] = q.codes, q.scales
        entries[key] = {
            "recipe": q.recipe.name,
            "axis": q.axis,
            "shape": list(q.shape),
            "codes": f"{q.recipe.element.name}, one code per byte",
            "scales": f"{q.recipe.scale.name} codes as U8",
            "tensor_scale": None if q.tensor_scale is None else float(q.tensor_scale),
        }
    text = json.dumps({"kind": KIND, "spec": SPEC_VERSION, "tensors": entries})
    with new_file(path) as part:
        if suffix == ".npz":
            write_npz(part, arrays | {METADATA: np.array(text)})
        else:
            write_safetensors(part, arrays, {METADATA: text, "format": "np"})


def read_quantized(path: Path, keys: Sequence[str] | None = None) -> dict[str, Quantized]:
    """Read back what `write_quantized` wrote, or a file of compressed-tensors (spec §20.7).

    Raises:
        FileFormatError: if the file is damaged, or not one of these.
        UnknownNameError: for a key that it does not have.
    """
    suffix = check_suffix(path, OUTPUTS)
    stored = list_tensors(path)
    if suffix == ".npz":
        text = str(stored[METADATA].read()) if METADATA in stored else ""
    else:
        from emulator.compressed_tensors_io import (
            holds_compressed_tensors,
            read_compressed_tensors,
        )

        header = safetensors_io.read_header(path)
        if holds_compressed_tensors(header):
            return read_compressed_tensors(path, keys)
        text = header.metadata.get(METADATA, "")
    try:
        if not text:
            raise ValueError(f"it has no entry {METADATA!r}")
        found = json.loads(text)
        if found["kind"] != KIND or found["spec"] != SPEC_VERSION:
            raise ValueError(
                f"{found['kind']!r} of specification {found['spec']} is not {KIND!r} of "
                f"{SPEC_VERSION}"
            )
        known = found["tensors"]
        chosen = _choose(path, known, keys)
        return {key: _quantized(stored, key, known[key]) for key in chosen}
    except UnknownNameError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        text = "a part is missing" if isinstance(error, KeyError) else str(error)
        raise FileFormatError(f"{path}: not a file of quantized tensors: {text}") from None


def _quantized(stored: Mapping[str, Stored], key: str, entry: Any) -> Quantized:
    from emulator.tensor import Quantized

    g = entry["tensor_scale"]
    q = Quantized(
        codes=stored[f"{key}.codes"].read(),
        scales=stored[f"{key}.scales"].read(),
        recipe=recipe(entry["recipe"]),
        axis=entry["axis"],
        tensor_scale=None if g is None else np.float32(g),
    )
    if list(q.shape) != entry["shape"]:
        raise ValueError(f"{key}.codes has shape {q.shape}, should be {tuple(entry['shape'])}")
    if q.codes.max() >> q.recipe.element.width:
        raise ValueError(f"{key}.codes holds {q.codes.max():#x}, no {q.recipe.element.name} code")
    return q


def write_floats(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write float tensors to a .npy, .npz or .safetensors file, whole or not at all.

    Raises:
        FileFormatError: if the name has another ending, or .npy is to hold other than one tensor.
        TypeError: for bfloat16 in NumPy's files, which would lose it.
        OSError: if it cannot be written.
    """
    suffix = check_suffix(path, FLOAT_OUTPUTS)
    if suffix == ".npy" and len(tensors) != 1:
        raise FileFormatError(f"{path}: a .npy file holds one tensor, not {len(tensors)}")
    if suffix != ".safetensors" and any(x.dtype == FLOATS["bfloat16"] for x in tensors.values()):
        raise TypeError(f"{path}: NumPy's files lose bfloat16; write a .safetensors file")
    with new_file(path) as part:
        if suffix == ".safetensors":
            write_safetensors(part, tensors, {})
        elif suffix == ".npz":
            write_npz(part, tensors)
        else:
            write_npy(part, next(iter(tensors.values())))
