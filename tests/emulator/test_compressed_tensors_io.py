"""Files of compressed-tensors (spec §20.7 to §20.11), with that library as the judge."""

from __future__ import annotations

import importlib
import json
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.compressed_tensors_io import (
    KIND,
    compressed_tensors_config,
    kept_tensor_scale,
    layout_of,
    read_compressed_tensors,
    read_scale,
    stored_arrays,
    stored_scale,
    write_compressed_tensors,
)
from emulator.errors import FileFormatError, UnknownNameError
from emulator.files import read_quantized
from emulator.interchange import unpack
from emulator.recipes import recipe
from emulator.safetensors_io import read_array, read_header, write_safetensors
from emulator.tensor import Quantized, dequantize, quantize
from tests.emulator.make_interchange_vectors import VECTORS, compressed, versions, weights

FITTING = ("nvfp4", "mxfp4", "ue4m3-4o6-h256-b16", "ue4m3-absmax-hp2-b16", "ue4m3-absmax-pz-b16")
HALF = 1 << 23


def same(a: Quantized, b: Quantized) -> bool:
    return (
        np.array_equal(a.codes, b.codes)
        and np.array_equal(a.scales, b.scales)
        and (a.recipe, a.axis, a.tensor_scale) == (b.recipe, b.axis, b.tensor_scale)
    )


def kept(x: np.ndarray, name: str) -> Quantized:
    q = quantize(x, name)
    if q.tensor_scale is None:
        return q
    return quantize(x, name, tensor_scale=kept_tensor_scale(q.tensor_scale))


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    header = read_header(path)
    return {name: read_array(path, header, name) for name in header.tensors}


def reciprocals(significands: np.ndarray) -> np.ndarray:
    """RNE(1 / (m / 2^23)) for m from 2^23 up to 2^24, as significands of 24 bits in integers.

    1 itself stays 2^23 with the exponent of 1; all others are in units of 2^-24.
    """
    m = significands.astype(np.uint64)
    numerator = np.uint64(1 << 47)
    whole = numerator // m
    rest = 2 * (numerator - whole * m)
    whole += (rest > m) | ((rest == m) & (whole % 2 == 1))
    return np.where(m == HALF, HALF, whole)


def test_all_significands_of_a_tensor_scale() -> None:
    """spec §20.9, §20.10, §20.11: counted over a binade in integers, and by the functions."""
    m = np.arange(HALF, 2 * HALF, dtype=np.uint64)
    stored = reciprocals(m)
    assert stored.min() >= HALF and stored[1:].max() < 2 * HALF
    back = reciprocals(stored)
    change = back.astype(np.int64) - m.astype(np.int64)
    assert dict(zip(*np.unique(change, return_counts=True), strict=True)) == {
        -1: 720_186,
        0: 6_949_350,
        1: 719_072,
    }
    assert np.array_equal(reciprocals(reciprocals(back)), back)
    g = (m.astype(np.uint32) - np.uint32(HALF) + np.uint32(0x3F800000)).view(np.float32)
    with np.errstate(all="raise"):
        theirs = np.float32(1) / g
        again = np.float32(1) / theirs
    low = theirs.view(np.uint32) % HALF
    assert np.array_equal(low, (stored % HALF).astype(np.uint32))
    assert np.array_equal(again.view(np.uint32) % HALF, (back % HALF).astype(np.uint32))
    for i in (0, 1, 3475731, 3478278, 2 * HALF - HALF - 1):
        assert stored_scale(g[i]) == theirs[i]
        assert read_scale(theirs[i]) == kept_tensor_scale(g[i]) == again[i]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(0x00800000, 0x7E800000))
def test_reciprocals_at_all_exponents(bits: int) -> None:
    """spec §20.9: the nearest float32, by exact fractions."""
    g = np.uint32(bits).view(np.float32)
    stored = stored_scale(g)
    exact = 1 / Fraction(float(g))
    near = [np.nextafter(stored, np.float32(d)) for d in (0, np.inf)]
    gap = abs(Fraction(float(stored)) - exact)
    assert all(gap <= abs(Fraction(float(n)) - exact) for n in near)
    back = kept_tensor_scale(g)
    assert abs(int(back.view(np.uint32)) - bits) <= 1 and kept_tensor_scale(back) == back


def test_tensor_scales_out_of_range_are_refused() -> None:
    """spec §20.9: the reciprocal is a normal float32."""
    for g in (0.0, -1.0, 2.0**-127, 2.0**126 * (1 + 2.0**-23), 1e300, np.inf, np.nan, 1 / 3):
        with pytest.raises(ValueError, match=r"is not a float32 from 2\^-126 to 2\^126"):
            stored_scale(g)
    assert stored_scale(2.0**126) == 2.0**-126


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    rows=st.integers(1, 9),
    blocks=st.integers(1, 5),
    name=st.sampled_from(FITTING),
    seed=st.integers(0, 99),
    dtype=st.sampled_from([np.float32, np.float16, ml_dtypes.bfloat16]),
)
def test_files_come_back(
    tmp_path_factory: pytest.TempPathFactory,
    rows: int,
    blocks: int,
    name: str,
    seed: int,
    dtype: Any,
) -> None:
    """spec §20.7, §20.11: to the bit with a tensor scale that is kept."""
    shape = (rows, blocks * recipe(name).block_size)
    x = np.random.Generator(np.random.PCG64(seed)).standard_normal(shape, np.float32).astype(dtype)
    path = tmp_path_factory.mktemp("files") / "w.safetensors"
    q = kept(x, name)
    write_compressed_tensors(path, {"a.weight": q, "b": q})
    found = read_compressed_tensors(path)
    assert list(found) == ["a.weight", "b"] and all(same(f, q) for f in found.values())
    assert same(read_quantized(path, ["b"])["b"], q)


def test_a_tensor_scale_that_is_not_kept_comes_back_as_its_neighbour(tmp_path: Path) -> None:
    """spec §20.10: codes and scales unchanged, decoding in the last bit."""
    x, g = weights(), np.uint32(0x3FB50913).view(np.float32)
    q = quantize(x, "nvfp4", tensor_scale=g)
    write_compressed_tensors(tmp_path / "w.safetensors", {"w": q})
    back = read_compressed_tensors(tmp_path / "w.safetensors")["w"]
    assert back.tensor_scale is not None and back.tensor_scale.view(np.uint32) == 0x3FB50912
    assert np.array_equal(back.codes, q.codes) and np.array_equal(back.scales, q.scales)
    assert not np.array_equal(dequantize(back), dequantize(q))


def test_the_file_as_others_see_it(tmp_path: Path) -> None:
    """spec §20.7: names, types and shapes, read by the safetensors package; same bytes again."""
    path = tmp_path / "w.safetensors"
    q = kept(weights(), "nvfp4")
    m = quantize(weights(), "mxfp4")
    others = {"norm.weight": np.ones(64, ml_dtypes.bfloat16)}
    write_compressed_tensors(path, {"l.weight": q, "m.weight": m}, others)
    found = dict(safetensors.deserialize(path.read_bytes()))  # pyright: ignore[reportAttributeAccessIssue]
    assert {k: (v["dtype"], v["shape"]) for k, v in found.items()} == {
        "l.weight_packed": ("U8", [8, 32]),
        "l.weight_scale": ("F8_E4M3", [8, 4]),
        "l.weight_global_scale": ("F32", [1]),
        "m.weight_packed": ("U8", [8, 32]),
        "m.weight_scale": ("U8", [8, 2]),
        "norm.weight": ("BF16", [64]),
    }
    assert bytes(found["l.weight_packed"]["data"]) == q.packed().tobytes()
    assert bytes(found["l.weight_scale"]["data"]) == q.scales.tobytes()
    assert np.frombuffer(found["l.weight_global_scale"]["data"], np.float32) == 512
    assert read_header(path).metadata["format"] == "pt"
    write_compressed_tensors(tmp_path / "again.safetensors", {"m.weight": m, "l.weight": q}, others)
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(("kind", "name"), [("nvfp4", "nvfp4"), ("mxfp4", "e8m0-even-b32")])
def test_committed_files_of_compressed_tensors(kind: str, name: str) -> None:
    """spec §20.7, §20.10: its files are read, and decode to what it decodes them to."""
    path = VECTORS / f"{kind}.safetensors"
    by = "torch 2.13.0, compressed-tensors 0.20.0, safetensors 0.8.0"
    assert read_header(path).metadata == {"by": by}
    arrays = arrays_of(path)
    q = read_compressed_tensors(path)["layer.weight"]
    assert q.recipe == recipe(kind) and q.shape == (8, 64)
    assert np.array_equal(dequantize(q), arrays["decoded"])
    if kind == "nvfp4":
        assert q.tensor_scale == 1 / 512 and arrays["layer.weight_global_scale"] == 512
    # This library chooses the same codes, but for the scale that a block of zeros gets there.
    ours = quantize(weights(), name)
    assert ours.tensor_scale == q.tensor_scale and np.array_equal(ours.codes, q.codes)
    block = q.recipe.block_size
    some = np.abs(weights()).reshape(8, -1, block).max(-1) > 0
    assert np.array_equal(ours.scales[some], q.scales[some]) and some.sum() >= 15


@pytest.mark.parametrize("name", FITTING)
def test_compressed_tensors_itself(name: str) -> None:
    """spec §20.7: its own code unpacks and decodes what is written here, where installed."""
    for module in ("torch", "compressed_tensors"):
        pytest.importorskip(module, reason=f"{module} is not installed (extra `peers`)")
    assert versions("compressed-tensors")
    torch = importlib.import_module("torch")
    quantization = importlib.import_module("compressed_tensors.quantization")
    compressors = importlib.import_module("compressed_tensors.compressors")
    helpers = importlib.import_module("compressed_tensors.compressors.nvfp4.helpers")
    config = quantization.QuantizationConfig.model_validate(compressed_tensors_config(name))
    scheme = config.config_groups["group_0"]
    kind = "NVFP4" if layout_of(name).block_size == 16 else "MXFP4"
    preset = quantization.preset_name_to_scheme(f"{kind}A16", ["Linear"])
    assert scheme.model_dump() == preset.model_dump() and config.ignore == ["lm_head"]
    q = kept(weights(amax=5.1), name)
    if q.recipe.tensor_scale in ("h", "h256"):  # a power of two, so that nothing is rounded twice
        q = quantize(weights(amax=5.1), name, tensor_scale=2.0**-9)
    arrays = {}
    for key, array in stored_arrays("weight", q).items():
        view = array.view(np.uint8) if array.dtype.name == "float8_e4m3fn" else array
        t = torch.from_numpy(view.copy())
        arrays[key] = t.view(torch.float8_e4m3fn) if view is not array else t
    values = helpers.unpack_fp4_from_uint8(arrays["weight_packed"], *q.shape)
    want = Quantized(q.codes, q.scales, q.recipe, 1, q.tensor_scale).to_ml_dtypes()[0]
    assert np.array_equal(values.float().numpy(), want.astype(np.float32))
    compressor = getattr(compressors, f"{kind}PackedCompressor")
    decoded = compressor.decompress(arrays, preset)["weight"].float().numpy()
    assert np.array_equal(decoded, dequantize(q, ml_dtypes.bfloat16).astype(np.float32))


def test_committed_files_are_what_the_library_writes() -> None:
    """spec §20.7: written again, where it is installed."""
    for module in ("torch", "compressed_tensors"):
        pytest.importorskip(module, reason=f"{module} is not installed (extra `peers`)")
    torch = importlib.import_module("torch")
    for kind in ("nvfp4", "mxfp4"):
        found = arrays_of(VECTORS / f"{kind}.safetensors")
        made = compressed(kind, weights())
        assert set(found) == set(made)
        for name, t in made.items():
            bits = t.contiguous().view(torch.uint8).numpy()
            assert bits.tobytes() == found[name].tobytes(), name


def test_half_open_bytes_unpack_as_theirs() -> None:
    """spec §20.2: the first of a pair in the low nibble, as in the committed file."""
    arrays = arrays_of(VECTORS / "nvfp4.safetensors")
    codes = unpack(arrays["layer.weight_packed"])
    assert codes[0, 5] == 0xF and np.array_equal(codes >> 3, np.signbit(weights()))


REFUSED = [
    ("ue5m3-absmax-b16", "it has no layout for ue5m3 scales, only for ue4m3 and e8m0"),
    ("ue4m3-absmax-h-b32", "nvfp4-pack-quantized has blocks of 16, not 32"),
    ("e8m0-floor-b16", "mxfp4-pack-quantized has blocks of 32, not 16"),
    ("ue4m3-absmax-hbf16-b16", "from which a bfloat16 does not always come back"),
]


@pytest.mark.parametrize(("name", "message"), REFUSED)
def test_recipes_that_do_not_fit_are_refused(tmp_path: Path, name: str, message: str) -> None:
    """spec §20.8: by name, with the reason, and nothing is written."""
    x = weights()
    for attempt in (
        lambda: write_compressed_tensors(tmp_path / "w.safetensors", {"w": quantize(x, name)}),
        lambda: compressed_tensors_config(name),
    ):
        with pytest.raises(ValueError, match=f"{name} does not fit compressed-tensors.*{message}"):
            attempt()
    assert not list(tmp_path.iterdir())


def test_tensors_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    """spec §20.8."""
    path, x = tmp_path / "w.safetensors", weights()
    for wrong in (
        quantize(x[0], "mxfp4"),
        quantize(x[:, :40], "mxfp4"),
        quantize(x, "nvfp4", axis=0),
    ):
        with pytest.raises(
            ValueError, match=r"tensor 'w' of shape .* does not fit (mx|nv)fp4-pack"
        ):
            write_compressed_tensors(path, {"w": wrong})
    q = quantize(x, "mxfp4")
    with pytest.raises(ValueError, match="two tensors have the name 'w_scale'"):
        write_compressed_tensors(path, {"w": q}, {"w_scale": x})
    with pytest.raises(ValueError, match="there is no tensor to write"):
        write_compressed_tensors(path, {})
    with pytest.raises(FileFormatError, match=r"does not end in .safetensors"):
        write_compressed_tensors(tmp_path / "w.npz", {"w": q})
    large = quantize(x, "nvfp4", tensor_scale=2.0**127)
    with pytest.raises(ValueError, match=r"tensor 'w': tensor scale .* is not a float32 from"):
        write_compressed_tensors(path, {"w": large})
    assert not list(tmp_path.iterdir())


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    """spec §20.7, §20.10: each part that does not fit is named."""
    path = tmp_path / "w.safetensors"
    good = {
        k: v for k, v in arrays_of(VECTORS / "nvfp4.safetensors").items() if k.startswith("layer")
    }
    packed, scale, stored = (f"layer.weight{e}" for e in ("_packed", "_scale", "_global_scale"))
    negative = good[scale].view(np.uint8).copy()
    negative[0, 0] |= 0x80
    ours = json.dumps({"kind": KIND, "spec": "1.0", "tensors": {"layer.weight": {"recipe": "X"}}})
    wrong: list[tuple[dict[str, Any], str]] = [
        ({packed: None}, "no tensor has a name ending in _packed beside its _scale"),
        ({scale: None}, "no tensor has a name ending in _packed beside its _scale"),
        ({stored: None}, "'layer.weight_global_scale' is missing"),
        ({stored: np.zeros(1, np.float32)}, r"tensor scale 0.0 is not a float32 from 2\^-126"),
        ({stored: np.ones(2, np.float32)}, r"its global scale is float32 of shape \(2,\), not one"),
        ({stored: np.ones(1, np.float16)}, "its global scale is float16"),
        ({scale: good[scale][:, :3]}, r"scales of shape \(8, 3\) are not those of a matrix"),
        ({scale: good[scale].view(np.uint8)}, "in blocks of 32"),
        ({scale: negative.view(ml_dtypes.float8_e4m3fn)}, "no ue4m3 code, and a negative scale"),
        ({packed: good[packed].reshape(-1)}, r"codes of shape \(256,\)"),
        ({packed: good[packed].astype(np.int16)}, "packed is int16, not uint8"),
        ({"__metadata__": ours}, "the metadata 'finescale': .*'X'"),
        ({"__metadata__": "{"}, "the metadata 'finescale'"),
        ({"__metadata__": ours.replace('"X"', '"mxfp4"')}, "its scales are float8_e4m3fn, which"),
        ({"__metadata__": ours.replace('"X"', '"ue4m3-absmax-b16"')}, "b16 has none"),
    ]
    for change, message in wrong:
        text = change.pop("__metadata__", None)
        arrays = {k: v for k, v in (good | change).items() if v is not None}
        write_safetensors(path, arrays, {} if text is None else {"finescale": text})
        with pytest.raises(FileFormatError, match=message):
            read_compressed_tensors(path)
    shutil.copy(VECTORS / "nvfp4.safetensors", path)
    with pytest.raises(
        UnknownNameError, match=r"no tensor 'layer\.weigh'; did you mean layer\.weight"
    ):
        read_compressed_tensors(path, ["layer.weigh"])
