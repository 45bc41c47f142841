"""llama2.c checkpoints: where each tensor lies, and files that are none."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from emulator.errors import FileFormatError
from emulator.files import read_tensors


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
