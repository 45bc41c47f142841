"""Golden vectors: folders of stimuli and the words that the specification requires (spec §11.4).

Small sets are written from the reference and checked by the kernels; large ones come from the
kernels, and the manifest names the sample of them that the reference has confirmed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from emulator import reference
from emulator.errors import FileFormatError, MismatchError
from emulator.folder import new_folder
from emulator.formats import BF16, FP16, FP32, Format
from emulator.in_range import in_range_names
from emulator.layout import WordLayout, Words, from_hex, input_layout, output_layout, to_hex
from emulator.recipes import Recipe
from emulator.stimulus import directed_names, stimulus
from emulator.version import SPEC_VERSION

KIND = "finescale golden vectors"
MANIFEST = "manifest.json"
SOURCES = ("reference", "kernels")
SAMPLE = 256
"""Words per file that the reference confirms when the kernels wrote it."""

_COMMON = ("file", "sha256", "words", "width", "fields", "input", "recipe")
_KEYS = {
    "stimulus": (*_COMMON, "generator", "seed"),
    "expected": (*_COMMON, "stimulus", "source", "reference_words"),
}

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many steps are done, and how many there are."""


def float_lanes(words: Words, x_format: Format, block_size: int) -> np.ndarray:
    """Input words as an array of floats of shape ``(n, block_size)`` (spec §11.1)."""
    import ml_dtypes

    dtypes = {FP16.name: np.dtype(np.float16), BF16.name: np.dtype(ml_dtypes.bfloat16)}
    x = input_layout(x_format, block_size).unpack(words)["x"]
    return x.view(dtypes.get(x_format.name, np.dtype(np.float32)))


def expected(
    r: Recipe, x_format: Format, words: Words, threads: int | None = 1, seed: int = 0
) -> Words:
    """Words that a recipe gives for input words, computed by the kernels (spec §11.2).

    The words are one tensor: a tensor scale is that of all of them (spec §14.1), and their number
    that of the block (spec §19.6).

    Args:
        r: an available recipe.
        x_format: FP16, BF16 or FP32.
        words: uint8 array of shape ``(n, nbytes)`` of input words.
        threads: as in `quantize`.
        seed: of stochastic rounding; without effect on other recipes.
    """
    from emulator.tensor import quantize

    layout = output_layout(r.block_format)
    if not len(words):
        return np.zeros((0, layout.nbytes), np.uint8)
    x = float_lanes(words, x_format, r.block_size)
    q = quantize(x, r, threads=threads, seed=None if r.sr_bits is None else seed)
    return layout.pack(codes=q.codes, scale=q.scales)


def expected_by_reference(
    r: Recipe,
    x_format: Format,
    words: Words,
    tensor: Words | None = None,
    *,
    seed: int = 0,
    numbers: Sequence[int] | None = None,
) -> Words:
    """The same as `expected`, computed by the reference.

    ``tensor``: the words that a tensor scale is made from, if these are only some of them;
    ``numbers``: the numbers of these words among them.
    """
    layout = output_layout(r.block_format)
    x = input_layout(x_format, r.block_size).unpack(words)["x"]
    g = _tensor_scale(r, x_format, words if tensor is None else tensor)
    given = None if r.sr_bits is None else seed
    blocks = [
        reference.quantize_block([int(b) for b in row], x_format, r, g, given, int(j))
        for j, row in zip(range(len(x)) if numbers is None else numbers, x, strict=True)
    ]
    codes = np.array([c for _, c in blocks], np.uint8).reshape(-1, r.block_size)
    return layout.pack(codes=codes, scale=np.array([s for s, _ in blocks], np.uint8))


def _tensor_scale(r: Recipe, x_format: Format, words: Words) -> Fraction:
    """The tensor scale of words that are one tensor, by the reference (spec §14)."""
    x = input_layout(x_format, r.block_size).unpack(words)["x"]
    magnitudes = x & x.dtype.type(x_format.magnitude_mask)
    finite = magnitudes[magnitudes <= x_format.max_code]  # in the order of their patterns
    return reference.tensor_scale([int(finite.max())] if finite.size else [], x_format, r)


def _fields(layout: WordLayout) -> list[dict[str, int | str]]:
    return [
        {"name": f.name, "offset": f.offset, "width": f.width, "count": f.count}
        for f in layout.fields
    ]


def store(folder: Path, name: str, words: Words, layout: WordLayout) -> dict[str, Any]:
    """Write a hex file of a folder; return what its manifest says of it."""
    data = "".join(line + "\n" for line in to_hex(words, layout)).encode()
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return {
        "file": name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "words": len(words),
        **word_entry(layout),
    }


def word_entry(layout: WordLayout) -> dict[str, Any]:
    """What the manifest says of the bits of a word."""
    return {"width": layout.width, "fields": _fields(layout)}


def write(
    folder: Path,
    recipes: Sequence[Recipe],
    inputs: Sequence[Format],
    *,
    names: Callable[[Recipe, Format], Iterable[str]] | None = None,
    blocks: int | None = None,
    seed: int = 0,
    source: str = "kernels",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write a folder of golden vectors; it appears whole or not at all.

    Args:
        folder: must not exist or be empty, unless ``overwrite`` and it holds golden vectors.
        recipes: available recipes.
        inputs: formats of the input lanes.
        names: which stimuli; `default_names` if None.
        blocks: blocks of the random stimulus; its own default if None.
        seed: for all stimuli.
        source: "reference" (slow; every word then confirmed by the kernels) or "kernels" (a
            sample of every file then confirmed by the reference).
        overwrite: replace an existing folder of golden vectors.
        progress: called before each file.

    Returns:
        The manifest.

    Raises:
        FileExistsError: if the folder is in the way.
        MismatchError: if reference and kernels disagree; nothing is written then.
        ValueError: for another source, without recipes or inputs, or for ``blocks`` below 1.
    """
    if source not in SOURCES:
        raise ValueError(f"source {source!r} is not one of {', '.join(SOURCES)}")
    if not recipes or not inputs:
        raise ValueError("golden vectors need at least one recipe and one input format")
    if blocks is not None and blocks < 1:
        raise ValueError(f"blocks {blocks} is below 1: golden vectors need words to compare")
    pick = names or (lambda r, _: default_names(r))
    jobs = [(r.require_available(), x, n) for r in recipes for x in inputs for n in pick(r, x)]
    stimuli: dict[str, dict[str, Any]] = {}
    results: list[dict[str, Any]] = []
    with new_folder(folder, marker=MANIFEST, overwrite=overwrite) as target:
        for done, (r, x, name) in enumerate(jobs):
            if progress:
                progress(f"{r.name} {x.name} {name}", done, len(jobs))
            words = stimulus(name, r, x, blocks=blocks if name == "random" else None, seed=seed)
            about = describe_stimulus(r, x, name, seed)
            file = about["file"]
            entry = store(target, file, words, input_layout(x, r.block_size)) | about
            known = stimuli.setdefault(file, entry)
            if known["sha256"] != entry["sha256"]:
                raise MismatchError(f"{file}: {known['recipe']} and {r.name} differ in stimulus")
            results.append(_store_expected(target, r, x, name, words, source, seed))
        manifest = {
            "kind": KIND,
            "spec": SPEC_VERSION,
            "stimulus": sorted(stimuli.values(), key=lambda e: e["file"]),
            "expected": sorted(results, key=lambda e: e["file"]),
        }
        (target / MANIFEST).write_text(_manifest_text(manifest))
    return manifest


def default_names(r: Recipe) -> list[str]:
    """All directed stimuli, those within reach for recipes with a tensor scale, and "random"."""
    within = in_range_names(r) if r.tensor_scale is not None else []
    return [*directed_names(r), *within, "random"]


def _manifest_text(manifest: dict[str, Any]) -> str:
    """JSON with one line per file, so that a change of one file is a change of one line."""
    parts = []
    for key, value in manifest.items():
        text = json.dumps(value)
        if isinstance(value, list):
            text = "[\n" + ",\n".join(json.dumps(e) for e in value) + "\n]"
        parts.append(f"{json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def describe_stimulus(r: Recipe, x: Format, name: str, seed: int) -> dict[str, Any]:
    """What the manifest says of a stimulus besides its words."""
    return {
        "file": f"stimulus/{x.name}-b{r.block_size}-{_shared(name, r)}.hex",
        "input": x.name,
        "generator": name,
        "recipe": r.name,
        "seed": seed,
    }


def describe_expected(
    r: Recipe, x: Format, name: str, source: str, words: Words, seed: int
) -> dict[str, Any]:
    """What the manifest says of the required words of the stimulus ``words``, besides them."""
    about = {
        "file": f"expected/{r.name}/{x.name}-{_shared(name, r)}.hex",
        "stimulus": describe_stimulus(r, x, name, 0)["file"],
        "recipe": r.describe(),
        "input": x.name,
        "source": source,
        "reference_words": len(words) if source == "reference" else min(SAMPLE, len(words)),
    }
    if r.tensor_scale is not None:
        g = reference.round_magnitude(_tensor_scale(r, x, words), FP32)
        about["tensor_scale"] = f"fp32:{g:08x}"
    if r.sr_bits is not None:
        about["seed"] = seed
    return about


def _shared(name: str, r: Recipe) -> str:
    """File name of a stimulus: random blocks depend on the scale format, as others say already."""
    return f"random-{r.scale.name}" if name == "random" else name


def _store_expected(
    target: Path, r: Recipe, x: Format, name: str, words: Words, source: str, seed: int
) -> dict[str, Any]:
    about = describe_expected(r, x, name, source, words, seed)
    file = about["file"]
    fast = expected(r, x, words, seed=seed)
    picked = sample_rows(len(words), about["reference_words"])
    exact = expected_by_reference(r, x, words[picked], words, seed=seed, numbers=picked.tolist())
    wrong = np.flatnonzero((fast[picked] != exact).any(axis=1))
    if len(wrong):
        raise MismatchError(
            f"{file}:{picked[wrong[0]] + 1}: reference and kernels differ in {len(wrong)} of "
            f"{len(picked)} words"
        )
    layout = output_layout(r.block_format)
    entry = store(target, file, exact if source == "reference" else fast, layout)
    return entry | about


def sample_rows(words: int, count: int) -> np.ndarray:
    """``count`` rows spread evenly over ``words`` of them, the first and the last included."""
    return np.unique(np.linspace(0, words - 1, min(count, words)).astype(np.int64))


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read and check the manifest of a folder.

    Raises:
        FileFormatError: if it is missing, not JSON, incomplete or of another spec version.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise FileFormatError(f"{path}: there is no such file; is this a vectors folder?") from None
    except (ValueError, OSError) as error:
        raise FileFormatError(f"{path}: not readable as JSON: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
        raise FileFormatError(f"{path}: 'kind' is not {KIND!r}")
    check_entries(path, manifest, _KEYS)
    return manifest


def check_entries(path: Path, manifest: dict[str, Any], keys: Mapping[str, Sequence[str]]) -> None:
    """Check that a manifest has its lists, each entry its keys, and the version of today.

    Args:
        path: of the manifest, for messages.
        manifest: its contents.
        keys: what each entry of a list has to have, by the list's name.

    Raises:
        FileFormatError: if something is missing.
    """
    for part, needed in keys.items():
        entries = manifest.get(part)
        if not isinstance(entries, list):
            raise FileFormatError(f"{path}: there is no list {part!r}")
        for key in needed:
            if not all(isinstance(e, dict) and key in e for e in entries):
                raise FileFormatError(f"{path}: an entry of {part!r} lacks {key!r}")
    if manifest.get("spec") != SPEC_VERSION:
        raise FileFormatError(
            f"{path}: written for specification {manifest.get('spec')}, this is {SPEC_VERSION}"
        )


def load_file(folder: Path, entry: dict[str, Any], layout: WordLayout) -> Words:
    """Read one hex file of a folder and check it against its manifest entry.

    Raises:
        FileFormatError: naming the file, and line or rule, that is not intact.
    """
    path = folder / entry["file"]
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileFormatError(f"{path}: {error.strerror}") from None
    if _fields(layout) != entry["fields"] or layout.width != entry["width"]:
        raise FileFormatError(f"{path}: the manifest's fields are not those of such a word")
    text = data.decode("ascii", "replace")
    words = from_hex(text.splitlines(), layout, str(path))
    if len(words) != entry["words"]:
        raise FileFormatError(f"{path}: {len(words)} words, the manifest says {entry['words']}")
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise FileFormatError(f"{path}: SHA-256 differs from the manifest's")
    return words


def load(folder: Path, r: Recipe, x_format: Format) -> list[tuple[str, Words, Words]]:
    """All vectors of a recipe and input format as ``(name, stimulus, expected)``.

    Raises:
        FileFormatError: if the folder is damaged, or holds none for them.
    """
    manifest = read_manifest(folder)
    stimuli = {e["file"]: e for e in manifest["stimulus"]}
    found = []
    for entry in manifest["expected"]:
        if entry["recipe"]["name"] == r.name and entry["input"] == x_format.name:
            source = stimuli[entry["stimulus"]]
            words = load_file(folder, source, input_layout(x_format, r.block_size))
            spec = load_file(folder, entry, output_layout(r.block_format))
            if len(words) != len(spec):
                raise FileFormatError(
                    f"{folder / entry['file']}: {len(spec)} words for {len(words)} stimuli"
                )
            found.append((source["generator"], words, spec))
    if not found:
        raise FileFormatError(f"{folder}: no vectors for {r.name} with {x_format.name} input")
    return found
