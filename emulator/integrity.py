"""Proof that a vectors folder is intact, or the file, line and field that is not (spec §11.4)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emulator.errors import FileFormatError
from emulator.formats import FORMATS
from emulator.golden import (
    MANIFEST,
    Progress,
    expected,
    expected_by_reference,
    load_file,
    read_manifest,
    recipe_of,
)
from emulator.layout import WordLayout, Words, from_hex, input_layout, output_layout
from emulator.recipes import recipe
from emulator.stimulus import stimulus


@dataclass(frozen=True)
class Intact:
    """What `check` has compared."""

    files: int
    stimulus_words: int
    expected_words: int
    reference_words: int


def check(folder: Path, *, sample: int = 16, progress: Progress | None = None) -> Intact:
    """Check every file of a folder against its manifest, its generator and its recipe.

    Each stimulus is generated again; each expected word is computed again by the kernels, and
    ``sample`` words per file by the reference.

    Raises:
        FileFormatError: naming the first file, line and field that is not intact, a file that is
            missing or not listed, or a folder that holds no expected word.
    """
    manifest = read_manifest(folder)
    entries = [*manifest["stimulus"], *manifest["expected"]]
    _check_names(folder, {e["file"] for e in entries})
    stimuli: dict[str, Words] = {}
    words = confirmed = 0
    for done, entry in enumerate(entries):
        if progress:
            progress(entry["file"], done, len(entries))
        if "stimulus" not in entry:
            stimuli[entry["file"]] = _check_stimulus(folder, entry)
            continue
        if entry["stimulus"] not in stimuli:
            raise FileFormatError(f"{folder / MANIFEST}: no stimulus {entry['stimulus']!r}")
        spec = _check_expected(folder, entry, stimuli[entry["stimulus"]], sample)
        words += spec[0]
        confirmed += spec[1]
    if not words:
        raise FileFormatError(f"{folder}: not one expected word to check (spec §13.2)")
    return Intact(len(entries), sum(map(len, stimuli.values())), words, confirmed)


def _check_names(folder: Path, listed: set[str]) -> None:
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    for name in sorted(listed - present):
        raise FileFormatError(f"{folder / name}: the manifest lists it, but it is missing")
    for name in sorted(present - listed - {MANIFEST}):
        raise FileFormatError(f"{folder / name}: the manifest does not list it")


def _check_stimulus(folder: Path, entry: dict[str, Any]) -> Words:
    r, x = recipe(entry["recipe"]), FORMATS[entry["input"]]
    layout = input_layout(x, r.block_size)
    blocks = entry["words"] if entry["generator"] == "random" else None
    want = stimulus(entry["generator"], r, x, blocks=blocks, seed=entry["seed"])
    return _same(folder, entry, layout, want, "its generator")


def _check_expected(
    folder: Path, entry: dict[str, Any], words: Words, sample: int
) -> tuple[int, int]:
    r, x = recipe_of(entry)
    layout = output_layout(r.block_format)
    spec = _same(folder, entry, layout, expected(r, x, words), f"recipe {r.name}")
    picked = np.unique(np.linspace(0, len(words) - 1, min(sample, len(words))).astype(np.int64))
    exact = expected_by_reference(r, x, words[picked], words)
    for line, got, want in zip(picked, spec[picked], exact, strict=True):
        if (got != want).any():
            raise FileFormatError(
                f"{folder / entry['file']}:{line + 1}: {_difference(layout, got, want)} "
                "by the reference"
            )
    return len(spec), len(picked)


def _same(folder: Path, entry: dict[str, Any], layout: WordLayout, want: Words, by: str) -> Words:
    """The words of a file if it is intact and holds what was computed again."""
    path = folder / entry["file"]
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != entry["sha256"] or len(want) != entry["words"]:
        # Find the place before load_file says only that something is wrong.
        words = from_hex(data.decode("ascii", "replace").splitlines(), layout, str(path))
        _compare(path, layout, words, want, by)
    words = load_file(folder, entry, layout)
    _compare(path, layout, words, want, by)
    return words


def _compare(path: Path, layout: WordLayout, words: Words, want: Words, by: str) -> None:
    common = min(len(words), len(want))
    wrong = np.flatnonzero((words[:common] != want[:common]).any(axis=1))
    if len(wrong):
        line = int(wrong[0])
        raise FileFormatError(
            f"{path}:{line + 1}: {_difference(layout, words[line], want[line])} by {by}"
        )
    if len(words) != len(want):
        raise FileFormatError(f"{path}: {len(words)} words, should be {len(want)} by {by}")


def _difference(layout: WordLayout, got: Words, want: Words) -> str:
    """The first field in which two words differ, as text."""
    have, need = layout.unpack(got[None]), layout.unpack(want[None])
    for field in layout.fields:
        for lane in range(field.count):
            a, b = int(have[field.name][0, lane]), int(need[field.name][0, lane])
            if a != b:
                name = f"{field.name}[{lane}]" if field.count > 1 else field.name
                return f"field {name} is {a:x}, should be {b:x}"
    return "bits above the fields are not 0"
