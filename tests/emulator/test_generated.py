"""Generated parts of documents are replaced, and nothing around them."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.generated import replace_part, update_file


def test_only_the_part_between_the_markers_changes(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    path.write_text("a\n[old]\nb\n")
    assert update_file(path, "[", "]", "[new]")
    assert path.read_text() == "a\n[new]\nb\n"
    assert not update_file(path, "[", "]", "[new]")


@pytest.mark.parametrize("text", ["", "[ only", "] before ["])
def test_no_pair_of_markers(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"no markers \[ and \]"):
        replace_part(text, "[", "]", "[]")
    path = tmp_path / "x.md"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"x.md: the text has no markers"):
        update_file(path, "[", "]", "[]")
    assert path.read_text() == text
