"""The study of errors: its figures are those of `normal_error`, kept, and refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.errors import SEED, study_errors
from compare.quality import normal_error
from emulator.errors import UnknownNameError
from emulator.formats import FORMATS
from emulator.recipes import recipe

N = 1 << 14


def test_figures(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    names = ["ue5m3-absmax", "ue4m3-4o6-h"]
    found = [
        study_errors(
            names,
            sigma=0.5,
            samples=N,
            source="bf16",
            cache=tmp_path,
            progress=lambda *a: seen.append(a),
        )
        for _ in range(2)
    ]
    assert found[0] == found[1]
    assert [done for _, done, _ in seen] == [*range(1, 9)] * 2
    r = recipe("ue4m3-4o6-h-b16")
    wanted = normal_error(r, FORMATS["bf16"], 0.5, samples=N, seed=SEED).relative
    assert found[0].errors["ue4m3-4o6-h"][16] == wanted > 0
    assert found[0].command == (
        "finescale study error ue5m3-absmax ue4m3-4o6-h --sigma 0.5 --samples 16384 --input bf16"
    )
    assert f"{wanted * 1000:.3f}" in found[0].grid().markdown()


def test_random_rounding_has_an_error_too(tmp_path: Path) -> None:
    """The seed is fixed, so that it can be measured again (spec §19.7)."""
    names = ["ue5m3-absmax", "ue5m3-absmax-sr8"]
    found = [study_errors(names, samples=N, cache=tmp_path / str(i)).errors for i in range(2)]
    assert found[0] == found[1]
    assert found[0]["ue5m3-absmax-sr8"][16] > 1.5 * found[0]["ue5m3-absmax"][16]


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"selections": ["ue5m3-absmas"]}, UnknownNameError, "ue5m3-absmas"),
        ({"sigma": -1.0}, ValueError, "sigma of -1"),
        ({"samples": 3}, ValueError, "3 samples are not a multiple of 512"),
    ],
)
def test_bad_input(given: dict[str, object], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        study_errors(**given)  # type: ignore[arg-type]
