"""Safetensors files in the layout of compressed-tensors, which vLLM reads (spec §20.7 to §20.11).

Written: weights only, ``nvfp4-pack-quantized`` and ``mxfp4-pack-quantized``. Names, types and
shapes are those that compressed-tensors 0.20.0 writes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emulator import safetensors_io
from emulator.errors import FileFormatError, UnknownNameError, near
from emulator.folder import new_file
from emulator.interchange import packed_codes, typed
from emulator.recipes import Recipe
from emulator.recipes import recipe as recipe_named
from emulator.tensor import Quantized
from emulator.tensor_scale import SMALLEST
from emulator.version import SPEC_VERSION

LARGEST = 2.0**126
"""The largest tensor scale whose reciprocal is a normal float32."""

METADATA = "finescale"
KIND = "finescale compressed-tensors"
PACKED, SCALE, GLOBAL = "_packed", "_scale", "_global_scale"


@dataclass(frozen=True)
class Layout:
    """What one of the two layouts holds."""

    format: str
    block_size: int
    strategy: str
    scale_dtype: str
    recipe: str
    """The recipe that a file which names none is read with; decoding depends on no rule."""


NVFP4 = Layout("nvfp4-pack-quantized", 16, "tensor_group", "torch.float8_e4m3fn", "nvfp4")
MXFP4 = Layout("mxfp4-pack-quantized", 32, "group", "torch.uint8", "mxfp4")
LAYOUTS = {"ue4m3": NVFP4, "e8m0": MXFP4}


def layout_of(recipe: Recipe | str) -> Layout:
    """Return the layout that a recipe's tensors fit (spec §20.8).

    Raises:
        ValueError: if they fit none; the message says why.
    """
    if isinstance(recipe, str):
        recipe = recipe_named(recipe)
    where = f"{recipe.name} does not fit compressed-tensors (spec §20.8)"
    if recipe.element.name != "e2m1":
        raise ValueError(f"{where}: its elements are {recipe.element.name}, not e2m1")
    if recipe.scale.name not in LAYOUTS:
        raise ValueError(
            f"{where}: it has no layout for {recipe.scale.name} scales, only for ue4m3 and e8m0"
        )
    layout = LAYOUTS[recipe.scale.name]
    if recipe.block_size != layout.block_size:
        raise ValueError(
            f"{where}: {layout.format} has blocks of {layout.block_size}, not {recipe.block_size}"
        )
    if recipe.tensor_scale == "hbf16":
        raise ValueError(
            f"{where}: it stores the tensor scale's reciprocal, from which a bfloat16 does not "
            "always come back; use h, h256 or hp2"
        )
    return layout


def stored_scale(g: float | np.floating[Any]) -> np.float32:
    """Return what is stored for a tensor scale: RNE_float32(1 / g) (spec §20.9).

    Raises:
        ValueError: if g is not a float32 from 2^-126 to 2^126.
    """
    with np.errstate(over="ignore"):
        value = np.float32(g)
    if float(value) != g or not SMALLEST <= float(value) <= LARGEST:
        raise ValueError(f"tensor scale {g} is not a float32 from 2^-126 to 2^126 (spec §20.9)")
    # IEEE 754 division of two float32 numbers is the exact quotient rounded once.
    return np.float32(1) / value


def read_scale(stored: float | np.floating[Any]) -> np.float32:
    """Return the tensor scale that a stored number stands for: RNE_float32(1 / stored).

    This is spec §20.10; the two functions are the same one.
    """
    return stored_scale(stored)


def kept_tensor_scale(g: float | np.floating[Any]) -> np.float32:
    """Return the tensor scale that comes back where g is stored (spec §20.11).

    It is g or one of its two neighbours, and comes back as itself: a tensor quantized with it is
    read back to the bit.

    Args:
        g: a float32 from 2^-126 to 2^126.

    Raises:
        ValueError: for another number.
    """
    return read_scale(stored_scale(g))


def compressed_tensors_config(
    recipe: Recipe | str, ignore: Sequence[str] = ("lm_head",)
) -> dict[str, Any]:
    """Return the ``quantization_config`` of a model's config.json (spec §20.7).

    Args:
        recipe: a `Recipe`, or its name.
        ignore: names of the linear modules that are not quantized.

    Raises:
        ValueError: if the recipe does not fit the layout (spec §20.8).
    """
    layout = layout_of(recipe)
    weights = {
        "num_bits": 4,
        "type": "float",
        "symmetric": True,
        "group_size": layout.block_size,
        "strategy": layout.strategy,
        "dynamic": False,
        "scale_dtype": layout.scale_dtype,
    }
    group = {"targets": ["Linear"], "weights": weights, "input_activations": None}
    return {
        "quant_method": "compressed-tensors",
        "format": layout.format,
        "quantization_status": "compressed",
        "config_groups": {"group_0": group},
        "ignore": list(ignore),
    }


def stored_arrays(key: str, q: Quantized) -> dict[str, np.ndarray]:
    """Return the arrays that a tensor is stored as, by name (spec §20.7).

    Raises:
        ValueError: if the recipe, shape or axis does not fit the layout (spec §20.8).
    """
    layout = layout_of(q.recipe)
    if len(q.shape) != 2 or q.axis != 1 or q.shape[1] % layout.block_size:
        raise ValueError(
            f"tensor {key!r} of shape {q.shape} in blocks along axis {q.axis} does not fit "
            f"{layout.format}: it stores matrices of whole blocks of {layout.block_size} along "
            "axis 1 (spec §20.8)"
        )
    arrays = {key + PACKED: packed_codes(q)}
    if layout is MXFP4:
        return arrays | {key + SCALE: q.scales}
    try:
        stored = stored_scale(1.0 if q.tensor_scale is None else q.tensor_scale)
    except ValueError as error:
        raise ValueError(f"tensor {key!r}: {error}") from None
    return arrays | {
        key + SCALE: typed(np.ascontiguousarray(q.scales), q.recipe.scale),
        key + GLOBAL: np.array([stored]),
    }


def write_compressed_tensors(
    path: Path | str,
    tensors: Mapping[str, Quantized],
    others: Mapping[str, np.ndarray] | None = None,
) -> None:
    """Write quantized weights for vLLM; the file appears whole or not at all (spec §20.7).

    Tensor scales are stored as reciprocals, so that one may come back as a neighbouring float32
    (spec §20.10); `kept_tensor_scale` gives one with which that does not happen.

    Args:
        path: a name that ends in .safetensors.
        tensors: by the names of the weights, such as ``model.layers.0.mlp.up_proj.weight``.
        others: tensors that are stored as they are.

    Raises:
        FileFormatError: if the name has another ending.
        ValueError: if a tensor does not fit the layout, two would have one name, or there is
            none.
        OSError: if the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise FileFormatError(f"{path}: the name does not end in .safetensors")
    if not tensors:
        raise ValueError(f"{path}: there is no tensor to write")
    arrays = dict(others or {})
    for key, q in tensors.items():
        for name, array in stored_arrays(key, q).items():
            if name in arrays:
                raise ValueError(f"{path}: two tensors have the name {name!r}")
            arrays[name] = array
    entries = {key: {"recipe": q.recipe.name} for key, q in sorted(tensors.items())}
    text = json.dumps({"kind": KIND, "spec": SPEC_VERSION, "tensors": entries})
    with new_file(path) as part:
        safetensors_io.write_safetensors(part, arrays, {METADATA: text, "format": "pt"})


def holds_compressed_tensors(header: safetensors_io.Header) -> bool:
    """Whether a safetensors file has packed codes beside scales under these names."""
    return bool(_keys(header))


def _keys(header: safetensors_io.Header) -> list[str]:
    found = (n.removesuffix(PACKED) for n in header.tensors if n.endswith(PACKED))
    return sorted(key for key in found if key + SCALE in header.tensors)


def read_compressed_tensors(
    path: Path | str, keys: Sequence[str] | None = None
) -> dict[str, Quantized]:
    """Read the quantized weights of one file of the layout (spec §20.7, §20.10).

    The recipe is the one that the file names, if finescale wrote it; else ``nvfp4`` or ``mxfp4``:
    decoding depends on no rule.

    Args:
        path: a .safetensors file.
        keys: names of weights; all if None.

    Returns:
        Quantized matrices by name, the tensor scales computed from what is stored.

    Raises:
        FileFormatError: if the file is damaged, or holds no tensor of this layout.
        UnknownNameError: for a key that it does not have.
        OSError: if it cannot be read.
    """
    path = Path(path)
    header = safetensors_io.read_header(path)
    known = _keys(header)
    if not known:
        raise FileFormatError(f"{path}: no tensor has a name ending in {PACKED} beside its {SCALE}")
    for key in keys or ():
        if key not in known:
            has = near(key, known) or f" (it has {', '.join(known[:5])})"
            raise UnknownNameError(f"{path}: no tensor {key!r}{has}")
    recipes = _recipes(path, header)
    found = {}
    for key in dict.fromkeys(keys or known):
        try:
            found[key] = _read(path, header, key, recipes.get(key))
        except (KeyError, TypeError, ValueError) as error:
            text = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise FileFormatError(f"{path}: tensor {key!r}: {text}") from None
    return found


def _recipes(path: Path, header: safetensors_io.Header) -> dict[str, Recipe]:
    text = header.metadata.get(METADATA)
    if text is None:
        return {}
    try:
        found = json.loads(text)
        if found["kind"] != KIND or found["spec"] != SPEC_VERSION:
            raise ValueError(f"it is not {KIND!r} of specification {SPEC_VERSION}")
        return {key: recipe_named(entry["recipe"]) for key, entry in found["tensors"].items()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise FileFormatError(f"{path}: the metadata {METADATA!r}: {error}") from None


def _read(path: Path, header: safetensors_io.Header, key: str, chosen: Recipe | None) -> Quantized:
    packed, scales = (safetensors_io.read_array(path, header, key + e) for e in (PACKED, SCALE))
    layout = MXFP4 if scales.dtype.name in ("uint8", "float8_e8m0fnu") else NVFP4
    recipe = chosen or recipe_named(layout.recipe)
    if layout_of(recipe) is not layout:
        raise ValueError(f"its scales are {scales.dtype}, which {recipe.name} does not have")
    rows = packed.shape[0] if packed.ndim == 2 else 0
    shape = (rows, 2 * packed.size // max(1, rows))
    if not packed.size or scales.shape != (rows, shape[1] / layout.block_size):
        raise ValueError(
            f"codes of shape {packed.shape} and scales of shape {scales.shape} are not those of a "
            f"matrix in blocks of {layout.block_size}"
        )
    if layout is MXFP4:
        return Quantized.from_packed(packed, scales, recipe)
    stored = safetensors_io.read_array(path, header, key + GLOBAL)
    if stored.dtype != np.float32 or stored.shape not in ((1,), ()):
        raise ValueError(f"its global scale is {stored.dtype} of shape {stored.shape}, not one F32")
    g = read_scale(stored.reshape(-1)[0])
    if recipe.tensor_scale is None and g != 1:
        raise ValueError(f"its tensor scale is {g}, but {recipe.name} has none")
    return Quantized.from_packed(
        packed, scales, recipe, tensor_scale=None if recipe.tensor_scale is None else float(g)
    )
