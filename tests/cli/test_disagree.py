"""disagree: counts and cases are those of the two quantizers, taken apart here by hand."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from emulator.files import write_floats
from emulator.peers import peer, peer_names
from emulator.recipes import recipe
from finescale import quantize

from .conftest import Cli

AVAILABLE = [
    n for n in peer_names() if (e := peer(n).exact) is not None and not recipe(e).unavailable
]


@pytest.fixture
def small(weights: np.ndarray) -> np.ndarray:
    """Weights with rows of many magnitudes, and a row of zeros of both signs."""
    x = np.ldexp(weights, -(np.arange(64)[:, None] % 20)).astype(np.float32)
    x[5] = np.where(weights[5] < 0, -np.float32(0), np.float32(0))
    return x


@pytest.mark.parametrize("name", AVAILABLE)
@pytest.mark.parametrize("axis", [-1, 0])
def test_counts_and_cases(cli: Cli, small: np.ndarray, name: str, axis: int) -> None:
    p = peer(name)
    assert p.exact is not None
    x = small[:50, :50].astype(ml_dtypes.bfloat16) if p.bfloat16_only else small[:50, :50]
    np.save("w.npy", x.view(np.uint16) if p.bfloat16_only else x)
    more = ("--dtype", "bfloat16") if p.bfloat16_only else ()
    ended = cli("disagree", "w.npy", "--peer", name, "--json", "--axis", axis, *more)
    (row,) = ended.json
    theirs, ours = p.quantize(x, axis), quantize(x, p.exact, axis=axis)
    differ = theirs.codes != ours.codes
    assert (row["tensor"], row["peer"], row["exact"], row["skipped"]) == ("w", name, p.exact, None)
    assert (row["blocks"], row["elements"]) == (ours.scales.size, x.size)
    assert row["scale_codes_differ"] == np.count_nonzero(theirs.scales != ours.scales)
    assert row["element_codes_differ"] == np.count_nonzero(differ)
    same_zero = (theirs.codes & 7 == 0) & (ours.codes & 7 == 0)
    assert row["zero_signs_differ"] == np.count_nonzero(differ & same_zero)
    assert len(row["cases"]) <= 3
    if row["element_codes_differ"] or row["scale_codes_differ"]:
        assert row["cases"]
    for case in row["cases"]:
        i, j = case["index"]
        block = (i // p.block_size, j) if axis == 0 else (i, j // p.block_size)
        bits, digits = (np.uint16, 4) if p.bfloat16_only else (np.uint32, 8)
        assert case["x"] == f"{int(x.view(bits)[i, j]):0{digits}x}"
        have = (case["scale"]["peer"], case["scale"]["exact"])
        assert have == tuple(f"{int(q.scales[block]):02x}" for q in (theirs, ours))
        have = (case["element"]["peer"], case["element"]["exact"])
        assert have == tuple(f"{int(q.codes[i, j]):x}" for q in (theirs, ours))
        assert have[0] != have[1] or theirs.scales[block] != ours.scales[block]


def test_differences_come_before_signs_of_zeros(cli: Cli, small: np.ndarray) -> None:
    np.save("w.npy", small)
    name = "peer-fasoli-ue5m3"
    (row,) = cli("disagree", "w.npy", "--peer", name, "--json", "--cases", 1000).json
    signs = [{c["element"]["peer"], c["element"]["exact"]} == {"0", "8"} for c in row["cases"]]
    same_scale = [c["scale"]["peer"] == c["scale"]["exact"] for c in row["cases"]]
    only = [a and b for a, b in zip(signs, same_scale, strict=True)]
    assert only == sorted(only) and any(only) and row["zero_signs_differ"] > 0


def test_all_peers_as_text(cli: Cli, small: np.ndarray) -> None:
    write_floats(Path("m.npz"), {"a": small, "b": small[:4]})
    ended = cli("disagree", "m.npz", "--cases", "1")
    assert ended.code == 0 and ended.err == ""
    for name in peer_names():
        assert name in ended.out
    assert "a, peer-torchao-nvfp4-1level / ue4m3-absmax-b16:\n  [" in ended.out
    assert "peer-fouroversix-static-4: no exact recipe is near" in ended.out
    assert sum(line.startswith("b ") for line in ended.out.splitlines()) >= 8


def test_one_tensor_by_key(cli: Cli, small: np.ndarray) -> None:
    np.savez("m.npz", a=small, b=small)
    ended = cli("disagree", "m.npz", "--key", "b", "--peer", AVAILABLE[0], "--json")
    assert [row["tensor"] for row in ended.json] == ["b"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("w.npy --peer peer-te-nvfp", "unknown peer 'peer-te-nvfp'; did you mean peer-te-nvfp4"),
        ("w.npy --peer peer-fouroversix-static-4", "nothing to compare: peer-fouroversix-static-4"),
        ("n.npy --peer peer-fasoli-ue5m3", "n.npy: tensor 'n': x holds NaN or infinity"),
        ("w.npy --dtype int8", "dtype 'int8' is not one of float32"),
        ("w.npy --cases -1", "Invalid value for '--cases'"),
        ("w.npy --axis 2", "axis 2 is not one of an array with 2 dimensions"),
        ("nope.npy", "nope.npy: No such file"),
    ],
)
def test_bad_input(cli: Cli, small: np.ndarray, arguments: str, message: str) -> None:
    np.save("w.npy", small)
    np.save("n.npy", np.where(small == small[0, 0], np.float32(np.nan), small))
    ended = cli("disagree", *arguments.split())
    assert ended.code == 2 and message in ended.message
