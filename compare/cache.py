"""Results kept by content: what they depend on is hashed, and the hash names the file."""

from __future__ import annotations

import ast
import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from emulator.errors import ToolError
from emulator.folder import new_file

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path("build") / "cache"
SCHEMA = 1


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value, whatever the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache
def source_digest(*patterns: str) -> str:
    """Return the SHA-256 over the project's files that match and all that these import.

    Raises:
        FileNotFoundError: if a pattern matches nothing, which would make the hash meaningless.
    """
    waiting: list[Path] = []
    for pattern in patterns:
        found = list(ROOT.glob(pattern))
        if not found:
            raise FileNotFoundError(f"no file matches {pattern}")
        waiting += found
    files: dict[Path, str] = {}
    while waiting:
        path = waiting.pop()
        if path not in files:
            files[path] = file_digest(path)
            waiting += _imported(path) if path.suffix == ".py" else []
    return digest({path.relative_to(ROOT).as_posix(): files[path] for path in files})


def _imported(path: Path) -> list[Path]:
    """The project's modules that a module imports, at its head or within a function."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    paths = (ROOT.joinpath(*name.split(".")).with_suffix(".py") for name in names)
    return [path for path in paths if path.is_file()]


class Cache:
    """A folder of JSON files ``<kind>/<key>.json``.

    An entry that is damaged counts as absent. Entries are written to a temporary name and then
    renamed, so that an interrupted run leaves whole entries only.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder

    def path(self, kind: str, inputs: Any) -> Path:
        """The file of the result of that kind for these inputs."""
        return self.folder / kind / f"{digest([SCHEMA, inputs])}.json"

    def get(self, kind: str, inputs: Any) -> Any | None:
        """Return the stored value, or None if there is none that is whole."""
        try:
            entry = json.loads(self.path(kind, inputs).read_text())
            whole = entry["digest"] == digest(entry["value"])
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return entry["value"] if whole else None

    def put(self, kind: str, inputs: Any, value: Any) -> None:
        """Store a JSON value."""
        path = self.path(kind, inputs)
        write_atomically(path, json.dumps({"digest": digest(value), "value": value}))


def write_atomically(path: Path, text: str) -> None:
    """Write a text file whole or not at all.

    Raises:
        ToolError: if the folder cannot be written.
    """
    try:
        with new_file(path) as part:
            part.write_text(text, "utf-8", newline="\n")
    except OSError as error:
        raise ToolError(f"cannot write {path}: {error.strerror or error}") from None
