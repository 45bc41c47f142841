"""Swizzled scales (spec §20.3, §20.4): against the clause, and against torchao's to_blocked."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from emulator.recipes import recipe
from emulator.swizzle import swizzle, swizzled_size, unswizzle
from emulator.tensor import Quantized, quantize
from tests.emulator.make_interchange_vectors import SHAPES, VECTORS, matrix, swizzled, versions


def by_the_clause(scales: np.ndarray) -> np.ndarray:
    """Each byte put where spec §20.3 says, one by one."""
    rows, columns = scales.shape
    across = -(-columns // 4)
    out = [0] * (512 * -(-rows // 128) * across)
    for r in range(rows):
        for c in range(columns):
            tile = r // 128 * across + c // 4
            at = 512 * tile + 16 * (r % 32) + 4 * (r % 128 // 32) + c % 4
            assert out[at] == 0
            out[at] = int(scales[r, c])
    return np.array(out, np.uint8)


@pytest.mark.parametrize("shape", [*SHAPES, (127, 8), (129, 1), (256, 12)], ids=str)
def test_each_byte_stands_where_the_clause_says(shape: tuple[int, int]) -> None:
    """spec §20.3, §20.4: no two share a place, and all else is 0."""
    scales = matrix(*shape)
    got = swizzle(scales)
    assert np.array_equal(got, by_the_clause(scales))
    assert got.size == swizzled_size(*shape) and np.count_nonzero(got) == scales.size
    assert np.array_equal(unswizzle(got, *shape), scales)


def test_committed_results_of_torchao() -> None:
    """spec §20.3: an outside statement of the layout."""
    with np.load(VECTORS / "to_blocked.npz") as stored:
        assert str(stored["by"]) == "torch 2.13.0, torchao 0.18.0"
        for rows, columns in SHAPES:
            want = stored[f"{rows}x{columns}"]
            assert np.array_equal(swizzle(matrix(rows, columns)), want)
            assert np.array_equal(unswizzle(want, rows, columns), matrix(rows, columns))


def test_torchao_itself() -> None:
    """spec §20.3: on other shapes, where it is installed."""
    for module in ("torch", "torchao"):
        pytest.importorskip(module, reason=f"{module} is not installed (extra `peers`)")
    assert versions("torchao")
    for shape in ((5, 5), (128, 64), (384, 20), (257, 31)):
        assert np.array_equal(swizzle(matrix(*shape)), swizzled(*shape))


def test_padding_is_not_looked_at() -> None:
    """spec §20.4."""
    scales = matrix(130, 5)
    got = swizzle(scales)
    got[got == 0] = 0xEE
    assert np.array_equal(unswizzle(got, 130, 5), scales)


def test_scales_of_a_quantized_matrix() -> None:
    """spec §20.3: a row runs along the blocked axis; types of 1 byte stay what they are."""
    x = np.random.Generator(np.random.PCG64(1)).standard_normal((96, 160), np.float32)
    q = quantize(x, "nvfp4")
    assert np.array_equal(q.swizzled_scales(), swizzle(q.scales))
    assert np.array_equal(quantize(x.T, "nvfp4", axis=0).swizzled_scales(), q.swizzled_scales())
    typed = swizzle(q.to_ml_dtypes()[1])
    assert typed.dtype == ml_dtypes.float8_e4m3fn
    assert np.array_equal(typed.view(np.uint8), q.swizzled_scales())
    assert unswizzle(typed, 96, 10).dtype == ml_dtypes.float8_e4m3fn


def test_what_does_not_fit_is_refused() -> None:
    """spec §20.3, §20.4."""
    with pytest.raises(TypeError, match="scales are float32, not an array of a type of 1 byte"):
        swizzle(np.zeros((4, 4), np.float32))
    for shape in ((4,), (2, 4, 4), (0, 4)):
        with pytest.raises(ValueError, match="are not those of one matrix"):
            swizzle(np.zeros(shape, np.uint8))
    for rows, columns in ((129, 4), (128, 5), (0, 4), (128, -1)):
        with pytest.raises(
            ValueError, match=f"not the swizzled scales of {rows} rows of {columns}"
        ):
            unswizzle(np.zeros(512, np.uint8), rows, columns)
    q = Quantized(np.zeros((2, 2, 4), np.uint8), np.zeros((2, 2, 1), np.uint8), recipe("mxfp4"))
    with pytest.raises(ValueError, match=r"shape \(2, 2, 4\) is not a matrix"):
        q.swizzled_scales()
