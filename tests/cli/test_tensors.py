"""quantize and dequantize: what `finescale.quantize` gives, through files."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file

from emulator.files import read_quantized, read_tensors, write_floats
from finescale import dequantize, quantize, recipe

from .conftest import Cli

BF16 = np.dtype(ml_dtypes.bfloat16)
RECIPE = "ue5m3-absmax-b16"


def bits(x: np.ndarray) -> bytes:
    return np.ascontiguousarray(x).tobytes()


@pytest.mark.parametrize("source", ["w.npy", "w.npz", "w.safetensors"])
@pytest.mark.parametrize("target", ["q.npz", "q.safetensors"])
@pytest.mark.parametrize(("name", "axis"), [(RECIPE, -1), ("mxfp4", 0)])
def test_codes_are_those_of_the_library(
    cli: Cli, weights: np.ndarray, source: str, target: str, name: str, axis: int
) -> None:
    write_floats(Path(source), {"w": weights})
    ended = cli("quantize", source, "-o", target, "--recipe", name, "--axis", axis)
    assert ended.code == 0 and ended.err == ""
    assert ended.out.startswith(f"{target}: 1 tensor, 4,096 elements, {recipe(name).name}, ")
    want = quantize(weights, recipe(name), axis=axis)
    (got,) = read_quantized(Path(target)).values()
    assert bits(got.codes) == bits(want.codes) and bits(got.scales) == bits(want.scales)
    assert (got.recipe, got.axis, got.shape) == (want.recipe, want.axis, want.shape)
    # Others read the same arrays without finescale.
    plain = load_file(target) if target.endswith("safetensors") else np.load(target)
    assert bits(plain["w.codes"]) == bits(want.codes)
    assert bits(plain["w.scales"]) == bits(want.scales)


def test_the_seed_of_stochastic_rounding(cli: Cli, weights: np.ndarray) -> None:
    """spec §19.7"""
    np.save("w.npy", weights)
    name = "ue5m3-absmax-sr8-b16"
    assert cli("quantize", "w.npy", "-o", "q.npz", "--recipe", name, "--seed", 7).code == 0
    (got,) = read_quantized(Path("q.npz")).values()
    assert bits(got.codes) == bits(quantize(weights, recipe(name), seed=7).codes)
    assert bits(got.codes) != bits(quantize(weights, recipe(name), seed=8).codes)


def test_all_tensors_of_a_file(cli: Cli, weights: np.ndarray) -> None:
    tensors = {"a.x": weights, "b": weights.astype(BF16)[:3, :20], "c": weights[0].astype("f2")}
    write_floats(Path("m.safetensors"), tensors)
    ended = cli("quantize", "m.safetensors", "-o", "q.safetensors", "--recipe", RECIPE, "--json")
    assert [t["key"] for t in ended.json["tensors"]] == ["a.x", "b", "c"]
    assert ended.json["tensors"][1] == {"key": "b", "shape": [3, 20], "axis": 1, "blocks": 6}
    got = read_quantized(Path("q.safetensors"))
    for key, x in tensors.items():
        assert bits(got[key].codes) == bits(quantize(x, recipe(RECIPE)).codes)
    ended = cli("quantize", "m.safetensors", "-o", "q.npz", "--recipe", RECIPE, "--key", "b")
    assert ended.out.startswith("q.npz: 1 tensor, 60 elements")
    assert list(read_quantized(Path("q.npz"))) == ["b"]


@pytest.mark.parametrize("pattern", ["V2", "u2"])
def test_bfloat16_that_npy_has_lost(cli: Cli, weights: np.ndarray, pattern: str) -> None:
    x = weights.astype(BF16)
    np.save("w.npy", x.view(pattern))
    ended = cli("quantize", "w.npy", "-o", "q.npz", "--recipe", RECIPE)
    assert ended.code == 2 and "--dtype bfloat16" in ended.message
    assert (
        cli("quantize", "w.npy", "-o", "q.npz", "--recipe", RECIPE, "--dtype", "bfloat16").code == 0
    )
    assert bits(read_quantized(Path("q.npz"))["w"].codes) == bits(quantize(x, RECIPE).codes)


def test_other_tensors_can_be_left_out(cli: Cli, weights: np.ndarray) -> None:
    np.savez("m.npz", w=weights, steps=np.arange(3))
    ended = cli("quantize", "m.npz", "-o", "q.npz", "--recipe", RECIPE)
    assert ended.code == 2 and "m.npz: tensor 'steps' is int64" in ended.message
    assert cli("quantize", "m.npz", "-o", "q.npz", "--recipe", RECIPE, "--skip-others").code == 0
    assert list(read_quantized(Path("q.npz"))) == ["w"]


def test_outputs_are_the_same_bytes_again(cli: Cli, weights: np.ndarray) -> None:
    np.savez("m.npz", b=weights, a=weights.T)
    for suffix in ("npz", "safetensors"):
        for n, threads in enumerate((1, 2)):
            target = f"q{n}.{suffix}"
            arguments = ["m.npz", "-o", target, "--recipe", RECIPE, "--threads", threads]
            assert cli("quantize", *arguments).code == 0
        assert Path(f"q0.{suffix}").read_bytes() == Path(f"q1.{suffix}").read_bytes()


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_dequantize_is_that_of_the_library(cli: Cli, weights: np.ndarray, dtype: str) -> None:
    np.savez("m.npz", a=weights, b=weights.T)
    assert cli("quantize", "m.npz", "-o", "q.npz", "--recipe", "mxfp4").code == 0
    ended = cli("dequantize", "q.npz", "-o", "back.safetensors", "--dtype", dtype)
    assert ended.code == 0
    got = read_tensors(Path("back.safetensors"))
    for key, x in {"a": weights, "b": weights.T}.items():
        want = dequantize(quantize(x, "mxfp4"), np.dtype(dtype))
        assert got[key].dtype == want.dtype and bits(got[key]) == bits(want)
    assert cli("dequantize", "q.npz", "-o", "a.npy", "--key", "a").code == 0
    assert bits(np.load("a.npy")) == bits(dequantize(quantize(weights, "mxfp4")))


def test_a_tensor_scale_goes_through_a_file(cli: Cli) -> None:
    """spec §14.2: it is stored beside the codes, and decoding uses it."""
    x = np.linspace(-3, 5, 64, dtype=np.float32)
    np.save("w.npy", x)
    for name in ("nvfp4", "ue4m3-4o6-h256-b8"):
        for suffix in ("npz", "safetensors"):
            cli(*f"quantize w.npy -o q.{suffix} --recipe {name}".split())
            cli(*f"dequantize q.{suffix} -o y.npy".split())
            assert bits(np.load("y.npy")) == bits(dequantize(quantize(x, name)))


WRONG = [
    ("none.npy -o q.npz --recipe mxfp4", "none.npy: No such file or directory"),
    (". -o q.npz --recipe mxfp4", ".npy or .npz or .safetensors"),
    ("w.npy -o q.npz --recipe ue5m4-absmax-b16", "did you mean ue5m3-absmax-b16"),
    ("w.npy -o q.npz --recipe ue5m3-absmax-b17", "power of two from 2 to 256"),
    ("w.npy -o q.npz --recipe e2m3.e8m0-floor-b32", "element format e2m3 is not available yet"),
    ("w.npy -o q.npz --recipe ue5m3-absmax-sr4-b16", "rounds at random and needs a seed"),
    ("w.npy -o q.npz --recipe mxfp4 --seed 1", "seed=1: e8m0-floor-b32 rounds nothing at random"),
    ("w.npy -o q.npz --recipe ue5m3-3c-e4-b16", "-e4 is not a width from 5 to 16"),
    ("w.npy -o q.npz --recipe mxfp4 --axis 2", "w.npy: tensor 'w': axis 2"),
    ("w.npy -o q.npz --recipe mxfp4 --axis -3", "w.npy: tensor 'w': axis -3"),
    ("w.npy -o q.npz --recipe mxfp4 --key v", "w.npy: no tensor 'v' (it has w)"),
    ("w.npy -o q.npz --recipe mxfp4 --dtype bfloat16", "is float32, not bfloat16"),
    ("w.npy -o q.npz --recipe mxfp4 --dtype double", "dtype 'double' is not one of float32"),
    ("w.npy -o q.npz --recipe mxfp4 --threads 0", "threads"),
    ("w.npy -o q.npy --recipe mxfp4", "q.npy: the name does not end in .npz or .safetensors"),
    ("w.npy -o w.npy/q.npz --recipe mxfp4", "w.npy"),
    ("wide.npy -o q.npz --recipe mxfp4", "wide.npy: tensor 'wide' is float64, not float32"),
    ("ints.npy -o q.npz --recipe mxfp4", "is int64, not float32, bfloat16, float16 (spec §4.1)"),
    ("empty.npy -o q.npz --recipe mxfp4", "empty.npy: tensor 'empty': x of shape (0, 4) is empty"),
    ("scalar.npy -o q.npz --recipe mxfp4", "scalar.npy: tensor 'scalar'"),
    ("objects.npy -o q.npz --recipe mxfp4", "objects.npy: an object array"),
    ("half.npy -o q.npz --recipe mxfp4", "half.npy: 8128 bytes of data, but float32"),
    ("text.npy -o q.npz --recipe mxfp4", "text.npy: not a .npy file"),
    ("text.npz -o q.npz --recipe mxfp4", "text.npz: damaged, or not a .npz file"),
    ("text.safetensors -o q.npz --recipe mxfp4", "text.safetensors: the header's length is"),
    ("two.npz -o q.npz --recipe mxfp4", "two.npz: tensor 'b': x of shape (0,) is empty"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[a.split(" -o")[0] for a, _ in WRONG])
def test_bad_input_is_one_line_and_writes_nothing(
    cli: Cli, weights: np.ndarray, arguments: str, message: str
) -> None:
    np.save("w.npy", weights)
    np.save("wide.npy", weights.astype(np.float64))
    np.save("ints.npy", np.arange(8))
    np.save("empty.npy", np.zeros((0, 4), np.float32))
    np.save("scalar.npy", np.float32(1))
    np.save("objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez("two.npz", a=weights, b=np.zeros(0, np.float32))
    whole = Path("w.npy").read_bytes()
    Path("half.npy").write_bytes(whole[: 128 + 8128])
    for suffix in ("npy", "npz", "safetensors"):
        Path(f"text.{suffix}").write_text("not what the name says\n" * 9)
    before = {p: p.read_bytes() for p in Path().rglob("*") if p.is_file()}
    ended = cli("quantize", *arguments.split())
    assert ended.code == 2 and message in ended.message
    assert {p: p.read_bytes() for p in Path().rglob("*") if p.is_file()} == before


def test_an_output_that_exists_survives_a_failure(cli: Cli, weights: np.ndarray) -> None:
    np.savez("m.npz", a=weights, b=np.arange(3))
    Path("q.npz").write_text("precious")
    assert cli("quantize", "m.npz", "-o", "q.npz", "--recipe", "mxfp4").code == 2
    assert Path("q.npz").read_text() == "precious"


def test_a_failure_in_mid_write_leaves_nothing(
    cli: Cli, weights: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: object) -> None:
        path.write_bytes(b"half of it")
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("emulator.files.write_npz", full)
    np.save("w.npy", weights)
    ended = cli("quantize", "w.npy", "-o", "q.npz", "--recipe", "mxfp4")
    assert ended.code == 2 and "No space left on device" in ended.message
    assert [p.name for p in Path().iterdir()] == ["w.npy"]


def test_the_input_is_not_its_own_output(cli: Cli, weights: np.ndarray) -> None:
    np.savez("m.npz", a=weights)
    before = Path("m.npz").read_bytes()
    ended = cli("quantize", "m.npz", "-o", "./m.npz", "--recipe", "mxfp4")
    assert ended.code == 2 and "is the input itself" in ended.message
    assert Path("m.npz").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("m.npz -o back.npy", "m.npz: not a file of quantized tensors: it has no entry"),
        ("q.npz -o back.npy --dtype int8", "--dtype 'int8' is not one of float32"),
        ("q.npz -o back.npy", "back.npy: a .npy file holds one tensor, not 2"),
        ("q.npz -o back.npz --dtype bfloat16", "NumPy's files lose bfloat16"),
        ("q.npz -o back.npz --key c", "q.npz: no tensor 'c' (it has a, b)"),
        ("q.npz -o q.npz", "is the input itself"),
    ],
)
def test_bad_input_of_dequantize(
    cli: Cli, weights: np.ndarray, arguments: str, message: str
) -> None:
    np.savez("m.npz", a=weights, b=weights)
    assert cli("quantize", "m.npz", "-o", "q.npz", "--recipe", "mxfp4").code == 0
    ended = cli("dequantize", *arguments.split())
    assert ended.code == 2 and message in ended.message
    assert sorted(p.name for p in Path().iterdir()) == ["m.npz", "q.npz"]
