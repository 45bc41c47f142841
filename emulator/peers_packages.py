"""The real packages: each peer computed by the code it is a model of.

Three libraries cannot be imported where there is no GPU, or only with very many others. Of these
single modules are loaded by path from the installed wheel, with the names that they import.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Callable, Iterable
from functools import cache, partial
from importlib import metadata
from math import ceil
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from emulator.peers import PEERS
from emulator.peers_codes import UE5M3, e2m1_decode


class Missing(Exception):
    """A package is not there, or not in the version that is modelled."""


class Prepared(NamedTuple):
    """A call of a package on a tensor that is in the form it takes, and how to read its result."""

    call: Callable[[], Any]
    read: Callable[[Any], Ran]


class Ran(NamedTuple):
    """What a package computed; `decoded` only where it decodes in float32 itself."""

    codes: np.ndarray
    scales: np.ndarray
    constants: tuple[np.float32, ...]
    decoded: np.ndarray | None


def versions() -> dict[str, str]:
    """Versions of the packages that are there."""
    names = ("torch", *(name for name, _ in _NEEDS.values()))
    found = {}
    for name in dict.fromkeys(names):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


_NEEDS = {
    "torchao": ("torchao", "0.18.0"),
    "te": ("transformer-engine", "2.20.2"),
    "fouroversix": ("fouroversix", "1.0.5"),
    "compressed-tensors": ("compressed-tensors", "0.20.0"),
    "modelopt": ("nvidia-modelopt", "0.47.0"),
    "autoround": ("auto-round", "0.16.1"),
}


def _library(name: str) -> str | None:
    return next((k for k in _NEEDS if name.startswith(f"peer-{k}-")), None)


def version_of(name: str) -> tuple[str, str]:
    """The package that a peer models, and its version."""
    return _NEEDS[_library(name) or ""]


def preparer(name: str) -> Callable[[np.ndarray, bool], Prepared]:
    """A function of a tensor of finite float32 numbers, and whether to give it as bfloat16.

    Args:
        name: of a peer.

    Raises:
        Missing: if what it takes is not installed, or the peer has no package to run on a CPU.
    """
    library = _library(name)
    if library is None or PEERS[name].checked in ("restatement", "description"):
        raise Missing(f"{name} has no package that runs on a CPU")
    have = versions()
    for package, version in (("torch", "2.13.0"), _NEEDS[library]):
        if have.get(package, "").split("+")[0] != version:
            raise Missing(f"{package} {version} is not installed (found {have.get(package)})")
    mode = name.removeprefix(f"peer-{library}-")
    return partial(_PREPARERS[library], mode)


def runner(name: str) -> Callable[[np.ndarray, bool], Ran]:
    """As `preparer`, but the function calls the package and returns what it computed."""
    prepare = preparer(name)

    def run(x: np.ndarray, as_bf16: bool) -> Ran:
        prepared = prepare(x, as_bf16)
        return prepared.read(prepared.call())

    return run


def _import(name: str) -> Any:
    """Import a module of which the type checker need not know."""
    return importlib.import_module(name)


def _torch(x: np.ndarray, as_bf16: bool) -> Any:
    torch = _import("torch")

    found = torch.from_numpy(np.ascontiguousarray(x))
    return found.to(torch.bfloat16) if as_bf16 else found.clone()


def _nibbles(packed: Any, rows: int) -> np.ndarray:
    torch = _import("torch")

    found = packed.contiguous().view(torch.uint8).numpy().reshape(rows, -1)
    return np.stack([found & 15, found >> 4], axis=-1).reshape(rows, -1)


def _bytes(scales: Any, rows: int) -> np.ndarray:
    torch = _import("torch")

    return scales.contiguous().view(torch.uint8).numpy().reshape(rows, -1)


def _torchao(mode: str, x: np.ndarray, as_bf16: bool) -> Prepared:
    torch = _import("torch")
    mx_tensor = _import("torchao.prototype.mx_formats.mx_tensor")
    nvfp4_tensor = _import("torchao.prototype.mx_formats.nvfp4_tensor")
    modes = _import("torchao.prototype.mx_formats.config").ScaleCalculationMode

    data, rows = _torch(x, as_bf16), len(x)
    if mode.startswith("mxfp4"):
        chosen = modes[mode.removeprefix("mxfp4-").upper()]
        four = torch.float4_e2m1fn_x2

        def read_mx(made: Any) -> Ran:
            scales, packed = made
            decoded = mx_tensor.to_dtype(packed, scales, four, 32, torch.float32).numpy()
            return Ran(_nibbles(packed, rows), _bytes(scales, rows), (), decoded)

        return Prepared(lambda: mx_tensor.to_mx(data, four, 32, chosen), read_mx)

    def tensor_scale() -> Any:
        if mode != "nvfp4-2level":
            return None
        return nvfp4_tensor.per_tensor_amax_to_scale(data.abs().max())

    def read(made: Any) -> Ran:
        scales, packed = made
        p = tensor_scale()
        whole = nvfp4_tensor.NVFP4Tensor.to_nvfp4(data, per_tensor_scale=p)
        decoded = whole.dequantize(torch.float32).numpy()
        constants = () if p is None else (np.float32(p.item()),)
        return Ran(_nibbles(packed, rows), _bytes(scales, rows), constants, decoded)

    return Prepared(lambda: nvfp4_tensor.nvfp4_quantize(data, 16, tensor_scale()), read)


def _transformer_engine(mode: str, x: np.ndarray, as_bf16: bool) -> Prepared:
    module, utils = _te()
    kind = mode.split("-")
    options: dict[str, Any] = {}
    if len(kind) > 1:
        options = {
            "nvfp4_use_4over6": True,
            "nvfp4_e4m3_max": int(kind[2]),
            "nvfp4_4over6_err_mode": kind[3],
        }
    made = module.NVFP4QuantizerRef(utils.Fp4Formats.E2M1, True, False, **options)
    data = _torch(x, as_bf16)

    def read(made: Any) -> Ran:
        packed, scales, _, _, amax, _ = made
        constant = (np.float32(amax.item()),)
        return Ran(_nibbles(packed, len(x)), _bytes(scales, len(x)), constant, None)

    return Prepared(lambda: made._quantize(data), read)


def _fouroversix(mode: str, x: np.ndarray, as_bf16: bool) -> Prepared:
    utils = _import("fouroversix.utils")
    quantize = _import("fouroversix.quantize.pytorch.reference").quantize_to_fp4
    data, rule = _torch(x, as_bf16), utils.ScaleRule[mode.replace("-", "_")]

    def call() -> Any:
        return quantize(
            data,
            fp4_format=utils.DataType.nvfp4,
            scale_rule=rule,
            use_blackwell_scale_layout=False,
        )

    def read(made: Any) -> Ran:
        packed, scales, amax = made
        constant = (np.float32(amax.item()),)
        return Ran(_nibbles(packed, len(x)), _bytes(scales, len(x)), constant, None)

    return Prepared(call, read)


def _compressed_tensors(mode: str, x: np.ndarray, as_bf16: bool) -> Prepared:
    torch = _import("torch")
    compressor = _import("compressed_tensors.compressors.nvfp4.base").NVFP4PackedCompressor
    helpers = _import("compressed_tensors.quantization.utils.helpers")
    presets = _import("compressed_tensors.quantization")
    data = _torch(x, as_bf16 or mode.endswith("bf16"))
    scheme = presets.preset_name_to_scheme("NVFP4", ["Linear"])

    def call() -> Any:
        g = helpers.generate_gparam(data.min(), data.max())
        scale, _ = helpers.compute_dynamic_scales_and_zp(
            data, scheme.weights, torch.nn.Module(), global_scale=g
        )
        state = {"weight": data, "weight_scale": scale, "weight_global_scale": g}
        return compressor.compress(state, scheme), g

    def read(result: Any) -> Ran:
        made, g = result
        codes = _nibbles(made["weight_packed"], len(x))
        return Ran(codes, _bytes(made["weight_scale"], len(x)), (np.float32(g.item()),), None)

    return Prepared(call, read)


def _nvidia_modelopt(mode: str, x: np.ndarray, as_bf16: bool) -> Prepared:
    quantize, data = _modelopt().NVFP4QTensor.quantize, _torch(x, as_bf16)

    def read(result: Any) -> Ran:
        made, scales, w2 = result
        codes = _nibbles(made._quantized_data, len(x))
        return Ran(codes, _bytes(scales, len(x)), (np.float32(w2.item()),), None)

    return Prepared(lambda: quantize(data, 16), read)


def _auto_round(mode: str, x: np.ndarray, as_bf16: bool) -> Prepared:
    quantize, data = _autoround().nvfp4_v2, _torch(x, as_bf16)

    def read(made: Any) -> Ran:
        found, scale, _ = made
        decoded, scale = found.float().numpy(), scale.numpy().reshape(len(x), -1)
        known = UE5M3.decode(np.arange(255, dtype=np.uint8))
        scales = np.searchsorted(known, scale).astype(np.uint8)
        assert (known[scales] == scale).all()
        # It gives no codes, but value times scale, exactly.
        wide = np.repeat(scale, 16, axis=1).astype(np.float64)
        with np.errstate(invalid="ignore"):
            values = np.where(wide > 0, decoded / wide, 0)
        magnitudes = np.searchsorted(e2m1_decode(np.arange(8, dtype=np.uint8)), np.abs(values))
        codes = (magnitudes + 8 * np.signbit(decoded)).astype(np.uint8)
        assert (np.abs(e2m1_decode(codes)) == np.abs(values)).all()
        return Ran(codes, scales, (), decoded)

    return Prepared(lambda: quantize(data, group_size=16), read)


_PREPARERS: dict[str, Callable[[str, np.ndarray, bool], Prepared]] = {
    "torchao": _torchao,
    "te": _transformer_engine,
    "fouroversix": _fouroversix,
    "compressed-tensors": _compressed_tensors,
    "modelopt": _nvidia_modelopt,
    "autoround": _auto_round,
}


def _path(package: str, path: str) -> Path:
    found = Path(str(metadata.distribution(package).locate_file(path)))
    if not found.exists():
        raise Missing(f"{package} has no {path}")
    return found


def _load(path: Path, name: str, imports: dict[str, ModuleType]) -> ModuleType:
    """Execute one file as the module `name`, with the modules that it imports given."""
    parts = name.split(".")
    packages = {".".join(parts[:n]): ModuleType(parts[n - 1]) for n in range(1, len(parts))}
    for package in packages.values():
        package.__path__ = []
    given = {**packages, **imports}
    before = {key: sys.modules.get(key) for key in given}
    sys.modules.update(given)
    try:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        for key, value in before.items():
            if value is None:
                sys.modules.pop(key, None)
            else:
                sys.modules[key] = value
    return module


def _module(name: str, **names: Any) -> ModuleType:
    made = ModuleType(name)
    made.__dict__.update(names)
    return made


def _functions(path: Path, wanted: Iterable[str], names: dict[str, Any]) -> dict[str, Any]:
    """Execute only some functions of a file."""
    tree = ast.parse(path.read_text("utf-8"))
    tree.body = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name in set(wanted)]
    exec(compile(tree, str(path), "exec"), names)
    return {name: names[name] for name in wanted}


@cache
def _te() -> tuple[ModuleType, ModuleType]:
    package, folder = "transformer-engine", "transformer_engine/pytorch/custom_recipes/"
    root = "transformer_engine.pytorch."
    utils = _load(_path(package, f"{folder}reference_utils.py"), "reference_utils", {})

    class Quantizer:
        def __init__(self, *, rowwise: bool, columnwise: bool) -> None:
            self.rowwise_usage, self.columnwise_usage = rowwise, columnwise

    gemm = _module("gemm", GEMMType=SimpleNamespace(FPROP=None), MMParams=None)
    recipes = _module("custom_recipes", gemm=gemm, reference_utils=utils)
    recipes.__path__ = []
    imports = {
        f"{root}custom_recipes": recipes,
        f"{root}quantized_tensor": _module(
            "quantized_tensor", Quantizer=Quantizer, QuantizedTensorStorage=object
        ),
    }
    path = _path(package, f"{folder}reference_nvfp4.py")
    return _load(path, f"{root}custom_recipes.reference_nvfp4", imports), utils


@cache
def _modelopt() -> ModuleType:
    torch = _import("torch")

    package, folder = "nvidia-modelopt", "modelopt/torch/quantization/"
    root = "modelopt.torch.quantization."
    numeric = _load(_path(package, f"{folder}utils/numeric_utils.py"), "numeric_utils", {})
    wanted = ("reduce_amax", "reduce_block_amax", "reduce_block_padding")
    names = {"torch": torch, "F": torch.nn.functional, "_FP8_DTYPES": ()}
    utils = _module(
        "utils", **_functions(_path(package, f"{folder}utils/core_utils.py"), wanted, names)
    )
    utils.__path__ = []

    class BaseQuantizedTensor:
        def __init__(self, shape: Any, dtype: Any, data: Any) -> None:
            self._quantized_data = data

    imports = {
        f"{root}backends": _module("backends", __path__=[]),
        f"{root}backends.utils": _module("utils", fp4_compatible=lambda: False),
        f"{root}qtensor.base_qtensor": _module("base", BaseQuantizedTensor=BaseQuantizedTensor),
        f"{root}utils": utils,
        f"{root}utils.numeric_utils": numeric,
    }
    path = _path(package, f"{folder}qtensor/nvfp4_tensor.py")
    return _load(path, f"{root}qtensor.nvfp4_tensor", imports)


@cache
def _autoround() -> ModuleType:
    torch = _import("torch")

    package, folder, root = "auto-round", "auto_round/data_type/", "auto_round."
    wanted = ("reshape_pad_tensor_by_group_size", "revert_tensor_by_pad", "round_ste")
    names = {"torch": torch, "ceil": ceil}
    utils = _functions(_path(package, f"{folder}utils.py"), wanted, names)
    imports = {
        f"{root}data_type.fp8": _module("fp8", float8_e4m3fn_ste=None),
        f"{root}data_type.gguf": _module("gguf", _imatrix_handle_zero=None),
        f"{root}data_type.register": _module("register", register_dtype=lambda _: lambda f: f),
        f"{root}data_type.utils": _module("utils", **utils),
        f"{root}logger": _module("logger", logger=None),
    }
    return _load(_path(package, f"{folder}nvfp.py"), f"{root}data_type.nvfp", imports)
