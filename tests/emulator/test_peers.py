"""Peers against what the real packages gave, and against them where they are installed."""

from __future__ import annotations

import json
import warnings
from fractions import Fraction
from functools import cache
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from emulator import peers_packages
from emulator.errors import UnknownNameError
from emulator.formats import UE4M3, UE5M3, Format
from emulator.numpy_io import list_npz, read_npz
from emulator.peers import PEERS, Peer, PeerQuantized, peer, peer_names
from emulator.peers_annex import insert
from emulator.peers_codes import E4M3, UE5M3_IEEE, Minifloat, Ties
from emulator.peers_codes import UE5M3 as PEER_UE5M3
from emulator.recipes import recipe
from emulator.tensor import quantize

from . import peer_data
from .make_peer_tables import FOLDER
from .peer_data import bf16

ROOT = Path(__file__).parent.parent.parent
BF16 = ml_dtypes.bfloat16
CHECKED = [n for n, p in PEERS.items() if p.checked in ("package", "module")]
LIVE_ELEMENTS = 1 << 16
LIVE_ELEMENTS_ALL = 1 << 20


def given(p: Peer, x: np.ndarray) -> np.ndarray:
    """The tensor as the peer takes it."""
    return x.astype(BF16) if p.bfloat16_only else x


def differences(
    q: PeerQuantized, codes: np.ndarray, scales: np.ndarray, constants: tuple[np.float32, ...]
) -> int:
    """Count of element codes, scale codes and constants that are not identical."""
    assert q.codes.shape == codes.shape and q.scales.shape == scales.shape
    assert len(q.constants) == len(constants)
    have = np.array([*q.constants.values()], np.float32).view(np.uint32)
    want = np.array(constants, np.float32).view(np.uint32)
    return int((q.codes != codes).sum() + (q.scales != scales).sum() + (have != want).sum())


@cache
def inputs() -> dict[str, np.ndarray]:
    kinds, x = (read_npz(FOLDER / "inputs.npz", name) for name in ("kinds", "x"))
    return dict(zip(kinds.tolist(), x, strict=True))


@pytest.mark.parametrize("name", CHECKED)
def test_tables_of_the_packages(name: str) -> None:
    p, path = PEERS[name], FOLDER / f"{name.split('-')[1]}.npz"
    packed, scales, constants = (
        read_npz(path, f"{name}.{part}") for part in ("codes", "scales", "constants")
    )
    codes = np.stack([packed & 15, packed >> 4], axis=-1).reshape(*packed.shape[:-1], -1)
    assert set(inputs()) == {*peer_data.KINDS, *peer_data.EDGES, "order"}
    for kind, (x, *row) in zip(
        inputs(), zip(inputs().values(), codes, scales, constants, strict=True), strict=True
    ):
        wanted, block_scales, stored = row
        q = p.quantize(given(p, bf16(x) if p.bfloat16_only else x))
        assert differences(q, wanted, block_scales, tuple(stored)) == 0, kind


def test_every_peer_with_a_package_has_a_table() -> None:
    have = {
        member.rsplit(".", 1)[0]
        for path in FOLDER.glob("*.npz")
        if path.stem != "inputs"
        for member in list_npz(path)
    }
    assert have == set(CHECKED) and len(have) >= 20
    versions = json.loads((FOLDER / "versions.json").read_text("utf-8"))
    stated = {peers_packages.version_of(n) for n in CHECKED}
    assert {(k, v.split("+")[0]) for k, v in versions.items()} == {("torch", "2.13.0"), *stated}


def _live(name: str, elements: int) -> int:
    """Compare with the package on all kinds of data; return the number of elements."""
    try:
        run = peers_packages.runner(name)
    except peers_packages.Missing as reason:
        pytest.skip(str(reason))
    p, compared, wrong = PEERS[name], 0, {}
    for kind in (*peer_data.KINDS, *peer_data.EDGES):
        x = peer_data.tensor(kind, elements)
        x = bf16(x) if p.bfloat16_only else x
        q = p.quantize(given(p, x))
        typed = [False]
        if kind == "bf16" and not name.startswith("peer-compressed-tensors-"):
            typed.append(True)  # the dtype makes no difference to these libraries
        for as_bf16 in typed:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ran = run(x, as_bf16)
            key = f"{kind} as bfloat16" if as_bf16 else kind
            wrong[key] = differences(q, ran.codes, ran.scales, ran.constants)
            compared += x.size
            if ran.decoded is None:
                continue
            mine = q.dequantize()
            nan = np.isnan(ran.decoded)
            same = (mine.view(np.uint32) == ran.decoded.view(np.uint32)) | nan
            wrong[f"{key} decoded"] = int((~same).sum() + (np.isnan(mine) != nan).sum())
    assert not any(wrong.values()), wrong
    print(f"{name}: {compared:,} elements, {sum(wrong.values())} differences")
    return compared


@pytest.mark.parametrize("name", CHECKED)
def test_the_live_package(name: str) -> None:
    assert _live(name, LIVE_ELEMENTS) >= LIVE_ELEMENTS


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", CHECKED)
def test_the_live_package_on_2_20_elements_of_each_kind(name: str) -> None:
    assert _live(name, LIVE_ELEMENTS_ALL) >= len(peer_data.KINDS) * LIVE_ELEMENTS_ALL


def nearest(value: Fraction, known: list[Fraction], ties: str) -> int:
    """Index of the nearest of ascending numbers, saturating."""
    value = min(value, known[-1])
    high = next(i for i, v in enumerate(known) if v >= value)
    if high == 0 or known[high] == value:
        return high
    below, above = value - known[high - 1], known[high] - value
    return high if above < below or (above == below and ties == "away") else high - 1


E2M1 = [Fraction(n, 2) for n in (0, 1, 2, 3, 4, 6, 8, 12)]


@pytest.mark.parametrize(
    ("name", "ties", "last"),
    [("peer-fasoli-ue5m3", "away", 0xF7), ("peer-schaefer-ue5m3", "down", 0xFE)],
)
@pytest.mark.parametrize(
    "kind", ["normal", "rows", "quarters", "zeros", "ties", "subnormal", "exact-boundaries"]
)
def test_ue5m3_restated_in_fractions(name: str, ties: str, last: int, kind: str) -> None:
    x = peer_data.tensor(kind, 1024).reshape(-1, 16)
    q = peer(name).quantize(x)
    scales = [UE5M3.value(code) for code in range(last + 1)]
    for block, codes, (found,) in zip(x, q.codes, q.scales, strict=True):
        ratio = np.float32(np.abs(block).max()) / np.float32(6)
        code = nearest(Fraction(float(ratio)), scales, ties)
        assert found == code
        for value, element in zip(block, codes, strict=True):
            if code == 0:
                away = 0 if value == 0 or ties == "down" else 7
            else:
                y = np.abs(value) / np.float32(float(scales[code]))
                away = nearest(Fraction(float(y)), E2M1, ties)
            negative = value < 0 and (away > 0 or (ties == "down" and code > 0))
            assert element == away + 8 * negative


def test_torchao_on_cuda_multiplies_by_reciprocals() -> None:
    name = "peer-torchao-nvfp4-2level"
    x = peer_data.tensor("bf16", 1 << 14)
    f = np.float32
    sixth, limit = f(1) / f(6), f(1) / f(2688)
    differ = 0
    for row in x:
        q, on_cpu = (peer(n).quantize(row) for n in (f"{name}-cuda", name))
        p = f(np.abs(row).max()) * limit
        assert q.constants["per_tensor_scale"] == p
        for block, scale, codes in zip(
            row.reshape(-1, 16), q.scales, q.codes.reshape(-1, 16), strict=True
        ):
            wanted = np.float32(np.abs(block).max() * sixth) / p
            s = f(float(UE4M3.value(int(scale))))
            assert ml_dtypes.float8_e4m3fn(min(max(wanted, f(2**-6)), f(448))) == s
            y = np.clip(block * ((f(1) / p) / s), f(-6), f(6))
            assert (y.astype(ml_dtypes.float4_e2m1fn).view(np.uint8) == codes).all()
        differ += (q.codes != on_cpu.codes).any() or q.constants != on_cpu.constants
    assert differ > 0


@pytest.mark.parametrize(("made", "fmt"), [(E4M3, UE4M3), (PEER_UE5M3, UE5M3)])
def test_scale_codes_have_the_values_of_the_formats(made: Minifloat, fmt: Format) -> None:
    codes = np.arange(fmt.max_code + 1, dtype=np.uint8)
    values = made.decode(codes)
    assert [Fraction(float(v)) for v in values] == [fmt.value(int(c)) for c in codes]
    every: tuple[Ties, ...] = ("even", "away", "down")
    for ties in every:
        assert (made.encode(values, ties) == codes).all()
    # float32 holds the midpoints.
    middle = (values[1:] + values[:-1]) / np.float32(2)
    assert (made.encode(middle, "down") == codes[:-1]).all()
    assert (made.encode(middle, "away") == codes[1:]).all()
    assert (made.encode(middle, "even") == (codes[1:] & 0xFE)).all()
    assert made.encode(np.array([np.inf, 3e38], np.float32)).tolist() == [fmt.max_code] * 2
    assert UE5M3_IEEE.decode(np.uint8(UE5M3_IEEE.max_code)) == 61440


@pytest.mark.parametrize("mode", ["floor", "even", "rceil"])
@pytest.mark.parametrize("kind", [*peer_data.KINDS, *peer_data.EDGES])
def test_mxfp4_differs_from_the_exact_recipe_only_as_said(mode: str, kind: str) -> None:
    p = peer(f"peer-torchao-mxfp4-{mode}")
    assert p.exact is not None
    x = peer_data.tensor(kind, 1 << 14).reshape(-1, 32)
    theirs, ours = p.quantize(x), quantize(x, p.exact)
    same = (theirs.codes == ours.codes).all(axis=1) & (theirs.scales == ours.scales)[:, 0]
    amax = np.abs(x).max(axis=1).astype(np.float64)
    expected = (amax == 0) | (amax >= 2.0**-124)
    if mode == "rceil":
        significand, _ = np.frexp(amax / 6)
        above = (significand > 0.5) & (significand < 0.5 + 2.0**-16)
        expected &= ~above
        assert kind != "powers" or (above & ~same).any()
        lower = theirs.scales[above, 0] <= ours.scales[above, 0]
        assert lower.all()
    assert same[expected].all()


def test_names_and_what_they_say() -> None:
    assert len(peer_names()) == 23 and peer_names() == list(PEERS)
    for name, p in PEERS.items():
        assert p.name == name and p.evidence and p.differs and p.version
        if p.exact is not None:
            r = recipe(p.exact)
            assert (r.block_size, r.scale.name) == (p.block_size, p.scale)
    with pytest.raises(UnknownNameError, match="did you mean peer-te-nvfp4"):
        peer("peer-te-nvfp44")
    with pytest.raises(TypeError, match="a peer's name is a string, not int"):
        peer(4)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", peer_names())
@pytest.mark.parametrize(("shape", "axis"), [((3, 70), -1), ((70, 3), 0), ((2, 40, 5), 1)])
def test_axes_and_partial_blocks(name: str, shape: tuple[int, ...], axis: int) -> None:
    p = peer(name)
    x = np.random.Generator(np.random.PCG64(3)).standard_normal(shape, np.float32).astype(BF16)
    q = p.quantize(x, axis)
    moved = np.moveaxis(x, axis, -1)
    count = -(-moved.shape[-1] // p.block_size)
    padded = np.zeros((*moved.shape[:-1], count * p.block_size), BF16)
    padded[..., : moved.shape[-1]] = moved
    whole = p.quantize(padded)
    assert q.codes.shape == shape and q.axis == axis % len(shape)
    kept = whole.codes[..., : moved.shape[-1]]
    assert (np.moveaxis(q.codes, axis, -1) == kept).all()
    assert (np.moveaxis(q.scales, axis, -1) == whole.scales).all()
    decoded = whole.dequantize()[..., : moved.shape[-1]]
    assert (np.moveaxis(q.dequantize(), axis, -1) == decoded).all()
    # Half of the largest step of the element grid, which 4/6 and a torn scale can double.
    error = np.abs(decoded.astype(np.float64) - moved.astype(np.float64))
    assert error.max() <= np.abs(moved.astype(np.float64)).max() / 3


def test_pieces_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    x = peer_data.tensor("rows", 1 << 12)
    want = peer("peer-fouroversix-mse").quantize(x)
    monkeypatch.setattr("emulator.peers_model.PIECE", 3)
    got = peer("peer-fouroversix-mse").quantize(x)
    assert (got.codes == want.codes).all() and (got.scales == want.scales).all()


@pytest.mark.parametrize(
    ("name", "x", "error", "message"),
    [
        ("peer-te-nvfp4", np.ones(16), TypeError, "x is an array of float64"),
        ("peer-te-nvfp4", np.zeros((0, 16), np.float32), ValueError, "is empty"),
        ("peer-te-nvfp4", np.array([np.inf], np.float32), ValueError, "modelled on finite numbers"),
        (
            "peer-compressed-tensors-nvfp4-bf16",
            np.array([1], np.float32),
            TypeError,
            "takes bfloat16",
        ),
    ],
)
def test_bad_input(name: str, x: np.ndarray, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        peer(name).quantize(x)


def test_the_page_is_up_to_date() -> None:
    text = (ROOT / "docs" / "peers.md").read_text("utf-8")
    assert insert(text) == text
    assert all(text.count(f"| `{name}` |") == 2 for name in peer_names())
    with pytest.raises(ValueError, match="no markers"):
        insert("nothing here")
