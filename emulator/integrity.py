"""Proof that a vectors folder is intact, or the file, line and field that is not (spec §11.4)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emulator.errors import FileFormatError
from emulator.formats import format_named
from emulator.golden import (
    MANIFEST,
    SOURCES,
    Progress,
    describe_expected,
    describe_stimulus,
    expected,
    expected_by_reference,
    load_file,
    read_manifest,
    sample_rows,
    word_entry,
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
    check_names(folder, {e["file"] for e in entries})
    seeds = {json.dumps(e["seed"]) for e in manifest["stimulus"]}
    if len(seeds) > 1:
        raise FileFormatError(f"{folder / MANIFEST}: seeds differ: {', '.join(sorted(seeds))}")
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
        source = next(e for e in manifest["stimulus"] if e["file"] == entry["stimulus"])
        spec = _check_expected(folder, entry, source, stimuli[entry["stimulus"]], sample)
        words += spec[0]
        confirmed += spec[1]
    if not words:
        raise FileFormatError(f"{folder}: not one expected word to check (spec §13.2)")
    return Intact(len(entries), sum(map(len, stimuli.values())), words, confirmed)


def nested(folder: Path) -> list[Path]:
    """The vectors folders within a folder; each answers for its own files."""
    return sorted(p.parent for p in folder.rglob(MANIFEST) if p.parent != folder)


def check_names(folder: Path, listed: set[str]) -> None:
    """Compare the files of a folder, those of nested folders left out, with its manifest's.

    Raises:
        FileFormatError: naming the first file that is missing or not listed.
    """
    inner = nested(folder)
    present = {
        p.relative_to(folder).as_posix()
        for p in folder.rglob("*")
        if p.is_file() and not any(p.is_relative_to(i) for i in inner)
    }
    for name in sorted(listed - present):
        raise FileFormatError(f"{folder / name}: the manifest lists it, but it is missing")
    for name in sorted(present - listed - {MANIFEST}):
        raise FileFormatError(f"{folder / name}: the manifest does not list it")


def _check_stimulus(folder: Path, entry: dict[str, Any]) -> Words:
    with blaming(folder, entry):
        r, x = recipe(entry["recipe"]), format_named(entry["input"])
        layout, name = input_layout(x, r.block_size), entry["generator"]
        blocks = entry["words"] if name == "random" else None
        want = stimulus(name, r, x, blocks=blocks, seed=entry["seed"])
    about = describe_stimulus(r, x, name, entry["seed"])
    # Recipes share stimuli: any of those that do may stand in the manifest.
    return same_words(folder, entry, about, layout, want, "its generator")


def _check_expected(
    folder: Path, entry: dict[str, Any], source: dict[str, Any], words: Words, sample: int
) -> tuple[int, int]:
    with blaming(folder, entry):
        r, x = recipe(entry["recipe"]["name"]), format_named(entry["input"])
        layout = output_layout(r.block_format)
        if entry["source"] not in SOURCES:
            raise ValueError(f"source {entry['source']!r} is not one of {', '.join(SOURCES)}")
        want = expected(r, x, words, seed=source["seed"])
    about = describe_expected(r, x, source["generator"], entry["source"], words, source["seed"])
    spec = same_words(folder, entry, about, layout, want, f"recipe {r.name}")
    picked = sample_rows(len(words), sample)
    exact = expected_by_reference(
        r, x, words[picked], words, seed=source["seed"], numbers=picked.tolist()
    )
    for line, got, need in zip(picked, spec[picked], exact, strict=True):
        if (got != need).any():
            raise FileFormatError(
                f"{folder / entry['file']}:{line + 1}: {_difference(layout, got, need)} "
                "by the reference"
            )
    return len(spec), len(picked)


@contextmanager
def blaming(folder: Path, entry: dict[str, Any]) -> Iterator[None]:
    """Turn what a wrong value in the manifest leads to into an error that names the entry."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise FileFormatError(f"{folder / MANIFEST}: entry {entry['file']!r}: {reason}") from None


def same_words(
    folder: Path,
    entry: dict[str, Any],
    about: dict[str, Any],
    layout: WordLayout,
    want: Words,
    by: str,
) -> Words:
    """The words of a file if it and its entry are intact and hold what was computed again."""
    wanted = about | {"sha256": entry["sha256"], "words": len(want), **word_entry(layout)}
    for key in sorted(set(entry) | set(wanted)):
        have, need = (json.dumps(e.get(key, "nothing"), sort_keys=True) for e in (entry, wanted))
        if have != need and key != "words":  # a wrong number of words shows in the file
            raise FileFormatError(
                f"{folder / MANIFEST}: entry {entry['file']!r}: {key} is {have}, should be {need}"
            )
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
