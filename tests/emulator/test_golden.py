"""Vectors folders: written whole, read back, and the committed one within its size."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from emulator import golden, integrity
from emulator.committed import LIMIT, committed_names, committed_recipes
from emulator.errors import FileFormatError, MismatchError, NotAvailableError
from emulator.formats import BF16, FORMATS, FP16, FP32
from emulator.layout import output_layout
from emulator.recipes import recipe
from emulator.stimulus import stimulus

COMMITTED = Path(__file__).parent.parent.parent / "golden_vectors"
R = recipe("ue5m3-absmax-b4")


def small(folder: Path, **options: object) -> Path:
    recipes = [R, recipe("ue5m3-absmax-pz-b4"), recipe("e8m0-floor-b4")]
    golden.write(
        folder,
        recipes,
        [BF16],
        names=lambda r, x: ["zeros", "specials", "random"],
        blocks=40,
        **options,  # pyright: ignore[reportArgumentType]
    )
    return folder


def test_the_committed_set_is_small_and_complete() -> None:
    units = COMMITTED / "units"  # has a test and a limit of its own
    files = [p for p in COMMITTED.rglob("*") if p.is_file() and not p.is_relative_to(units)]
    assert sum(p.stat().st_size for p in files) <= LIMIT
    manifest = golden.read_manifest(COMMITTED)
    present = {(e["recipe"]["name"], e["input"], e["stimulus"]) for e in manifest["expected"]}
    wanted = sum(
        len(committed_names(r, x)) for r in committed_recipes() for x in (BF16, FP16, FP32)
    )
    assert len(present) == wanted > 100
    for entry in manifest["expected"]:
        assert entry["source"] == "reference"
        assert entry["reference_words"] == entry["words"] > 0


def test_the_committed_set_is_intact() -> None:
    """spec §11.4, §13.1: every word again by the kernels, a sample again by the reference."""
    intact = integrity.check(COMMITTED, sample=4)
    assert intact.expected_words > 10_000
    assert intact.reference_words > 500


@pytest.mark.parametrize("source", ["kernels", "reference"])
def test_a_folder_is_written_and_read_back(tmp_path: Path, source: str) -> None:
    folder = small(tmp_path / "v", source=source)
    assert [p.name for p in tmp_path.iterdir()] == ["v"]
    loaded = {name: (words, spec) for name, words, spec in golden.load(folder, R, BF16)}
    assert set(loaded) == {"zeros", "specials", "random"}
    words, spec = loaded["random"]
    assert (words == stimulus("random", R, BF16, blocks=40)).all()
    assert (spec == golden.expected_by_reference(R, BF16, words)).all()
    assert len(spec) == 40
    total = sum(e["words"] for e in golden.read_manifest(folder)["expected"])
    assert integrity.check(folder).expected_words == total > 3 * 40


def test_hex_lines_are_what_readmemh_reads(tmp_path: Path) -> None:
    """spec §11.3: digits of the whole word, nothing else."""
    folder = small(tmp_path / "v")
    layout = output_layout(R.block_format)
    text = (folder / "expected" / R.name / "bf16-zeros.hex").read_text()
    assert text.endswith("\n")
    for line in text.splitlines():
        assert len(line) == layout.digits
        assert set(line) <= set("0123456789abcdef")


def test_writing_is_deterministic(tmp_path: Path) -> None:
    one, two = small(tmp_path / "1"), small(tmp_path / "2")
    files = sorted(p.relative_to(one) for p in one.rglob("*.*"))
    assert files == sorted(p.relative_to(two) for p in two.rglob("*.*"))
    assert all((one / f).read_bytes() == (two / f).read_bytes() for f in files)


@pytest.mark.parametrize("kind", ["stimulus", "expected"])
@pytest.mark.parametrize("bit", [0, 3, 9])
def test_one_flipped_bit_is_found_and_named(tmp_path: Path, kind: str, bit: int) -> None:
    folder = small(tmp_path / "v")
    file = {
        "stimulus": folder / "stimulus" / "bf16-b4-random-ue5m3.hex",
        "expected": folder / "expected" / R.name / "bf16-random-ue5m3.hex",
    }[kind]
    lines = file.read_text().splitlines()
    word = int(lines[17], 16) ^ (1 << bit)
    lines[17] = f"{word:0{len(lines[17])}x}"
    file.write_text("\n".join(lines) + "\n")
    width = {"stimulus": 16, "expected": 4}[kind]
    field = {"stimulus": "x", "expected": "codes"}[kind]
    place = rf"random-ue5m3.hex:18: field {field}\[{bit // width}\] is \w+, should be \w+"
    with pytest.raises(FileFormatError, match=place):
        integrity.check(folder)


def test_a_flipped_scale_bit_is_named_even_if_the_checksum_was_made_to_fit(tmp_path: Path) -> None:
    import hashlib

    folder = small(tmp_path / "v")
    file = folder / "expected" / R.name / "bf16-zeros.hex"
    lines = file.read_text().splitlines()
    lines[2] = f"{int(lines[2], 16) ^ (1 << 20):06x}"
    file.write_text("\n".join(lines) + "\n")
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry in manifest["expected"]:
        if entry["file"].endswith(f"{R.name}/bf16-zeros.hex"):
            entry["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(FileFormatError, match=r"bf16-zeros.hex:3: field scale is 10, should be 0"):
        integrity.check(folder)


def damage_short(folder: Path) -> None:
    file = folder / "stimulus" / "bf16-b4-zeros.hex"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))


def damage_line(folder: Path) -> None:
    file = folder / "expected" / R.name / "bf16-zeros.hex"
    file.write_text(file.read_text()[:-3])


def damage_missing(folder: Path) -> None:
    (folder / "stimulus" / "bf16-b4-zeros.hex").unlink()


def damage_extra(folder: Path) -> None:
    (folder / "stimulus" / "more.hex").write_text("00\n")


def damage_json(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"kind": ')


def damage_kind(folder: Path) -> None:
    (folder / "manifest.json").write_text("{}")


def damage_version(folder: Path) -> None:
    text = (folder / "manifest.json").read_text()
    (folder / "manifest.json").write_text(text.replace('"spec": "1.0"', '"spec": "0.9"'))


def damage_no_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def damage_empty(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    for entry in manifest["expected"] + manifest["stimulus"]:
        (folder / entry["file"]).unlink()
    manifest["expected"] = manifest["stimulus"] = []
    (folder / "manifest.json").write_text(json.dumps(manifest))


def edit(folder: Path, part: str, key: str, value: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    entry = manifest[part][0]
    *path, last = key.split(".")
    for step in path:
        entry = entry[step]
    entry[last] = value
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("part", "key", "value", "message"),
    [
        ("stimulus", "seed", 1, "seeds differ: 0, 1"),
        ("stimulus", "seed", "x", 'seeds differ: "x", 0'),
        ("stimulus", "input", "bf15", "unknown format 'bf15'; did you mean bf16"),
        ("stimulus", "generator", "zeroes", "unknown stimulus 'zeroes'"),
        ("stimulus", "width", 65, "width is 65, should be 64"),
        ("stimulus", "more", 1, 'more is 1, should be "nothing"'),
        ("expected", "input", "bf15", "unknown format 'bf15'"),
        ("expected", "recipe.rule", "4o6", 'recipe is .*"4o6".*, should be'),
        ("expected", "recipe.element", "e2m3", "recipe is .*e2m3.*, should be"),
        ("expected", "recipe.name", "ue5m3-absmx-b4", "unknown rule 'absmx'"),
        ("expected", "source", "gpu", "source 'gpu' is not one of reference, kernels"),
        ("expected", "reference_words", 999999, "reference_words is 999999, should be 40"),
        ("expected", "stimulus", "stimulus/none.hex", "no stimulus 'stimulus/none.hex'"),
    ],
)
def test_a_wrong_manifest_entry_is_named(
    tmp_path: Path, part: str, key: str, value: object, message: str
) -> None:
    """spec §11.4: every value of an entry is computed again, or refused by its rule."""
    folder = small(tmp_path / "v")
    edit(folder, part, key, value)
    with pytest.raises(FileFormatError, match=message) as caught:
        integrity.check(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def damage_entry(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["expected"][0]["sha256"]
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_short, r"zeros.hex: 10 words, should be 11 by its generator"),
        (damage_line, r"zeros.hex:11: '\w+' is not a word of 6 lower-case hex digits"),
        (damage_missing, r"zeros.hex: the manifest lists it, but it is missing"),
        (damage_extra, r"more.hex: the manifest does not list it"),
        (damage_json, r"manifest.json: not readable as JSON"),
        (damage_kind, r"manifest.json: 'kind' is not"),
        (damage_version, r"manifest.json: written for specification 0.9, this is 1.0"),
        (damage_no_manifest, r"manifest.json: there is no such file"),
        (damage_empty, r"not one expected word to check \(spec §13.2\)"),
        (damage_entry, r"manifest.json: an entry of 'expected' lacks 'sha256'"),
    ],
)
def test_damage_is_named(tmp_path: Path, damage, message: str) -> None:
    folder = small(tmp_path / "v")
    damage(folder)
    with pytest.raises(FileFormatError, match=message):
        integrity.check(folder)


def test_nothing_is_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disagreement between reference and kernels leaves no folder."""
    real = golden.expected

    def wrong(*args: object, **kwargs: object) -> np.ndarray:
        return real(*args, **kwargs) ^ 1  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(golden, "expected", wrong)
    with pytest.raises(MismatchError, match=r"hex:1: reference and kernels differ in 11 of 11"):
        small(tmp_path / "v")
    assert list(tmp_path.iterdir()) == []


def test_folders_in_the_way(tmp_path: Path) -> None:
    folder = small(tmp_path / "v")
    with pytest.raises(FileExistsError, match="exists and is not empty"):
        small(folder)
    small(folder, overwrite=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("")
    with pytest.raises(FileExistsError, match=r"has no manifest.json: it will not be overwritten"):
        small(other, overwrite=True)
    assert (other / "thesis.tex").exists()


@pytest.mark.parametrize("source", ["kernels", "reference"])
def test_recipes_that_choose_and_tensor_scales(tmp_path: Path, source: str) -> None:
    """spec §11.4: the words of a file are one tensor, whose tensor scale the manifest names."""
    recipes = [recipe(n) for n in ("ue4m3-4o6-b4", "ue4m3-absmax-h-b4", "e8m0-fc-b4", "nvfp4")]
    manifest = golden.write(tmp_path / "v", recipes, [BF16], blocks=300, source=source)
    assert integrity.check(tmp_path / "v").expected_words > 5000
    by_recipe = {r.name: [] for r in recipes}
    for entry in manifest["expected"]:
        by_recipe[entry["recipe"]["name"]].append(entry)
    assert any("choices-ue4m3" in e["file"] for e in by_recipe["ue4m3-4o6-b4"])
    assert any("choices-e8m0" in e["file"] for e in by_recipe["e8m0-fc-b4"])
    for r in recipes:
        assert all(("tensor_scale" in e) == (r.tensor_scale is not None) for e in by_recipe[r.name])
    zeros = next(e for e in by_recipe["ue4m3-absmax-h-b4"] if "zeros" in e["file"])
    smallest = max(BF16.value(1) / (6 * 448), FP32.value(0x800000))  # below which g does not go
    assert FP32.value(int(zeros["tensor_scale"].removeprefix("fp32:"), 16)) == smallest


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="source 'gpu' is not"):
        golden.write(tmp_path / "v", [R], [BF16], source="gpu")
    with pytest.raises(ValueError, match="blocks 0 is below 1"):
        golden.write(tmp_path / "v", [R], [BF16], blocks=0)
    with pytest.raises(ValueError, match="at least one recipe"):
        golden.write(tmp_path / "v", [], [BF16])
    with pytest.raises(NotAvailableError, match="element format e2m3 is not available yet"):
        golden.write(tmp_path / "v", [recipe("e2m3.e8m0-floor-b32")], [BF16])
    folder = small(tmp_path / "v")
    with pytest.raises(FileFormatError, match="no vectors for ue5m3-absmax-b4 with fp32 input"):
        golden.load(folder, R, FORMATS["fp32"])
