"""Weights from files, llama2.c checkpoints among them."""

from __future__ import annotations

import struct
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from compare.tensors import matrices, read_tensors
from emulator.errors import FileFormatError, UnknownNameError
from tests.compare.cells import ROOT

STORIES = ROOT.parent / "shared" / "models" / "stories260K.bin"


def checkpoint(vocab: int = 6) -> bytes:
    """A llama2.c file with dim 4, hidden 8, 2 layers, 2 heads (1 for keys), 3 positions."""
    kv, head = 2, 2
    per_layer = 4 + 16 + 2 * kv * 4 + 16 + 4 + 3 * 32
    count = abs(vocab) * 4 + 2 * per_layer + 4 + 3 * head + (abs(vocab) * 4 if vocab < 0 else 0)
    header = struct.pack("<7i", 4, 8, 2, 2, 1, vocab, 3)
    return header + np.arange(count, dtype="<f4").tobytes()


def test_llama2c_order(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(checkpoint())
    tensors = read_tensors(path)
    assert len(tensors) == 1 + 9 * 2 + 1
    assert tensors["tok_embeddings.weight"].shape == (6, 4)
    assert tensors["layers.0.attention_norm.weight"][0] == 24
    assert tensors["layers.1.attention_norm.weight"][0] == 28
    assert tensors["layers.0.attention.wq.weight"][0, 0] == 32
    assert tensors["layers.1.attention.wq.weight"][0, 0] == 48
    assert tensors["layers.1.attention.wk.weight"].shape == (2, 4)
    assert tensors["layers.1.feed_forward.w2.weight"].shape == (4, 8)
    assert len(matrices(tensors)) == 1 + 7 * 2


def test_llama2c_own_output_matrix(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(checkpoint(vocab=-6))
    tensors = read_tensors(path)
    assert tensors["output.weight"].shape == (6, 4)
    assert tensors["output.weight"][-1, -1] == len(path.read_bytes()) // 4 - 7 - 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes are too few"),
        (checkpoint()[:-4], "bytes, but a llama2.c file with this header has"),
        (checkpoint() + b"\0", "bytes, but a llama2.c file with this header has"),
        (b"\0" * 64, "its first seven int32 are no shape"),
        (struct.pack("<7i", 5, 8, 2, 2, 1, 6, 3) + bytes(64), "are no shape"),
    ],
)
def test_llama2c_bad(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    with pytest.raises(FileFormatError, match=message) as caught:
        read_tensors(path)
    assert "\n" not in str(caught.value)


def test_one_key(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(checkpoint())
    assert list(read_tensors(path, "norm.weight")) == ["norm.weight"]
    with pytest.raises(UnknownNameError, match=r"no tensor 'norm.weigh'; did you mean norm.weight"):
        read_tensors(path, "norm.weigh")


def test_numpy_and_raw_bits(tmp_path: Path) -> None:
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.save(tmp_path / "w.npy", x)
    assert np.array_equal(read_tensors(tmp_path / "w.npy")["w"], x)
    np.save(tmp_path / "raw.npy", x.astype(ml_dtypes.bfloat16).view(np.uint16))
    raw = read_tensors(tmp_path / "raw.npy", dtype="bfloat16")["raw"]
    assert raw.dtype == ml_dtypes.bfloat16
    assert np.array_equal(raw.astype(np.float32), x)


def test_missing_and_unknown_files(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="No such file"):
        read_tensors(tmp_path / "none.bin")
    with pytest.raises(FileFormatError, match="No such file"):
        read_tensors(tmp_path / "none.npy")
    with pytest.raises(FileFormatError, match=r"does not end in \.npy, .*, \.bin"):
        read_tensors(tmp_path / "weights.pt")


@pytest.mark.skipif(not STORIES.is_file(), reason="no stories260K.bin beside the project")
def test_stories260k() -> None:
    tensors = matrices(read_tensors(STORIES))
    assert len(tensors) == 36
    assert sum(x.size for x in tensors.values()) == 259_328
    assert 0.1 < tensors["layers.0.feed_forward.w1.weight"].std() < 0.15
