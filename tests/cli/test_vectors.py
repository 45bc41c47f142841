"""vectors write and check."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from emulator.committed import committed_names, committed_recipes
from emulator.formats import BF16, FP16, FP32
from emulator.golden import load
from emulator.recipes import recipe
from emulator.stimulus import directed_names

from .conftest import Cli

SMALL = ("--recipe", "e8m0-floor-b4", "--stimulus", "zeros", "--stimulus", "random")


def test_write_and_check(cli: Cli) -> None:
    ended = cli("vectors", "write", "v", *SMALL, "--blocks", 40, "--json")
    assert ended.code == 0 and ended.json["words"] == 51
    manifest = json.loads(Path("v/manifest.json").read_text())
    assert ended.json["manifest"] == manifest
    assert {e["source"] for e in manifest["expected"]} == {"kernels"}
    ended = cli("vectors", "check", "v", "--json")
    assert ended.code == 0
    found = ended.json
    assert found["intact"] and found["files"] == 4
    assert found["stimulus_words"] == found["expected_words"] == 51
    assert 0 < found["reference_words"] <= 32


def test_all_directed_stimuli_are_the_default(cli: Cli) -> None:
    assert cli("vectors", "write", "v", "--recipe", "ue5m3-absmax-b4").code == 0
    names = [name for name, _, _ in load(Path("v"), recipe("ue5m3-absmax-b4"), BF16)]
    assert sorted(names) == sorted([*directed_names(recipe("ue5m3-absmax-b4")), "random"])


def test_several_recipes_and_inputs(cli: Cli) -> None:
    recipes = ("--recipe", "ue5m3-absmax-b4", "--recipe", "mxfp4")
    inputs = ("--input", "fp16", "--input", "fp32")
    stimuli = ("--stimulus", "scales", "--stimulus", "specials", "--source", "reference")
    assert cli("vectors", "write", "v", *recipes, *inputs, *stimuli).code == 0
    for name in ("ue5m3-absmax-b4", "e8m0-floor-b32"):
        for x_format in (FP16, FP32):
            found = load(Path("v"), recipe(name), x_format)
            assert any(n.startswith("scales") for n, _, _ in found) and len(found) == 2


def test_the_committed_set(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """What --committed asks for; that the folder holds it is another test's matter."""
    seen: dict[str, object] = {}

    def write(folder: Path, recipes: object, inputs: object, **options: object) -> object:
        seen.update(options, folder=folder, recipes=recipes, inputs=inputs)
        return {"stimulus": [], "expected": []}

    monkeypatch.setattr("emulator.golden.write", write)
    for kind in ("unit", "memory"):
        monkeypatch.setattr(
            f"cocotb_tests.{kind}_vectors.write_committed",
            lambda f, _, kind=kind: seen.update({kind: f}),
        )
    assert cli("vectors", "write", "v", "--committed", "--overwrite").code == 0
    assert (seen["unit"], seen["memory"]) == (Path("v/units"), Path("v/memory"))
    assert seen["recipes"] == committed_recipes() and seen["inputs"] == [BF16, FP16, FP32]
    assert seen["names"] is committed_names and seen["overwrite"] is True
    assert (seen["source"], seen["seed"], seen["blocks"]) == ("reference", 0, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "--recipe RECIPE"),
        ("--recipe ue5m3-absmax-b3", "power of two"),
        ("--recipe e2m3.e8m0-floor-b4", "not available yet"),
        ("--recipe mxfp4 --input bf17", "unknown input 'bf17' (known: bf16, fp16, fp32)"),
        ("--recipe mxfp4 --stimulus zeroes", "unknown stimulus 'zeroes'; did you mean zeros"),
        ("--recipe mxfp4 --stimulus sweep --input fp32", "unknown stimulus 'sweep'"),
        ("--recipe mxfp4 --stimulus random --blocks -1", "-1"),
        ("--recipe mxfp4 --stimulus random --seed -1", "seed -1 is below 0"),
        ("--recipe mxfp4 --stimulus zeros --blocks 9", "--blocks goes with --stimulus random"),
        ("--recipe mxfp4 --source guess", "source 'guess'"),
        ("--committed --recipe mxfp4", "--committed fixes"),
        ("--recipe mxfp4 --most 9", "--most 9 goes with --variant"),
        ("--variant decode-ue5m3-bf16 --recipe mxfp4", "--variant goes without --recipe"),
        ("--variant decode-ue5m3-bf17", "did you mean decode-ue5m3-bf16"),
        ("--variant decode-ue5m3-bf16 --stimulus codez", "did you mean codes"),
        ("--variant decode-ue5m3-bf16 --words 0", "words 0 is below 1"),
    ],
)
def test_bad_input_writes_nothing(cli: Cli, arguments: str, message: str) -> None:
    ended = cli("vectors", "write", "v", *arguments.split())
    assert ended.code == 2 and message in ended.message
    assert list(Path().iterdir()) == []


def test_vectors_of_a_tensor_quantizer(cli: Cli) -> None:
    """spec §11.7"""
    name = "tensor-quantizer-ue5m3-absmax-b4-bf16-one-w16"
    ended = cli("vectors", "write", "v/inner", "--variant", name, "--seed", 2)
    assert ended.code == 0, ended.err
    assert ended.out.startswith("v/inner: 4 stimulus files, 4 expected files, ")
    assert cli("vectors", "write", "v/one", "--variant", name, "--stimulus", "tensors").code == 0
    ended = cli("vectors", "check", "v/inner", "--json")
    assert ended.code == 0 and ended.json["intact"] and ended.json["files"] == 8
    file = Path(f"v/inner/expected/{name}/tensors-status.hex")
    file.write_text(file.read_text().replace("0", "1", 1))
    ended = cli("vectors", "check", "v/inner")
    assert ended.code == 1 and "status.hex:1: field refused is 1, should be 0" in ended.err
    for more in (("--words", 9), ("--variant", "decode-ue5m3-bf16")):
        ended = cli("vectors", "write", "w", "--variant", name, *more)
        assert ended.code == 2 and "goes without --words" in ended.message


def test_vectors_of_units(cli: Cli) -> None:
    """spec §11.5"""
    names = ("--variant", "decode-ue5m3-bf16-x2", "--variant", "tensor-amax-bf16-x4")
    ended = cli("vectors", "write", "v", *names, "--words", 40, "--most", 60)
    assert ended.code == 0, ended.err
    assert ended.out.startswith("v: 5 stimulus files, 5 expected files, ")
    ended = cli("vectors", "check", "v", "--json")
    assert ended.code == 0 and ended.json["intact"] and ended.json["files"] == 10
    assert cli("vectors", "write", "v/inner", *SMALL).code == 0
    ended = cli("vectors", "check", "v")
    lines = ended.out.splitlines()
    assert ended.code == 0 and lines[0].startswith("v: intact. 10 files") and len(lines) == 2
    assert lines[1].startswith("v/inner: intact. 4 files")
    file = Path("v/expected/tensor-amax-bf16-x4/lengths.hex")
    file.write_text("0001\n" + file.read_text()[5:])
    ended = cli("vectors", "check", "v")
    assert ended.code == 1 and ended.message.startswith(f"{file}:1: field amax is 1, should be ")


def test_a_folder_in_the_way(cli: Cli) -> None:
    Path("v").mkdir()
    Path("v/notes.txt").write_text("mine")
    for more in ((), ("--overwrite",)):
        ended = cli("vectors", "write", "v", *SMALL, *more)
        assert ended.code == 2 and ended.message.startswith("v ")
        assert [p.as_posix() for p in Path().rglob("*")] == ["v", "v/notes.txt"]
    assert cli("vectors", "write", "w", *SMALL).code == 0
    assert cli("vectors", "write", "w", *SMALL).code == 2
    assert cli("vectors", "write", "w", *SMALL, "--overwrite").code == 0
    assert cli("vectors", "check", "w").code == 0


def test_every_file_with_one_flipped_bit_is_found(cli: Cli) -> None:
    """The message names file and line; where a word is still a word, the field too."""
    assert cli("vectors", "write", "v", *SMALL, "--blocks", 8).code == 0
    files = sorted(p for p in Path("v").rglob("*.hex"))
    assert len(files) == 4
    places = np.random.PCG64(3).random_raw(32).reshape(4, 8)
    fields = 0
    for file, picks in zip(files, places, strict=True):
        good = file.read_bytes()
        for pick in picks:
            place, bit = int(pick >> np.uint64(8)) % len(good), int(pick) & 7
            bad = bytearray(good)
            bad[place] ^= 1 << bit
            file.write_bytes(bad)
            ended = cli("vectors", "check", "v")
            assert ended.code == 1 and ended.message.startswith(f"{file}:")
            line = good[:place].count(b"\n") + 1
            if "field " in ended.message:
                fields += 1
                assert ended.message.startswith(f"{file}:{line}: field ")
        file.write_bytes(good)
    assert fields >= 4
    assert cli("vectors", "check", "v").code == 0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda v: (v / "manifest.json").unlink(), "v/manifest.json: there is no such file"),
        (lambda v: (v / "manifest.json").write_text("{"), "v/manifest.json: not readable as JSON"),
        (lambda v: (v / "stimulus/bf16-b4-zeros.hex").unlink(), "bf16-b4-zeros.hex"),
        (lambda v: (v / "more.hex").write_text("0\n"), "v/more.hex: the manifest does not list it"),
        (lambda v: (v / "expected/e8m0-floor-b4/bf16-zeros.hex").write_text(""), "bf16-zeros.hex"),
    ],
)
def test_a_damaged_folder(cli: Cli, damage: object, message: str) -> None:
    assert cli("vectors", "write", "v", *SMALL, "--blocks", 8).code == 0
    assert callable(damage)
    damage(Path("v"))
    ended = cli("vectors", "check", "v")
    assert ended.code == 1 and message in ended.message


def test_nothing_there(cli: Cli) -> None:
    ended = cli("vectors", "check", "nowhere")
    assert ended.code == 1 and "is this a vectors folder?" in ended.message
    assert cli("vectors", "check", "nowhere", "--sample", 0).code == 2
