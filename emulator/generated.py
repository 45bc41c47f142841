"""Generated parts of documents: what stands between two markers, the markers included."""

from __future__ import annotations

from pathlib import Path

from emulator.folder import new_file


def replace_part(text: str, begin: str, end: str, part: str) -> str:
    """Return the text with ``part`` in the place of all from ``begin`` to ``end``.

    Raises:
        ValueError: if the text has no such pair of markers.
    """
    before, first, rest = text.partition(begin)
    _, last, after = rest.partition(end)
    if not first or not last:
        raise ValueError(f"the text has no markers {begin} and {end}")
    return before + part + after


def update_file(path: Path, begin: str, end: str, part: str) -> bool:
    """Replace the part of a text file that stands between markers; return whether it changed.

    Raises:
        ValueError: if the file has no such pair of markers.
    """
    text = path.read_text("utf-8")
    try:
        changed = replace_part(text, begin, end, part)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if changed != text:
        with new_file(path) as new:
            new.write_text(changed, "utf-8")
    return changed != text
