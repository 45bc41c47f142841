"""`finescale quantize --layout compressed-tensors` (spec §20.7 to §20.11)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from emulator.compressed_tensors_io import kept_tensor_scale, read_compressed_tensors
from emulator.files import list_tensors, read_tensors, write_floats
from emulator.safetensors_io import write_safetensors
from emulator.tensor import dequantize, quantize
from tests.cli.conftest import Cli

LAYOUT = ("--layout", "compressed-tensors")


def test_weights_for_vllm(cli: Cli, weights: np.ndarray) -> None:
    """spec §20.11: quantized with a tensor scale that is kept, so that the file decodes alike."""
    amax = np.uint32(0x3F900001).view(np.float32)  # its tensor scale becomes the next smaller
    x = weights * np.float32(0.5)
    x[0, 0] = amax
    g = quantize(x, "nvfp4").tensor_scale
    assert g is not None and kept_tensor_scale(g) < g
    x[0, 16:32] = g / 4  # a tie for g, and above it for the smaller one
    x[0, 16] = 6 * g
    write_floats(Path("m.safetensors"), {"l.weight": x})
    ended = cli("quantize", "m.safetensors", "-o", "q.safetensors", "--recipe", "nvfp4", *LAYOUT)
    assert ended.code == 0, ended.err
    first, second, end = ended.out.split("\n")
    assert (
        first == "q.safetensors: 1 tensor, 4,096 elements, ue4m3-absmax-h-b16, 4.5 bits per element"
    )
    name, _, value = second.partition(': "quantization_config": ')
    assert name == "for config.json" and not end
    assert json.loads(value)["format"] == "nvfp4-pack-quantized" and not json.loads(value)["ignore"]
    want = quantize(x, "nvfp4", tensor_scale=kept_tensor_scale(g))
    assert not np.array_equal(want.codes, quantize(x, "nvfp4").codes)
    found = read_compressed_tensors(Path("q.safetensors"))["l.weight"]
    assert np.array_equal(found.codes, want.codes) and np.array_equal(found.scales, want.scales)
    assert found.tensor_scale == want.tensor_scale
    assert cli("dequantize", "q.safetensors", "-o", "y.npy").code == 0
    assert np.array_equal(np.load("y.npy"), dequantize(want))


def test_a_whole_checkpoint(cli: Cli, weights: np.ndarray) -> None:
    """spec §20.7: the other tensors are copied, and named as not quantized."""
    ids, norm = np.arange(3), np.ones(64, np.float16)
    others = {"ids": ids, "norm.weight": norm, "lm_head.weight": weights}
    write_safetensors(Path("m.safetensors"), {"l.weight": weights, **others}, {})
    command = "quantize m.safetensors -o q.safetensors --recipe mxfp4 --json --copy-others"
    ended = cli(*command.split(), *LAYOUT, "--key", "l.weight")
    config = ended.json["quantization_config"]
    assert config["format"] == "mxfp4-pack-quantized" and config["ignore"] == ["lm_head"]
    stored = list_tensors(Path("q.safetensors"))
    assert sorted(stored) == sorted([*others, "l.weight_packed", "l.weight_scale"])
    assert all(np.array_equal(stored[key].read(), x) for key, x in others.items())
    found = read_compressed_tensors(Path("q.safetensors"))["l.weight"]
    assert np.array_equal(found.codes, quantize(weights, "mxfp4").codes)
    assert list(read_tensors(Path("q.safetensors"), skip_others=True)) == [
        "lm_head.weight",
        "norm.weight",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("q.safetensors --recipe nvfp4 --layout vllm", "--layout 'vllm' is not one of finescale, "),
        (
            "q.npz --recipe nvfp4 --copy-others",
            "--copy-others goes with --layout compressed-tensors",
        ),
        (
            "q.npz --recipe nvfp4 --layout compressed-tensors",
            "q.npz: the name does not end in .safe",
        ),
        (
            "q.safetensors --recipe ue5m3-absmax-b16 --layout compressed-tensors",
            "it has no layout for ue5m3 scales",
        ),
        (
            "q.safetensors --recipe nvfp4 --axis 0 --layout compressed-tensors",
            "tensor 'w' of shape (64, 64) in blocks along axis 0 does not fit",
        ),
    ],
)
def test_what_does_not_fit_is_one_line_and_writes_nothing(
    cli: Cli, weights: np.ndarray, arguments: str, message: str
) -> None:
    """spec §20.8."""
    np.save("w.npy", weights)
    ended = cli("quantize", "w.npy", "-o", *arguments.split())
    assert ended.code == 2 and message in ended.message
    assert [p.name for p in Path().iterdir()] == ["w.npy"]
