"""Vectors of tensor quantizers: each schedule has some, and what is wrong is named (spec §11.7)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cocotb_tests import memory_vectors, unit_vectors
from cocotb_tests.families import MEMORY_FAMILIES
from cocotb_tests.memory_vectors import COMMITTED, COMMITTED_LIMIT, check, load, write
from cocotb_tests.toolchain import ROOT
from emulator.errors import FileFormatError, MismatchError, UnknownNameError
from rtl.tensor_quantizer_variant import SCHEDULES, tensor_quantizer

FOLDER = ROOT / "golden_vectors" / COMMITTED
TWO = tensor_quantizer(MEMORY_FAMILIES[1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "v", [TWO], seed=3)
    return tmp_path / "v"


def test_the_committed_set_is_complete_small_and_intact() -> None:
    variants = [tensor_quantizer(name) for name in MEMORY_FAMILIES]
    assert [v.schedule for v in variants] == list(SCHEDULES)
    assert {v.kind for v in variants} == {None, "h", "hp2", "hbf16"}
    intact = check(FOLDER)
    assert intact.files == 32 and intact.reference_words == intact.expected_words > 400
    files = [p for p in FOLDER.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) <= COMMITTED_LIMIT
    for v in variants:
        cases = dict(load(FOLDER, v))
        tensors, refused = (cases[f"{v.schedule} {name}"] for name in ("tensors", "refused"))
        assert (tensors.before != tensors.after).sum() > 100
        found = v.status_layout.unpack(refused.statuses)["refused"]
        assert set(found.reshape(-1).tolist()) == {0, 1, 2}


def test_schedules_share_words_unless_the_scale_is_given(folder: Path) -> None:
    other = tensor_quantizer(TWO.name.replace("-two-", "-cuto-local64-"))
    assert [name for name, _ in load(folder, other)] == ["two refused", "two tensors"]
    for name in (TWO.name.replace("-two-", "-delayed-"), f"{TWO.name[:-2]}32", MEMORY_FAMILIES[0]):
        with pytest.raises(FileFormatError, match="no vectors of tensor-quantizer"):
            load(folder, tensor_quantizer(name))


def test_every_flipped_bit_is_found(folder: Path) -> None:
    for file in sorted(folder.rglob("*.hex")):
        good = file.read_bytes()
        bad = bytearray(good)
        bad[-2] ^= 1
        file.write_bytes(bad)
        with pytest.raises(FileFormatError, match=rf"{file.name}:{len(good.splitlines())}: "):
            check(folder)
        with pytest.raises(FileFormatError, match=file.name):
            load(folder, TWO)
        file.write_bytes(good)
    check(folder)


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        ("stimulus", {"seed": 4}, "should be"),
        ("stimulus", {"generator": "tensor"}, "no case 'tensor'; did you mean tensors"),
        ("stimulus", {"meaning": "x"}, "meaning is"),
        ("expected", {"variant": {"name": "tensor-quantizer-x"}}, "unknown tensor quantizer"),
        ("expected", {"confirmed_words": 0}, "confirmed_words is 0"),
        ("expected", {"file": "x"}, "no file 'expected/.*refused-memory.hex'"),
    ],
)
def test_a_changed_manifest_is_found(folder: Path, part: str, values: Any, message: str) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest[part][0].update(values)
    path.write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(FileFormatError, match=message):
        check(folder)


def test_other_folders_are_refused(folder: Path) -> None:
    with pytest.raises(FileFormatError, match="not the manifest of a folder of memory vectors"):
        check(ROOT / "golden_vectors" / unit_vectors.COMMITTED)
    with pytest.raises(FileFormatError, match="not the manifest of a folder of unit vectors"):
        unit_vectors.check(folder)
    (folder / "more.hex").write_text("0\n")
    with pytest.raises(FileFormatError, match=r"more.hex: the manifest does not list it"):
        check(folder)


def test_two_computations_that_differ_write_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = memory_vectors.execute

    def spoiled(*given: Any) -> Any:
        memory, statuses = sound(*given)
        return memory ^ np.eye(1, len(memory), 7, dtype=np.uint8)[0], statuses

    monkeypatch.setattr(memory_vectors, "execute", spoiled)
    with pytest.raises(MismatchError, match="tensors-memory: two computations differ"):
        write(tmp_path / "v", [TWO])
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one"):
        write(tmp_path / "v", [])
    with pytest.raises(ValueError, match="seed -1"):
        write(tmp_path / "v", [TWO], seed=-1)
    with pytest.raises(UnknownNameError, match="no case 'x'"):
        write(tmp_path / "v", [TWO], names=["x"])
    assert list(tmp_path.iterdir()) == []
