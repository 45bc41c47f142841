"""Files and folders appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.folder import new_file, new_folder


def test_a_file_takes_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "x.txt"
    with new_file(path) as part:
        part.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), new_file(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_folder(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with new_folder(path, marker="m") as part:
        (part / "m").write_text("1")
    with pytest.raises(KeyboardInterrupt), new_folder(path, marker="m", overwrite=True) as part:
        (part / "m").write_text("2")
        raise KeyboardInterrupt
    assert (path / "m").read_text() == "1"
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_folder_is_not_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.mkdir()
    with new_folder(path, marker="m") as part:
        (part / "m").write_text("1")
    assert (path / "m").read_text() == "1"


def test_a_file_is_in_the_way_of_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("")
    with (
        pytest.raises(FileExistsError, match="has no m"),
        new_folder(path, marker="m", overwrite=True),
    ):
        pass
