"""Tensors in files: nothing is converted, nothing damaged is taken for whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import safetensors
from safetensors.numpy import load_file, save_file

from emulator.errors import FileFormatError, FinescaleError, UnknownNameError
from emulator.files import (
    list_tensors,
    read_quantized,
    read_tensors,
    write_floats,
    write_quantized,
)
from emulator.safetensors_io import read_header, write_safetensors
from emulator.tensor import quantize

BF16 = np.dtype(ml_dtypes.bfloat16)
X = (np.arange(24, dtype=np.float32) / 8 - 1).reshape(4, 6)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("dtype", [np.dtype("f4"), np.dtype("f2"), BF16])
def test_safetensors_round_trip(tmp_path: Path, dtype: np.dtype) -> None:
    path = tmp_path / "x.safetensors"
    write_floats(path, {"x": X.astype(dtype), "t": X.astype(dtype).T})
    got = read_tensors(path)
    assert same(got["x"], X.astype(dtype)) and same(got["t"], X.astype(dtype).T)
    assert not got["x"].flags.writeable and not got["x"].flags.owndata


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f2", ">f2"])
def test_npy_and_npz_of_numpy(tmp_path: Path, order: str, dtype: str) -> None:
    x = np.array(X, dtype, order=order)  # pyright: ignore[reportCallIssue, reportArgumentType]
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "x.npz", x=x)
    np.savez_compressed(tmp_path / "c.npz", x=x)
    for name in ("x.npy", "x.npz", "c.npz"):
        assert same(read_tensors(tmp_path / name)["x"], X.astype(x.dtype.newbyteorder("=")))


def test_the_safetensors_package_reads_ours_and_we_read_its(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.safetensors", tmp_path / "theirs.safetensors"
    arrays = {"u": np.arange(5, dtype=np.uint8), "f": X, "i": np.arange(3), "é/ü": X[0]}
    write_safetensors(ours, arrays, {"a": "b"})
    assert all(same(x, arrays[n]) for n, x in load_file(ours).items())
    with safetensors.safe_open(ours, "np") as file:
        assert file.metadata() == {"a": "b"}
    save_file({"f": X, "h": X.astype(np.float16)}, theirs, {"who": "they"})
    assert same(read_tensors(theirs)["h"], X.astype(np.float16))
    assert read_header(theirs).metadata == {"who": "they"}


def test_safetensors_are_aligned_and_the_same_again(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    arrays = {"b": np.arange(3, dtype=np.uint8), "a": X, "c": X.astype(BF16)}
    write_safetensors(path, arrays, {"z": "1", "a": "2"})
    first = path.read_bytes()
    header = read_header(path)
    assert header.data % 8 == 0
    for name, entry in header.tensors.items():
        assert (header.data + entry.begin) % arrays[name].dtype.itemsize == 0
    write_safetensors(path, dict(reversed(arrays.items())), {"a": "2", "z": "1"})
    assert path.read_bytes() == first


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_quantized_round_trip(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"q{suffix}"
    made = {
        "a": quantize(X, "ue5m3-absmax-b4"),
        "b": quantize(X.T, "e8m0-even-b2", axis=0),
        "c.codes": quantize(X[0], "ue4m3-absmax-pz-b8"),
    }
    write_quantized(path, made)
    got = read_quantized(path)
    assert list(got) == list(made)
    for key, q in made.items():
        assert same(got[key].codes, q.codes) and same(got[key].scales, q.scales)
        assert (got[key].recipe, got[key].axis) == (q.recipe, q.axis)
    assert list(read_quantized(path, ["b"])) == ["b"]


def stored(entry: object, data: int) -> bytes:
    """A safetensors file with that header and that many bytes of data."""
    text = (entry if isinstance(entry, str) else json.dumps(entry)).encode()
    return len(text).to_bytes(8, "little") + text + bytes(data)


def tensor(dtype: object, shape: object, offsets: object) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


A = tensor("F32", [2], [0, 8])

WRONG_HEADERS: list[tuple[bytes, str]] = [
    (b"", "0 bytes are too few"),
    (b"1234567", "7 bytes are too few"),
    ((1 << 40).to_bytes(8, "little") + b"{}", "header's length is 1099511627776 bytes"),
    ((3).to_bytes(8, "little") + b"{}", "beyond the 2 that follow"),
    (stored("{", 0), "the header is not JSON"),
    (stored("[" * 100_000, 0), "the header is not JSON"),
    (stored("[]", 0), "not a JSON object"),
    (stored('{"a": 1, "a": 2}', 0), "a name occurs twice"),
    (stored({"a": 1}, 0), "its entry is not dtype, shape and data_offsets"),
    (stored({"a": {"dtype": "F32"}}, 0), "its entry is not"),
    (stored({"a": tensor(32, [2], [0, 8])}, 8), "dtype 32 is not a name"),
    (stored({"a": tensor("F32", 2, [0, 8])}, 8), "shape 2 is not a list"),
    (stored({"a": tensor("F32", [-2], [0, 8])}, 8), r"shape \[-2\] is not a list"),
    (stored({"a": tensor("F32", [True], [0, 4])}, 4), "is not a list of whole numbers"),
    (stored({"a": tensor("F32", [2], [0])}, 8), "are not two whole numbers"),
    (stored({"a": tensor("F32", [2], [0, 8.0])}, 8), "are not two whole numbers"),
    (stored({"a": tensor("F32", [2], [8, 0])}, 8), "run backwards"),
    (stored({"a": tensor("F32", [3], [0, 8])}, 8), r"8 bytes do not hold F32 of shape \(3,\)"),
    (stored({"a": A}, 7), "ends at byte 8 of 7"),
    (stored({"a": A}, 9), "1 bytes follow the last tensor"),
    (stored({"a": A, "b": tensor("F32", [2], [4, 12])}, 12), "'b' at byte 4 overlaps"),
    (stored({"a": A, "b": tensor("F32", [2], [12, 20])}, 20), "'b' at byte 12 leaves a gap"),
    (stored({"a": A, "__metadata__": {"x": 1}}, 8), "__metadata__ is not a map of strings"),
]


@pytest.mark.parametrize(("data", "message"), WRONG_HEADERS, ids=[m for _, m in WRONG_HEADERS])
def test_wrong_safetensors(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(data)
    with pytest.raises(FileFormatError, match=message):
        read_tensors(path)


def test_a_right_header_is_right(tmp_path: Path) -> None:
    """What the wrong ones above are made from is accepted."""
    path = tmp_path / "x.safetensors"
    path.write_bytes(stored({"a": A, "__metadata__": {"x": "1"}}, 8))
    assert same(read_tensors(path)["a"], np.zeros(2, np.float32))


def test_types_that_are_not_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(stored({"a": A, "f": tensor("F8_E5M2", [3], [8, 11])}, 11))
    assert list_tensors(path)["f"].dtype == "F8_E5M2"
    with pytest.raises(TypeError, match=r"tensor 'f' is F8_E5M2, not float32, bfloat16, float16"):
        read_tensors(path)
    assert list(read_tensors(path, skip_others=True)) == ["a"]
    with pytest.raises(FileFormatError, match="none of its 1 tensors is float32"):
        read_tensors(path, ["f"], skip_others=True)


def test_keys(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    write_floats(path, {"layer.weight": X, "layer.bias": X[0]})
    assert list(read_tensors(path, ["layer.bias", "layer.bias"])) == ["layer.bias"]
    with pytest.raises(UnknownNameError, match=r"no tensor 'layer.wight'; did you mean layer.we"):
        read_tensors(path, ["layer.wight"])
    with pytest.raises(UnknownNameError, match=r"no tensor 'zzz' \(it has layer.bias, layer.we"):
        read_tensors(path, ["zzz"])


def test_plain_bits_need_a_dtype(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, v=X.astype(BF16), u=X.astype(np.float16).view(np.uint16))
    with pytest.raises(TypeError, match=r"tensor 'v' is void16: .*--dtype bfloat16"):
        read_tensors(path)
    assert same(read_tensors(path, ["v"], "bfloat16")["v"], X.astype(BF16))
    assert same(read_tensors(path, ["u"], "float16")["u"], X.astype(np.float16))
    with pytest.raises(TypeError, match="is void16, not float32"):
        read_tensors(path, ["v"], "float32")
    np.savez(path, w=X, v=X.astype(BF16))
    with pytest.raises(TypeError, match="tensor 'w' is float32, not bfloat16; nothing is conv"):
        read_tensors(path, None, "bfloat16")
    assert list(read_tensors(path, None, "bfloat16", skip_others=True)) == ["v"]


def test_what_a_file_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="holds one tensor, not 2"):
        write_floats(tmp_path / "x.npy", {"a": X, "b": X})
    with pytest.raises(TypeError, match="lose bfloat16"):
        write_floats(tmp_path / "x.npz", {"a": X.astype(BF16)})
    with pytest.raises(TypeError, match="no name for"):
        write_safetensors(tmp_path / "x.safetensors", {"a": X.astype(complex)}, {})
    with pytest.raises(ValueError, match="no tensor to write"):
        write_quantized(tmp_path / "x.npz", {})
    with pytest.raises(FileFormatError, match="does not end in"):
        read_tensors(tmp_path / "x.txt")
    assert list(tmp_path.iterdir()) == []


def altered(path: Path, change: Callable[[dict[str, np.ndarray]], None]) -> None:
    with np.load(path) as archive:
        arrays = dict(archive)
    change(arrays)
    np.savez(path, **arrays)  # pyright: ignore[reportArgumentType]


def _metadata(key: str, value: object) -> Callable[[dict[str, np.ndarray]], None]:
    def change(arrays: dict[str, np.ndarray]) -> None:
        found = json.loads(str(arrays["finescale"]))
        (found if key in found else found["tensors"]["x"])[key] = value
        arrays["finescale"] = np.array(json.dumps(found))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("finescale"), "it has no entry 'finescale'"),
        (lambda a: a.pop("x.scales"), "a part is missing"),
        (lambda a: a.update({"x.codes": a["x.codes"].astype(np.int16)}), "codes is"),
        (lambda a: a.update({"x.codes": a["x.codes"] | 16}), "no e2m1 code"),
        (lambda a: a.update({"x.codes": a["x.codes"].T}), "scales have shape"),
        (lambda a: a.update({"finescale": np.array("{")}), "not a file of quantized tensors"),
        (_metadata("kind", "something else"), "'something else' of specification"),
        (_metadata("spec", "0.1"), "of specification 0.1"),
        (_metadata("recipe", "ue5m3-absmax-b17"), "block size 17"),
        (_metadata("recipe", "e8m0-floor-b2"), "scales have shape"),
        (_metadata("axis", 7), "axis 7"),
        (_metadata("shape", [6, 4]), "should be"),
    ],
)
def test_wrong_quantized_files(
    tmp_path: Path, change: Callable[[dict[str, np.ndarray]], None], message: str
) -> None:
    path = tmp_path / "q.npz"
    write_quantized(path, {"x": quantize(X, "e8m0-floor-b4")})
    assert read_quantized(path)
    altered(path, change)
    with pytest.raises(FileFormatError, match=message):
        read_quantized(path)


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "c.npz", "x.safetensors", "q.safetensors"])
def test_no_damage_goes_unexplained(tmp_path: Path, name: str) -> None:
    """Files cut at every byte are refused; altered bytes never cause another kind of error."""
    np.save(tmp_path / "x.npy", X)
    np.savez(tmp_path / "x.npz", x=X, y=X.T)
    np.savez_compressed(tmp_path / "c.npz", x=X)
    write_floats(tmp_path / "x.safetensors", {"x": X, "y": X.astype(BF16)})
    write_quantized(tmp_path / "q.safetensors", {"x": quantize(X, "mxfp4")})
    read = read_quantized if name.startswith("q") else read_tensors
    path = tmp_path / name
    good = path.read_bytes()
    assert read(path)
    for end in range(0, len(good), 1 if len(good) < 400 else 3):
        path.write_bytes(good[:end])
        with pytest.raises(FileFormatError):
            read(path)
    refused = 0
    for pick in np.random.PCG64(11).random_raw(600):
        bad = bytearray(good)
        bad[int(pick >> np.uint64(8)) % len(good)] = int(pick) & 0xFF
        path.write_bytes(bad)
        try:
            read(path)
        except (FinescaleError, TypeError, ValueError) as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused > 100
