"""The cache: hits, misses, damage, interruption."""

from __future__ import annotations

from pathlib import Path

import pytest

from compare.cache import Cache, digest, source_digest, write_atomically
from emulator.errors import ToolError


def test_hit_and_miss(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert cache.get("area", [1, "a"]) is None
    cache.put("area", [1, "a"], {"ge": 1.5})
    assert cache.get("area", [1, "a"]) == {"ge": 1.5}
    assert cache.get("area", [1, "b"]) is None
    assert cache.get("depth", [1, "a"]) is None
    cache.put("area", [1, "a"], {"ge": 2.5})
    assert Cache(tmp_path).get("area", [1, "a"]) == {"ge": 2.5}


def test_key_order_does_not_matter() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest([1, 2]) != digest([2, 1])


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:-3],
        lambda text: text.replace("1.5", "1.6"),
        lambda text: "[]",
        lambda text: "null",
        lambda text: '{"value": 1}',
    ],
)
def test_damaged_entry_counts_as_absent(tmp_path: Path, damage) -> None:
    cache = Cache(tmp_path)
    cache.put("area", "x", {"ge": 1.5})
    path = cache.path("area", "x")
    path.write_text(damage(path.read_text()))
    assert cache.get("area", "x") is None


def test_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.json"
    path.write_text("before")

    def interrupt(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, "after")
    assert [p.name for p in tmp_path.iterdir()] == ["file.json"]
    assert path.read_text() == "before"


def test_unwritable_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ToolError, match="cannot write"):
        write_atomically(tmp_path / "file" / "entry.json", "")


def test_source_digest_follows_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compare.cache.ROOT", tmp_path)
    (tmp_path / "p").mkdir()
    texts = {
        "a": "import os\nfrom p.b import x\n",
        "b": "def f():\n    import p.c\nx = 1\n",
        "c": "from p import d\n",
        "d": "y = 1\n",
        "e": "z = 1\n",
    }
    for name, text in texts.items():
        (tmp_path / "p" / f"{name}.py").write_text(text)

    def found(pattern: str = "p/a.py") -> str:
        source_digest.cache_clear()
        return source_digest(pattern)

    first = found()
    assert found() == first
    (tmp_path / "p" / "e.py").write_text("z = 2\n")  # a does not depend on it
    assert found() == first
    seen = {first}
    for name in "abcd":
        (tmp_path / "p" / f"{name}.py").write_text(texts[name] + "# changed\n")
        seen.add(found())
    assert len(seen) == 5
    with pytest.raises(FileNotFoundError, match="no file matches"):
        found("p/*.none")
    source_digest.cache_clear()
