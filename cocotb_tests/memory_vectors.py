"""Golden vectors of tensor quantizers: commands, and the memory before and after (spec §11.7).

Folders of units (`unit_vectors`) hold words of streams; a tensor quantizer has a memory on both
sides, so that its words are those of the memory, in the order of their addresses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cocotb_tests.families import MEMORY_FAMILIES
from cocotb_tests.memory_cases import SIZES, case
from cocotb_tests.memory_reference import execute
from cocotb_tests.memory_tensors import Task
from cocotb_tests.unit_vectors import (
    GATES_ONLY,
    counts,
    kind_of_folder,
    manifest_of,
    manifest_text,
)
from emulator.errors import FileFormatError, MismatchError
from emulator.folder import new_folder
from emulator.golden import MANIFEST, Progress, load_file, store
from emulator.integrity import Intact, blaming, check_names, same_words
from emulator.layout import Field, WordLayout, Words
from emulator.version import SPEC_VERSION
from rtl.tensor_quantizer_variant import UNIT, TensorQuantizerVariant, tensor_quantizer

KIND = "finescale memory vectors"
COMMITTED = "memory"
"""Folder of the vectors of tensor quantizers within the committed golden vectors."""

COMMITTED_LIMIT = 60_000
"""Bytes that the committed set may take."""

_COMMON = ("file", "sha256", "words", "width", "fields", "meaning", "clauses", "variant", "counts")
_KEYS = {
    "stimulus": (*_COMMON, "generator", "seed"),
    "expected": (*_COMMON, "stimulus", "confirmed_words"),
}


def memory_layout(v: TensorQuantizerVariant) -> WordLayout:
    """Bits of a line that is a word of the memory."""
    return WordLayout((Field("bytes", 0, 8, v.width),))


@dataclass(frozen=True)
class _File:
    """A file: what the manifest says of it, and its words."""

    entry: dict[str, Any]
    layout: WordLayout
    words: Words


def _files(v: TensorQuantizerVariant, name: str, seed: int, t: Task) -> list[_File]:
    """The four files of a case: two stimuli, two of what is required."""
    memory = memory_layout(v)
    line = f"{v.width} bytes of the memory, byte i at bit 8*i; line k is that of address "
    line += f"{v.width}*(k-1) (spec §11.7, §24.1)"
    stimuli = [f"stimulus/{v.name}/{name}-{what}.hex" for what in ("commands", "memory")]
    confirmed = execute(v, t.before, t.commands)
    for file, own, by_reference in (
        ("memory", t.after, confirmed[0]),
        ("status", t.statuses, confirmed[1]),
    ):
        if not np.array_equal(own, by_reference):
            raise MismatchError(f"{v} {name}-{file}: two computations differ")
    rows: list[tuple[str, WordLayout, Words, str]] = [
        (stimuli[0], v.command_layout, t.commands, v.meanings["command_payload"]),
        (stimuli[1], memory, t.before.reshape(-1, v.width), line),
        (f"expected/{v.name}/{name}-memory.hex", memory, t.after.reshape(-1, v.width), line),
        (
            f"expected/{v.name}/{name}-status.hex",
            v.status_layout,
            t.statuses,
            v.meanings["status_payload"],
        ),
    ]
    found = []
    for file, layout, words, meaning in rows:
        entry = {
            "file": file,
            "variant": v.name,
            "meaning": meaning,
            "clauses": re.findall(r"§[0-9]+\.[0-9]+", meaning),
            "counts": counts(words, layout),
        }
        if file in stimuli:
            entry |= {"generator": name, "seed": seed}
        else:
            entry |= {
                "variant": {"name": v.name, "unit": UNIT, **v.parts()},
                "stimulus": stimuli,
                "confirmed_words": len(words),
            }
        found.append(_File(entry, layout, words))
    return found


def write(
    folder: Path,
    variants: Sequence[TensorQuantizerVariant],
    *,
    names: Sequence[str] = (),
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a folder of vectors of tensor quantizers; it appears whole or not at all.

    Args:
        folder: must not exist or be empty, unless ``overwrite`` and it holds vectors.
        variants: for which.
        names: which cases of `SIZES`; all of them if empty.
        seed: of all cases.
        overwrite: replace an existing folder of vectors.
        progress: called before each case.

    Returns:
        The manifest.

    Raises:
        FileExistsError: if the folder is in the way.
        MismatchError: if kernels and reference disagree; nothing is written then.
        UnknownNameError: if there is no case of a name.
        ValueError: without variants, or for a seed below 0.
    """
    if not variants:
        raise ValueError("vectors of tensor quantizers need at least one of them")
    if seed < 0:
        raise ValueError(f"seed {seed} is below 0")
    jobs = [(v, name) for v in variants for name in dict.fromkeys(names or SIZES)]
    manifest: dict[str, Any] = {"kind": KIND, "spec": SPEC_VERSION, "stimulus": [], "expected": []}
    with new_folder(folder, marker=MANIFEST, overwrite=overwrite) as target:
        for done, (v, name) in enumerate(jobs):
            if progress:
                progress(f"{v} {name}", done, len(jobs))
            for file in _files(v, name, seed, case(v, name, seed)):
                part = file.entry["file"].partition("/")[0]
                stored = store(target, file.entry["file"], file.words, file.layout)
                manifest[part].append(file.entry | stored)
        for part in _KEYS:
            manifest[part].sort(key=lambda e: e["file"])
        (target / MANIFEST).write_text(manifest_text(manifest), "utf-8")
    return manifest


def write_committed(folder: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Write the vectors of tensor quantizers kept in the repository; see `write`."""
    chosen = [tensor_quantizer(name) for name in MEMORY_FAMILIES]
    return write(folder, chosen, overwrite=True, progress=progress)


def is_memory_folder(folder: Path) -> bool:
    """Whether a folder's manifest says that it holds vectors of tensor quantizers."""
    return kind_of_folder(folder) == KIND


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read and check the manifest of a folder.

    Raises:
        FileFormatError: if it is missing, not JSON, incomplete or of another spec version.
    """
    return manifest_of(folder, KIND, "memory", _KEYS)


def _cases(folder: Path, manifest: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The entries of each case: commands, memory, required memory, required statuses."""
    files = {e["file"]: e for part in _KEYS for e in manifest[part]}
    found = []
    for file in list(files):
        if file.startswith("stimulus/") and file.endswith("-commands.hex"):
            stem = file.removeprefix("stimulus/").removesuffix("-commands.hex")
            names = [f"stimulus/{stem}-commands.hex", f"stimulus/{stem}-memory.hex"]
            names += [f"expected/{stem}-memory.hex", f"expected/{stem}-status.hex"]
            for name in names:
                if name not in files:
                    raise FileFormatError(f"{folder / MANIFEST}: no file {name!r}")
            found.append([files.pop(name) for name in names])
    if files:
        raise FileFormatError(f"{folder / MANIFEST}: {min(files)!r} belongs to no case")
    return found


def check(folder: Path, *, sample: int = 16, progress: Progress | None = None) -> Intact:
    """Check every file of a folder against its manifest and its generator.

    Each case is generated again, and all that it requires is computed by the reference, too.

    Args:
        folder: the folder.
        sample: as other kinds of folders have it; here the reference confirms every word.
        progress: called before each case.

    Raises:
        FileFormatError: naming the first file, line and field that is not intact, a file that is
            missing or not listed, or a folder that holds no case.
    """
    manifest = read_manifest(folder)
    cases = _cases(folder, manifest)
    check_names(folder, {e["file"] for entries in cases for e in entries})
    given = required = 0
    for done, entries in enumerate(cases):
        if progress:
            progress(entries[0]["file"], done, len(cases))
        with blaming(folder, entries[2]):
            v = tensor_quantizer(entries[2]["variant"]["name"])
            name, seed = entries[0]["generator"], entries[0]["seed"]
            files = _files(v, name, seed, case(v, name, seed))
        for entry, file in zip(entries, files, strict=True):
            same_words(folder, entry, file.entry, file.layout, file.words, f"case {name} of {v}")
        given += sum(len(file.words) for file in files[:2])
        required += sum(len(file.words) for file in files[2:])
    if not required:
        raise FileFormatError(f"{folder}: not one expected word to check (spec §13.2)")
    return Intact(4 * len(cases), given, required, required)


def computed(v: TensorQuantizerVariant) -> dict[str, Any]:
    """What decides the words of a memory: not the schedule, but whether it gives a tensor scale."""
    parts = {k: p for k, p in v.quantizer.parts().items() if k not in GATES_ONLY}
    return parts | {"width": v.width, "delayed": v.schedule == "delayed"}


def load(folder: Path, v: TensorQuantizerVariant) -> list[tuple[str, Task]]:
    """All cases of what a tensor quantizer computes, what they require computed again.

    Raises:
        FileFormatError: if a file is damaged, requires something else, or if there is none for it.
    """
    found = []
    for entries in _cases(folder, read_manifest(folder)):
        with blaming(folder, entries[2]):
            other = tensor_quantizer(entries[2]["variant"]["name"])
        if computed(other) != computed(v):
            continue
        layouts = (v.command_layout, memory_layout(v), memory_layout(v), v.status_layout)
        commands, before, after, statuses = (
            load_file(folder, e, layout) for e, layout in zip(entries, layouts, strict=True)
        )
        again = execute(v, before.reshape(-1), commands)
        for entry, words, wanted in zip(entries[2:], (after, statuses), again, strict=True):
            if not np.array_equal(words.reshape(-1), wanted.reshape(-1)):
                raise FileFormatError(f"{folder / entry['file']}: not what {v} has to give")
        t = Task(before.reshape(-1), commands, after.reshape(-1), statuses)
        found.append((f"{other.schedule} {entries[0]['generator']}", t))
    if not found:
        raise FileFormatError(f"{folder}: no vectors of {v}")
    return found
