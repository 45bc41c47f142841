"""Vectors of units: every unit has some, and what is wrong with a folder is named (spec §11.5)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cocotb_tests import families, unit_reference, unit_vectors
from cocotb_tests.dot_subject import DotSubject
from cocotb_tests.families import FAMILIES, family
from cocotb_tests.subject import emitting
from cocotb_tests.subjects import subject
from cocotb_tests.toolchain import ROOT
from cocotb_tests.unit_vectors import COMMITTED, COMMITTED_LIMIT, check, load, write
from cocotb_tests.vectors import gather
from emulator import integrity
from emulator.errors import FileFormatError, MismatchError, UnknownNameError
from rtl.variants import UNITS, variant

FOLDER = ROOT / "golden_vectors" / COMMITTED
SMALL = ("decode-ue5m3-bf16-x2", "tensor-amax-bf16-x4")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "v", [variant(name) for name in SMALL], words=40, most=60, seed=3)
    return tmp_path / "v"


def missing() -> list[str]:
    """Families without a variant in the list, each with an example."""
    there = {family(variant(name)) for name in families.FAMILIES}
    return [f"{f}: e.g. {names[0]}" for f, names in families.families().items() if f not in there]


def test_every_unit_and_kind_of_design_is_listed() -> None:
    """A new one fails here by name, until it has a line in `FAMILIES`."""
    assert missing() == []
    assert {variant(name).unit for name in FAMILIES} == set(UNITS)
    assert [variant(name).name for name in FAMILIES] == list(FAMILIES)


def test_one_that_is_not_listed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tuple(n for n in FAMILIES if not n.startswith(("quantizer-ue4m3-3c", "encode")))
    monkeypatch.setattr(families, "FAMILIES", kept)
    found = " ".join(missing())
    assert "quantizer SelectInTurn values" in found and "encode-" in found


def test_the_committed_set_is_complete_and_small() -> None:
    manifest = unit_vectors.read_manifest(FOLDER)
    words = dict.fromkeys(FAMILIES, 0)
    for entry in manifest["expected"]:
        words[entry["variant"]["name"]] += entry["confirmed_words"]
    assert list(words) == list(FAMILIES) and min(words.values()) >= 80, words
    files = [p for p in FOLDER.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) <= COMMITTED_LIMIT


def test_the_committed_set_is_intact() -> None:
    intact = check(FOLDER, sample=8)
    assert intact.expected_words > 10_000 and intact.reference_words > 1_000


def test_sums_that_round_are_among_them() -> None:
    """Some float32 results end in a 1: their rounding is seen (spec §16.4)."""
    for name in ("dot-ue4m3-b2-fp32", "dot-ue4m3-b4-fp32-h"):
        v = variant(name)
        results = [v.output_layout.unpack(spec)["y"] for _, _, spec in load(FOLDER, v)]
        assert sum(int((y & 1).sum()) for y in results) >= 5, name


@pytest.mark.parametrize("name", FAMILIES)
def test_both_computations_agree(name: str) -> None:
    """All stimuli of a unit, other random words than in the folder; some words of each."""
    about = subject(variant(name))
    for stimulus in unit_vectors.default_names(about):
        words = about.stimulus(stimulus, seed=5)
        compared, wrong = unit_reference.confirmed(about, words, about.expected(words), 40)
        assert compared >= 7 and wrong is None, stimulus


def test_results_belong_to_words_that_call_for_them(folder: Path) -> None:
    """spec §11.6"""
    v = variant("tensor-amax-bf16-x4")
    for _, words, spec in load(folder, v):
        calls = emitting(v, words)
        assert calls[-1] and calls.sum() == len(spec) < len(words) <= 60


def test_a_folder_is_written_and_read_back(folder: Path) -> None:
    assert [p.name for p in folder.parent.iterdir()] == ["v"]
    intact = check(folder, sample=1000)
    assert intact.files == 10 and intact.reference_words == intact.expected_words > 100
    v = variant(SMALL[0])
    found = {name: (words, spec) for name, words, spec in load(folder, v)}
    assert list(found) == ["codes", "random"]
    codes = subject(v).stimulus("codes")
    assert np.array_equal(found["codes"][0], codes[::3])
    given = gather(variant(f"{SMALL[0]}-cutimo"), 9, vectors=folder)  # cuts decide no bits
    assert given.names == ["codes", "random"] and len(given.words) == 43 + 40


def test_the_manifest_says_which_bits_are_what(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    entry = next(e for e in manifest["stimulus"] if e["generator"] == "specials")
    assert entry["fields"] == [
        {"name": "x", "offset": 0, "width": 16, "count": 4},
        {"name": "last", "offset": 64, "width": 1, "count": 1},
    ]
    assert entry["clauses"] == ["§23.3"] and (entry["seed"], entry["of"]) == (3, 400)
    assert entry["counts"]["last"]["zeros"] + entry["counts"]["last"]["ones"] == entry["words"]
    assert entry["counts"]["constant_bits"] == 0
    entry = next(e for e in manifest["expected"] if "codes" in e["file"])
    assert entry["variant"]["name"] == SMALL[0] and entry["variant"]["format"] == "ue5m3"


def test_a_variant_that_computes_something_else_finds_nothing(folder: Path) -> None:
    for name in ("decode-ue4m3-bf16-x2", "decode-ue5m3-fp16-x2", "encode-ue5m3-bf16-x2"):
        with pytest.raises(FileFormatError, match=f"no vectors of {name}"):
            load(folder, variant(name))


def test_every_flipped_bit_is_found(folder: Path) -> None:
    for file in sorted(folder.rglob("*.hex")):
        good = file.read_bytes()
        line = len(good.splitlines()) - 1
        bad = bytearray(good)
        bad[-2] ^= 1
        file.write_bytes(bad)
        with pytest.raises(FileFormatError, match=rf"{file.name}:{line + 1}: "):
            check(folder)
        with pytest.raises(FileFormatError, match=file.name):
            load(folder, variant(file.parent.name))
        file.write_bytes(good)
    check(folder)


def change(folder: Path, part: str, **values: Any) -> None:
    """Change the first entry of a part of the manifest."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest[part][0].update(values)
    path.write_text(json.dumps(manifest), "utf-8")


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        ("stimulus", {"seed": 4, "generator": "random"}, "should be"),
        ("stimulus", {"of": 7}, "codes.hex"),
        ("stimulus", {"clauses": ["§1.1"]}, "clauses is"),
        ("stimulus", {"counts": {}}, "counts is"),
        ("expected", {"fields": []}, "fields is"),
        ("expected", {"variant": {"name": "decode-ue5m4"}}, "unknown variant"),
        ("expected", {"stimulus": "x"}, "no stimulus 'x'"),
        ("expected", {"file": "x"}, "x: the manifest lists it, but it is missing"),
    ],
)
def test_a_changed_manifest_is_found(folder: Path, part: str, values: Any, message: str) -> None:
    change(folder, part, **values)
    with pytest.raises(FileFormatError, match=message):
        check(folder)


def test_other_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="not the manifest of a folder of unit vectors"):
        check(ROOT / "golden_vectors")
    with pytest.raises(FileFormatError, match="golden vectors"):
        integrity.check(folder)
    (folder / "more.hex").write_text("0\n")
    with pytest.raises(FileFormatError, match=r"more.hex: the manifest does not list it"):
        check(folder)


def test_two_computations_that_differ_write_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = unit_reference.REFERENCES[DotSubject]
    spoiled = lambda v, words: sound(v, words) ^ np.eye(1, 4, dtype=np.uint8)  # noqa: E731
    monkeypatch.setitem(unit_reference.REFERENCES, DotSubject, spoiled)
    with pytest.raises(MismatchError, match=r"products.hex:1: two computations"):
        write(tmp_path / "v", [variant("dot-ue5m3-b4-block")])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [({"words": 0}, "words 0"), ({"most": 0}, "most 0"), ({"seed": -1}, "seed -1")],
)
def test_numbers_out_of_range(tmp_path: Path, options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "v", [variant(SMALL[0])], **options)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="at least one variant"):
        write(tmp_path / "v", [])
    with pytest.raises(MismatchError, match=r"no word is left .*§13.2"):
        write(tmp_path / "v", [variant("dot-ue4m3-b2-fp32")], most=1, seed=2)
    assert list(tmp_path.iterdir()) == []


def test_unknown_stimuli_are_named() -> None:
    with pytest.raises(UnknownNameError, match="no stimulus 'codez'; did you mean codes"):
        unit_vectors.chooser(["codez"])(subject(variant(SMALL[0])))
    assert unit_vectors.chooser(["scales"])(subject(variant(FAMILIES[0]))) == ["scales-e8m0"]
