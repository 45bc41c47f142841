"""Golden vectors of units: folders of input words and the words required for them (spec §11.5).

Folders of recipes (`emulator.golden`) know blocks and nothing else; these hold the words of any
variant, as its ports carry them. All variants that differ in pipeline cuts or turns share them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cocotb_tests.families import FAMILIES
from cocotb_tests.subject import MIXED, Named, Subject, emitting
from cocotb_tests.subjects import subject
from cocotb_tests.unit_reference import confirmed
from emulator.errors import FileFormatError, MismatchError, UnknownNameError, near
from emulator.folder import new_folder
from emulator.golden import MANIFEST, Progress, check_entries, load_file, store
from emulator.integrity import Intact, blaming, check_names, same_words
from emulator.layout import WordLayout, Words
from emulator.version import SPEC_VERSION
from rtl.variant import Device, Variant
from rtl.variants import variant

KIND = "finescale unit vectors"
SAMPLE = 256
"""Output words per file that a second computation confirms when a folder is written."""

GATES_ONLY = ("cuts", "turn", "rounds")
"""Parts of a variant that decide gates and cycles alone: variants that differ in them share words.

A part of a new unit that decides no bit belongs here.
"""

COMMITTED = "units"
"""Folder of the vectors of units within the committed golden vectors."""

COMMITTED_MOST = 96
"""Words of each stimulus of the committed set."""

COMMITTED_MOST_SEEDED = 80
"""The same of words that bring a seed, half of which is the same in many words."""

COMMITTED_LIMIT = 3 << 19
"""Bytes that the committed set may take."""

LONG = ("sweep",)
"""Stimuli that are written only where they are named."""

_COMMON = ("file", "sha256", "words", "width", "fields", "meaning", "clauses", "variant", "counts")
_KEYS = {
    "stimulus": (*_COMMON, "generator", "seed", "of"),
    "expected": (*_COMMON, "stimulus", "confirmed_words"),
}

Names = Callable[[Subject[Any]], Iterable[str]]


def is_unit_folder(folder: Path) -> bool:
    """Whether a folder's manifest says that it holds vectors of units."""
    return kind_of_folder(folder) == KIND


def kind_of_folder(folder: Path) -> object:
    """What a folder's manifest says that it holds; None if there is no manifest to read."""
    try:
        found = json.loads((folder / MANIFEST).read_text("utf-8"))
    except (ValueError, OSError):
        return None
    return found.get("kind") if isinstance(found, dict) else None


def default_names(about: Subject[Any]) -> list[str]:
    """All stimuli of a unit but the long ones, and "random"."""
    return [*(name for name in about.names() if name not in LONG), "random"]


def committed_names(about: Subject[Any]) -> list[str]:
    """The stimuli of a unit in the committed set: all, or the mixed one, which stands for them."""
    names = default_names(about)
    return [MIXED] if MIXED in names else names


def committed_most(v: Variant) -> int:
    """Most words of each stimulus of a variant in the committed set."""
    seeded = any(field.name == "seed" for field in v.input_layout.fields)
    return COMMITTED_MOST_SEEDED if seeded else COMMITTED_MOST


def chooser(wanted: Sequence[str]) -> Names:
    """The stimuli of these names, which may leave out the scale format they belong to.

    What it returns raises UnknownNameError for a name that a unit does not know.
    """

    def choose(about: Subject[Any]) -> list[str]:
        known = [*about.names(), "random"]
        short = {name.split("-")[0]: name for name in known} | {name: name for name in known}
        for name in wanted:
            if name not in short:
                raise UnknownNameError(
                    f"{about.variant} has no stimulus {name!r}{near(name, short)} "
                    f"(known: {', '.join(known)})"
                )
        return [short[name] for name in dict.fromkeys(wanted)]

    return choose


@dataclass(frozen=True)
class _Part:
    """A stimulus of a variant and what is required for it."""

    about: Subject[Any]
    name: str
    seed: int
    of: int
    words: Words
    spec: Words

    @property
    def variant(self) -> Variant:
        """The variant."""
        return self.about.variant

    def stimulus_entry(self) -> dict[str, Any]:
        """What the manifest says of the stimulus besides its bytes."""
        v = self.variant
        return _about(f"stimulus/{v.name}/{self.name}.hex", v, "i_payload", self.words) | {
            "generator": self.name,
            "seed": self.seed,
            "of": self.of,
        }

    def expected_entry(self) -> dict[str, Any]:
        """What the manifest says of the required words besides their bytes."""
        v = self.variant
        return _about(f"expected/{v.name}/{self.name}.hex", v, "o_payload", self.spec) | {
            "variant": {"name": v.name, "unit": v.unit, **v.parts()},
            "stimulus": f"stimulus/{v.name}/{self.name}.hex",
        }


def _about(file: str, v: Variant, port: str, words: Words) -> dict[str, Any]:
    meaning = v.meanings[port]
    layout = v.input_layout if port == "i_payload" else v.output_layout
    return {
        "file": file,
        "variant": v.name,
        "meaning": meaning,
        "clauses": re.findall(r"§[0-9]+\.[0-9]+", meaning),
        "counts": counts(words, layout),
    }


def counts(words: Words, layout: WordLayout) -> dict[str, Any]:
    """What some words hit: per field how many values, zeros and values of all ones, all its parts
    together; and how many bits of the word never change."""
    found: dict[str, Any] = {}
    for name, part in layout.unpack(words).items():
        ones = (1 << layout.field(name).width) - 1
        found[name] = {
            "values": len(np.unique(part)),
            "zeros": int((part == 0).sum()),
            "ones": int((part == ones).sum()),
        }
    bits = np.unpackbits(words, axis=1, bitorder="little", count=layout.width)
    found["constant_bits"] = int((bits == bits[:1]).all(axis=0).sum()) if len(words) else 0
    return found


def _make(about: Subject[Any], name: str, words: int | None, most: int | None, seed: int) -> _Part:
    """A stimulus, cut to at most ``most`` words, and the words required for it."""
    rows = about.stimulus(name, words=words if name == "random" else None, seed=seed)
    given = _cut(about.variant, rows, most)
    if not len(given):
        raise MismatchError(f"{about.variant} {name}: no word is left to compare (spec §13.2)")
    return _Part(about, name, seed, len(rows), given, about.expected(given))


def _cut(v: Device, rows: Words, most: int | None) -> Words:
    """Every k-th word; where words make sums, the words of every k-th sum (spec §11.6)."""
    if v.last_bit is None:
        return rows if most is None else rows[:: -(-len(rows) // most)]
    ends = (np.flatnonzero(emitting(v, rows)) + 1).tolist()
    sums = list(zip([0, *ends], ends, strict=False))
    for step in range(1, len(sums) + 1):
        kept = sums[::step]
        if most is None or sum(end - start for start, end in kept) <= most:
            return np.concatenate([rows[start:end] for start, end in kept])
    return rows[:0]


def write(
    folder: Path,
    variants: Sequence[Variant],
    *,
    names: Names = default_names,
    words: int | None = None,
    most: int | Callable[[Variant], int] | None = None,
    seed: int = 0,
    sample: int = SAMPLE,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a folder of vectors of units; it appears whole or not at all.

    Args:
        folder: must not exist or be empty, unless ``overwrite`` and it holds vectors.
        variants: whose words.
        names: which stimuli of a unit.
        words: words of the random stimulus; its own default if None.
        most: at most so many words of each stimulus, maybe by variant, or None for all.
        seed: for all stimuli.
        sample: output words per file that a second computation confirms.
        overwrite: replace an existing folder of vectors.
        progress: called before each stimulus.

    Returns:
        The manifest.

    Raises:
        FileExistsError: if the folder is in the way.
        MismatchError: if the two computations disagree; nothing is written then.
        ValueError: without variants, for a number below 1, or for a seed below 0.
    """
    if not variants:
        raise ValueError("vectors of units need at least one variant")
    least = min(map(most, variants)) if callable(most) else most
    for what, number in (("words", words), ("most", least), ("sample", sample)):
        if number is not None and number < 1:
            raise ValueError(f"{what} {number} is below 1: vectors need words to compare")
    if seed < 0:
        raise ValueError(f"seed {seed} is below 0")
    jobs = [(subject(v), name) for v in variants for name in names(subject(v))]
    stimuli: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    with new_folder(folder, marker=MANIFEST, overwrite=overwrite) as target:
        for done, (about, name) in enumerate(jobs):
            if progress:
                progress(f"{about.variant} {name}", done, len(jobs))
            limit = most(about.variant) if callable(most) else most
            part = _make(about, name, words, limit, seed)
            compared, wrong = confirmed(about, part.words, part.spec, sample)
            if wrong is not None:
                file = part.expected_entry()["file"]
                raise MismatchError(f"{file}:{wrong + 1}: two computations of the word differ")
            v = about.variant
            about_words = part.stimulus_entry()
            stored = store(target, about_words["file"], part.words, v.input_layout)
            stimuli.append(about_words | stored)
            required = part.expected_entry()
            required |= store(target, required["file"], part.spec, v.output_layout)
            results.append(required | {"confirmed_words": compared})
        manifest = {
            "kind": KIND,
            "spec": SPEC_VERSION,
            "stimulus": sorted(stimuli, key=lambda e: e["file"]),
            "expected": sorted(results, key=lambda e: e["file"]),
        }
        (target / MANIFEST).write_text(manifest_text(manifest), "utf-8")
    return manifest


def write_committed(folder: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Write the vectors of units kept in the repository; see `write`."""
    chosen = [variant(name) for name in FAMILIES]
    return write(
        folder,
        chosen,
        names=committed_names,
        most=committed_most,
        overwrite=True,
        progress=progress,
    )


def manifest_text(manifest: dict[str, Any]) -> str:
    """JSON with one line per file."""
    parts = []
    for key, value in manifest.items():
        listed = [json.dumps(e, ensure_ascii=False) for e in value] if value is not None else []
        text = "[\n" + ",\n".join(listed) + "\n]" if isinstance(value, list) else json.dumps(value)
        parts.append(f"{json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read and check the manifest of a folder.

    Raises:
        FileFormatError: if it is missing, not JSON, incomplete or of another spec version.
    """
    return manifest_of(folder, KIND, "unit", _KEYS)


def manifest_of(
    folder: Path, kind: str, what: str, keys: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Read and check the manifest of a folder of one kind; see `read_manifest`.

    Args:
        folder: the folder.
        kind: what its manifest has to say that it holds.
        what: the same in a word, for the message.
        keys: see `emulator.golden.check_entries`.
    """
    path = folder / MANIFEST
    if kind_of_folder(folder) != kind:
        raise FileFormatError(f"{path}: not the manifest of a folder of {what} vectors")
    manifest = json.loads(path.read_text("utf-8"))
    check_entries(path, manifest, keys)
    return manifest


def check(folder: Path, *, sample: int = 16, progress: Progress | None = None) -> Intact:
    """Check every file of a folder against its manifest, its generator and its unit.

    Each stimulus is generated again and each required word computed again; ``sample`` words per
    file are computed a second way, too.

    Raises:
        FileFormatError: naming the first file, line and field that is not intact, a file that is
            missing or not listed, or a folder that holds no expected word.
    """
    manifest = read_manifest(folder)
    pairs = _pairs(folder, manifest)
    check_names(folder, {e["file"] for pair in pairs for e in pair})
    stimulus_words = words = second = 0
    for done, (given, entry) in enumerate(pairs):
        if progress:
            progress(entry["file"], done, len(pairs))
        with blaming(folder, entry):
            about = subject(variant(entry["variant"]["name"]))
            name = given["generator"]
            part = _make(about, name, given["of"], given["words"], given["seed"])
        v = about.variant
        by = f"generator {name}"
        same_words(folder, given, part.stimulus_entry(), v.input_layout, part.words, by)
        wanted = part.expected_entry() | {"confirmed_words": entry["confirmed_words"]}
        same_words(folder, entry, wanted, v.output_layout, part.spec, f"unit {v}")
        compared, wrong = confirmed(about, part.words, part.spec, sample)
        if wrong is not None:
            raise FileFormatError(f"{folder / entry['file']}:{wrong + 1}: not the second way's")
        stimulus_words += len(part.words)
        words += len(part.spec)
        second += compared
    if not words:
        raise FileFormatError(f"{folder}: not one expected word to check (spec §13.2)")
    return Intact(2 * len(pairs), stimulus_words, words, second)


def _pairs(folder: Path, manifest: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Stimulus and expected entries that belong together; each stimulus has one."""
    stimuli = {e["file"]: e for e in manifest["stimulus"]}
    for entry in manifest["expected"]:
        if entry["stimulus"] not in stimuli:
            raise FileFormatError(f"{folder / MANIFEST}: no stimulus {entry['stimulus']!r}")
    pairs = [(stimuli.pop(e["stimulus"], None), e) for e in manifest["expected"]]
    found = [(given, e) for given, e in pairs if given is not None]
    if stimuli or len(found) < len(pairs):
        raise FileFormatError(f"{folder / MANIFEST}: not one expected file per stimulus")
    return found


def computed(v: Variant) -> dict[str, Any]:
    """What decides a variant's words: its unit and all parts but `GATES_ONLY` (law: cuts decide
    gates and cycles, never bits)."""
    return {"unit": v.unit, **{k: p for k, p in v.parts().items() if k not in GATES_ONLY}}


def load(folder: Path, v: Variant) -> Named:
    """All vectors of what a variant computes, each required word computed again.

    Raises:
        FileFormatError: if a file is damaged, holds other words than the unit requires, or if
            there is none for the variant.
    """
    about, wanted = subject(v), json.dumps(computed(v), sort_keys=True)
    found: Named = []
    for given, entry in _pairs(folder, read_manifest(folder)):
        parts = {k: p for k, p in entry["variant"].items() if k not in ("name", *GATES_ONLY)}
        if json.dumps(parts, sort_keys=True) != wanted:
            continue
        words = load_file(folder, given, v.input_layout)
        spec = load_file(folder, entry, v.output_layout)
        again = about.expected(words)
        if spec.shape != again.shape or (spec != again).any():
            raise FileFormatError(f"{folder / entry['file']}: not the words of {v}")
        found.append((given["generator"], words, spec))
    if not found:
        raise FileFormatError(f"{folder}: no vectors of {v}")
    return found
