"""Weights from files, llama2.c checkpoints among them."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from compare.tensors import matrices, read_tensors
from emulator.errors import FileFormatError, UnknownNameError
from tests.compare.cells import ROOT
from tests.emulator.test_llama2c_io import checkpoint

STORIES = ROOT.parent / "shared" / "models" / "stories260K.bin"


def test_one_key(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(checkpoint())
    assert list(read_tensors(path, "norm.weight")) == ["norm.weight"]
    assert len(matrices(read_tensors(path))) == 1 + 7 * 2
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
    with pytest.raises(FileFormatError, match=r"does not end in \.npy or .* or \.bin"):
        read_tensors(tmp_path / "weights.pt")


@pytest.mark.skipif(not STORIES.is_file(), reason="no stories260K.bin beside the project")
def test_stories260k() -> None:
    tensors = matrices(read_tensors(STORIES))
    assert len(tensors) == 36
    assert sum(x.size for x in tensors.values()) == 259_328
    assert 0.1 < tensors["layers.0.feed_forward.w1.weight"].std() < 0.15
