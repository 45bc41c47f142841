"""Arrays of other libraries by DLPack, and torch tensors out (spec §20.5, §20.6).

torch is never imported to find out what an array is: a tensor of torch's exists only where torch
has been imported already.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import ml_dtypes
import numpy as np
import numpy.typing as npt

from emulator.errors import ToolError

if TYPE_CHECKING:
    from emulator.tensor import Quantized

CPU = 1
"""DLPack's number of main memory."""

DEVICES = {2: "CUDA", 3: "CUDA's pinned memory", 4: "OpenCL", 7: "Vulkan", 8: "Metal"}
DEVICES |= {10: "ROCm", 11: "ROCm's pinned memory", 13: "CUDA's managed memory", 14: "oneAPI"}

_VIEWS = {
    "bfloat16": ("int16", ml_dtypes.bfloat16),
    "float8_e4m3fn": ("uint8", ml_dtypes.float8_e4m3fn),
    "float8_e8m0fnu": ("uint8", ml_dtypes.float8_e8m0fnu),
    "float4_e2m1fn_x2": ("uint8", np.uint8),
}
"""Types of torch that NumPy's DLPack refuses: the type to go by, and the NumPy type to view."""


class TorchTensors(NamedTuple):
    """A quantized tensor as torch tensors.

    ``packed`` holds two codes in a byte (spec §20.1), ``codes`` one; ``tensor_scale`` is None for
    a recipe without one.
    """

    codes: Any
    packed: Any
    scales: Any
    tensor_scale: Any


def as_array(x: Any, what: str) -> tuple[npt.NDArray[Any], str]:
    """Return an array of NumPy for any object with ``__dlpack__``, without a copy (spec §20.6).

    Returns:
        The array and the name of its type. What is neither an array nor such an object comes
        back as it is, for the caller to refuse.

    Raises:
        TypeError: naming the device if that is not the CPU, or the type or layout if NumPy
            cannot take it.
    """
    if isinstance(x, np.ndarray):
        return x, x.dtype.name
    if not (hasattr(x, "__dlpack__") and hasattr(x, "__dlpack_device__")):
        return x, f"a {type(x).__name__}"
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(x, torch.Tensor):
        return _of_torch(torch, x, what)
    device = int(x.__dlpack_device__()[0])
    if device != CPU:
        where = DEVICES.get(device, f"DLPack's device {device}")
        raise TypeError(f"{what} is on {where}; move it to the CPU first (spec §20.6)")
    try:
        array = np.from_dlpack(x)
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        raise TypeError(f"{what} cannot be taken by DLPack (spec §20.6): {_line(error)}") from None
    return array, array.dtype.name


def _of_torch(torch: Any, x: Any, what: str) -> tuple[npt.NDArray[Any], str]:
    if x.device.type != "cpu":
        raise TypeError(f"{what} is on {x.device}; move it to the CPU first (spec §20.6)")
    name = str(x.dtype).removeprefix("torch.")
    through, dtype = _VIEWS.get(name, (None, None))
    try:
        x = x.detach().resolve_neg()
        array = np.from_dlpack(x if through is None else x.view(getattr(torch, through)))
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        raise TypeError(
            f"{what} of {name} cannot be taken by DLPack (spec §20.6): {_line(error)}"
        ) from None
    return (array if dtype is None else array.view(dtype)), name


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def to_torch(q: Quantized, raw: bool) -> TorchTensors:
    """What `Quantized.to_torch` returns."""
    from emulator.interchange import TYPES, packed_codes

    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        raise ToolError(
            f"torch cannot be imported ({_line(error)}); install it, or use .codes, .packed() "
            "and .scales"
        ) from None
    names = {"packed": "uint8", "scales": "uint8"}
    if not raw:
        names["packed"] = f"{TYPES.get(q.recipe.element.name, q.recipe.element.name)}_x2"
        names["scales"] = TYPES.get(q.recipe.scale.name, q.recipe.scale.name)
        for part, name in names.items():
            if not hasattr(torch, name):
                raise ValueError(
                    f"torch {torch.__version__} has no type {name} for the {part} of "
                    f"{q.recipe.name}; to_torch(raw=True) gives uint8 (spec §20.5)"
                )
    return TorchTensors(
        codes=_shared(torch, q.codes),
        packed=_shared(torch, packed_codes(q)).view(getattr(torch, names["packed"])),
        scales=_shared(torch, q.scales).view(getattr(torch, names["scales"])),
        tensor_scale=None if q.tensor_scale is None else torch.tensor(float(q.tensor_scale)),
    )


def _shared(torch: Any, array: npt.NDArray[np.uint8]) -> Any:
    """A tensor on the array's memory, or on a copy where torch cannot have it."""
    if not array.flags.writeable or any(s < 0 for s in array.strides):
        array = array.copy()
    return torch.from_numpy(array)
