"""export, simulate and compare, through the program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cocotb_tests.report import Report, StimulusResult
from compare.results import Comparison, Failure
from emulator.errors import MismatchError
from rtl.tensor_quantizer_variant import tensor_quantizer
from rtl.variants import default_variants, quantizer, variant
from rtl.verilog import WAIVERS, to_verilog

from .conftest import Cli

SMALL = quantizer("quantizer-e8m0-floor-b4-bf16")
OTHER = quantizer("quantizer-ue5m3-absmax-b4-bf16")


def test_export(cli: Cli) -> None:
    ended = cli("export", SMALL.name, OTHER.name, SMALL.name, "-o", "out")
    assert ended.code == 0 and ended.err == ""
    names = {f"{v.module}.{kind}" for v in (SMALL, OTHER) for kind in ("v", "core")}
    names |= {"waivers.vlt", "filelist.f"}
    assert {p.name for p in Path("out").iterdir()} == names
    assert Path("out", f"{SMALL.module}.v").read_text() == to_verilog(SMALL)
    assert Path("out/waivers.vlt").read_bytes() == WAIVERS.read_bytes()
    lines = [line.split() for line in ended.out.splitlines()]
    for name in names:
        assert lines.count([f"out/{name}"]) == 1
    for port, (direction, width) in SMALL.ports.items():
        assert [port, direction, str(width)] in lines


def test_export_with_testbench_and_axis(cli: Cli) -> None:
    ended = cli(*f"export {SMALL.name} -o out --testbench --interface axis --blocks 1".split())
    assert ended.code == 0 and ended.err == ""
    name = SMALL.module
    kinds = ("v", "core", "stimulus.hex", "expected.hex")
    names = {*(f"{name}.{kind}" for kind in kinds), f"{name}_axis.v", f"{name}_tb.sv"}
    assert {p.name for p in Path("out").iterdir()} == names | {"waivers.vlt", "filelist.f"}
    assert Path("out/filelist.f").read_text().split() == [f"{name}.v", f"{name}_axis.v"]
    core = Path(f"out/{name}.core").read_text()
    assert all(file in core for file in names - {f"{name}.core"})
    assert f"{name}_axis dut" in Path(f"out/{name}_tb.sv").read_text()


def test_export_of_a_tensor_quantizer(cli: Cli) -> None:
    v = tensor_quantizer("tensor-quantizer-ue5m3-absmax-b4-bf16-one-w16")
    ended = cli("export", v.name, "-o", "out")
    assert Path("out", f"{v.module}.v").read_text() == v.verilog()
    assert "memory words of 16 bytes" in ended.out and "write_payload" in ended.out
    assert v.title in Path("out", f"{v.module}.core").read_text()
    for option, message in (
        ("--testbench", "no testbench"),
        ("--interface=axis", "memory and none"),
    ):
        ended = cli("export", v.name, "-o", "out", option)
        assert ended.code == 2 and message in ended.message


def test_export_as_json(cli: Cli) -> None:
    found = cli("export", SMALL.name, "-o", "out", "--json").json
    own = [f"out/{SMALL.module}.{kind}" for kind in ("v", "core")]
    assert found["files"] == [*own, "out/waivers.vlt", "out/filelist.f"]
    ports = found["modules"][SMALL.module]
    assert {p: (d["direction"], d["width"]) for p, d in ports.items()} == SMALL.ports


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (f"export {SMALL.name}x -o out", f"did you mean {SMALL.name}"),
        ("export quantizer-ue5m3-search-b16-bf16 -o out", "not available yet"),
        ("export quantizer-mxfp4-b8-bf16 -o out", "unknown recipe 'mxfp4-b8'"),
        (f"export {SMALL.name} -o file/out", "file"),
        ("study memory none", "unknown tensor quantizer 'none'"),
        (
            "simulate tensor-quantizer-ue5m3-absmax-b16-bf16-one --simulator icarus",
            "runs in verilator and cxxrtl, not in icarus",
        ),
        (
            "simulate tensor-quantizer-ue5m3-absmax-b16-bf16-one --waves",
            "--waves does not go with tensor-quantizer-ue5m3",
        ),
        (f"simulate {SMALL.name} --top x", "--top x goes with --dut FILE.v"),
        (f"simulate {SMALL.name} --simulator vcs", "simulator 'vcs' is not one of verilator, cxx"),
        (f"simulate {SMALL.name} --simulator cxxrtl --waves", "--waves goes with --simulator ver"),
        (f"simulate {SMALL.name} --simulator cxxrtl --dut none.v", "none.v: no such file"),
        (f"simulate {SMALL.name} --dut none.v", "none.v: no such file"),
        (f"simulate {SMALL.name} --blocks -1", "blocks -1"),
        ("simulate quantizer-e8m0-floor-b64-bf16", "exceeds the 32 lanes"),
        (f"compare {SMALL.name} -o out --key w", "--key and --dtype go with --tensor"),
        (f"compare {SMALL.name} -o out --liberty none.lib", "none.lib: No such file"),
        (f"compare {SMALL.name} -o out --liberty file", "file: not a liberty file"),
        (f"compare {SMALL.name} -o out --tensor none.npy", "none.npy: No such file"),
        (f"compare {SMALL.name} -o out --tensor file", "file: the name does not end in"),
        ("compare quantizer-e8m0-flor-b4-bf16 -o out", "did you mean floor"),
        ("compare --unit dott -o out", "unknown unit 'dott'; did you mean dot?"),
        (f"compare {SMALL.name} --unit dot -o out", "--unit dot goes without names of variants"),
        (f"export {SMALL.name} -o out --interface axi", "interface 'axi' is not one of stream"),
        (f"export {SMALL.name} -o out --vectors v", "--vectors v goes with --testbench"),
        (f"export {SMALL.name} -o out --testbench --vectors v", "is this a vectors folder?"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(cli: Cli, arguments: str, message: str) -> None:
    Path("file").write_text("in the way")
    ended = cli(*arguments.split())
    assert ended.code == 2 and message in ended.message
    assert [p.name for p in Path().rglob("*")] == ["file"]


def test_a_missing_compiler_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    ended = cli("simulate", SMALL.name)
    assert ended.code == 2 and "C++ compiler" in ended.message and "install" in ended.message


def test_ports_that_are_not_those_of_the_specification(cli: Cli) -> None:
    text = to_verilog(SMALL)
    Path("mine.v").write_text(text.replace("o_ready", "o_taken"))
    ended = cli("simulate", SMALL.name, "--dut", "mine.v")
    assert ended.code == 2
    assert "mine.v" in ended.message and "no port o_ready (input, 1 bits)" in ended.message
    assert "spec §12.1" in ended.message
    Path("mine.v").write_text(text)
    ended = cli("simulate", "quantizer-e8m0-floor-b8-bf16", "--dut", "mine.v")
    assert ended.code == 2 and "port i_payload is input, 64 bits, not input, 128" in ended.message


def test_what_simulate_asks_for_and_prints(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def simulate(chosen: object, **options: Any) -> Report:
        seen.update(options, variant=chosen)
        done = [StimulusResult("zeros", "cocotb", 11), StimulusResult("random", "driver", 20_000)]
        return Report(
            SMALL.name, "mine.v", "top", 5, 1.0, 22, 40_000, done, "w.fst", {"cocotb": "2"}
        )

    monkeypatch.setattr("cocotb_tests.simulate.simulate", simulate)
    options = ("--dut", "mine.v", "--top", "top", "--waves", "-o", "out", "--seed", 3)
    ended = cli("simulate", SMALL.name, *options)
    assert ended.code == 0
    seen.pop("progress")
    assert seen == {
        **{"variant": SMALL, "dut": Path("mine.v"), "top": "top", "waves": True},
        **{"folder": Path("out"), "vectors": None, "blocks": 20_000, "bulk_blocks": 1_000_000},
        "seed": 3,
    }
    lines = ended.out.splitlines()
    assert ["random", "driver", "20,000"] in [line.split() for line in lines]
    assert "waves: w.fst" in lines
    assert lines[-1] == f"mine.v as {SMALL.name}: all words identical, latency 5, interval 1"
    found = cli("simulate", SMALL.name, "--json").json
    assert found["latency"] == 5 and found["results"][0]["stimulus"] == "zeros"


def test_simulate_in_other_simulators(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int]] = []

    def simulate(chosen: object, simulator: str, **options: Any) -> Report:
        seen.append((simulator, options["bulk_blocks"]))
        timing = (3, 1.0) if simulator == "cxxrtl" else (-1, -1.0)
        words = {"driver_words": 1234, "simulator": simulator}
        return Report(SMALL.name, "generated", "top", *timing, **words)

    monkeypatch.setattr("cocotb_tests.second.simulate_second", simulate)
    ended = cli("simulate", SMALL.name, "--simulator", "cxxrtl")
    lines = ended.out.splitlines()
    assert lines[-1] == f"{SMALL.name}: all words identical in cxxrtl, latency 3, interval 1"
    assert "1,234 words compared through the C++ driver (each stimulus" in ended.out
    ended = cli("simulate", SMALL.name, "--simulator", "icarus")
    assert ended.out.splitlines()[-1] == f"{SMALL.name}: all words identical in icarus"
    assert "1,234 words compared by the testbench (each stimulus" in ended.out
    assert cli("simulate", SMALL.name, "--simulator", "icarus", "--json").json["latency"] == -1
    assert seen == [("cxxrtl", 1_000_000), ("icarus", 0), ("icarus", 0)]


@pytest.mark.slow
def test_simulate_a_tensor_quantizer(cli: Cli) -> None:
    """Between commands and a memory; a design that computes something else is found (spec §24)."""
    v = tensor_quantizer("tensor-quantizer-ue5m3-absmax-b4-bf16-one-w16")
    few = ("--simulator", "cxxrtl", "--blocks", 100, "--bulk-blocks", 200)
    ended = cli("simulate", v.name, *few, "-o", "out")
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[-1] == (
        f"{v.name}: all bytes identical in cxxrtl, cycles and bytes read as in spec §24"
    )
    assert ["long", "1", "200", "100", "600"] in [x.split()[:5] for x in ended.out.splitlines()]
    found = cli("simulate", v.name, *few, "--json").json
    assert all(r["blocks"] >= n for r, n in zip(found["results"], (1, 100, 200), strict=True))
    assert found["compared"] > 900
    other = v.name.replace("absmax", "absmax-pz")
    ended = cli("simulate", other, *few, "--dut", f"out/{v.module}.v")
    assert ended.code == 1 and "bytes differ, first address" in ended.err


@pytest.mark.slow
def test_unit_vectors_in_two_simulators(cli: Cli) -> None:
    """Written, checked, simulated; a wrong word in the folder and a wrong design are found."""
    name = "decode-ue5m3-bf16-x2"
    assert cli("vectors", "write", "v", "--variant", name, "--words", 50).code == 0
    few = ("--simulator", "cxxrtl", "--vectors", "v", "--bulk-blocks", 100)
    ended = cli("simulate", f"{name}-cutimo", *few, "-o", "out")
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[-1].endswith("identical in cxxrtl, latency 3, interval 1")
    ours = variant(name)
    assert ours.verilog().count("15'h7fc0") == 1
    Path("mine.v").write_text(ours.verilog().replace("15'h7fc0", "15'h7fc1"))
    ended = cli("simulate", name, *few, "--dut", "mine.v")
    assert ended.code == 1 and "words differ" in ended.err and "dut 7fc1, spec 7fc0" in ended.err
    file = Path(f"v/expected/{name}/codes.hex")
    file.write_text(file.read_text().replace("3f80", "3f81", 1))
    ended = cli("simulate", name, *few)
    assert ended.code == 2 and "codes.hex: SHA-256 differs" in ended.message


@pytest.mark.slow
def test_simulate(cli: Cli) -> None:
    recipes = ("--recipe", SMALL.recipe, "--recipe", OTHER.recipe)
    stimuli = ("--stimulus", "scales", "--stimulus", "random", "--blocks", 600)
    assert cli("vectors", "write", "v", *recipes, *stimuli).code == 0
    few = ("--vectors", "v", "--bulk-blocks", 2000)
    ended = cli("simulate", SMALL.name, *few, "-o", "out")
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[-1] == (
        f"{SMALL.name}: all words identical, latency {SMALL.latency}, interval 1"
    )
    # The generated file, taken for a design of the user's that should do something else.
    ended = cli("simulate", OTHER.name, "--dut", f"out/{SMALL.module}.v", *few)
    assert ended.code == 1 and ended.out == ""
    lines = ended.err.splitlines()
    assert lines[0].startswith(f"finescale: {OTHER.name}") and "words differ" in lines[0]
    assert any("=> dut" in line and "spec §" in line for line in lines[1:])


def comparison(*failures: Failure) -> Comparison:
    return Comparison((), failures, "finescale compare", "gates", None, ("area",), {}, 4, 1)


def test_what_compare_asks_for(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []

    def compare(variants: object, **options: Any) -> Comparison:
        options.pop("progress")
        seen.append(options | {"variants": variants})
        return comparison(Failure(SMALL, "words differ"), Failure(OTHER, "yosys failed"))

    monkeypatch.setattr("compare.run.compare", compare)
    Path("page.md").write_text("old")
    ended = cli("compare", "-o", "out", "--report", "page.md", "--readme", "page.md")
    assert ended.code == 1
    assert ended.err.splitlines() == [
        "finescale: 2 of 2 variants have no row",
        f"  {SMALL.name}: words differ",
        f"  {OTHER.name}: yosys failed",
    ]
    assert Path("page.md").read_text() == "old"  # a page with failures replaces none
    ended = cli("compare", SMALL.name, "--tensor", "w.npy", "--key", "k", "--json")
    assert ended.code == 1 and len(json.loads(ended.out)["failures"]) == 2
    assert cli("compare", "--unit", "dot", "--unit", "encode", "-o", "out").code == 1
    plain = {"liberty": None, "dtype": None, "units": ()}
    nothing = {"variants": None, "tensors": None, "key": None, "folder": Path("out")}
    assert seen == [
        plain | nothing,
        plain
        | {
            **{"variants": [SMALL], "tensors": Path("w.npy"), "key": "k"},
            "folder": Path("build/compare"),
        },
        plain | nothing | {"units": ["dot", "encode"]},
    ]


def test_nothing_compared_is_a_failure(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compare.run.compare", lambda *_, **__: comparison())
    assert cli("compare", "-o", "out").code == 1


def test_ctrl_c_in_compare_says_that_nothing_is_lost(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("compare.run.compare", interrupt)
    ended = cli("compare", "-o", "out")
    assert ended.code == 130 and "what is done is kept" in ended.err


def test_a_mismatch_is_told_in_full(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def differ(*_: object, **__: object) -> None:
        raise MismatchError("1 of 9 words differ\n  block 3 lane 1: [x] => dut 2, spec 3")

    monkeypatch.setattr("cocotb_tests.simulate.simulate", differ)
    ended = cli("simulate", SMALL.name)
    assert ended.code == 1
    assert ended.err.splitlines()[1] == "  block 3 lane 1: [x] => dut 2, spec 3"


@pytest.mark.slow
@pytest.mark.xdist_group("compare")
def test_compare(cli: Cli) -> None:
    names = [SMALL.name, "encode-e2m1-bf16"]
    ended = cli("compare", *names, "-o", "out", "--report", "page.md")
    assert ended.code == 0, ended.err
    assert all(name in ended.out for name in names) and "comparison.json" in ended.out
    assert {p.name for p in Path("out").iterdir()} == {"comparison.json", "comparison.md"}
    found = json.loads(Path("out/comparison.json").read_text())
    assert [row["variant"] for row in found["rows"]] == names
    assert [row["bits_per_element"] for row in found["rows"]] == [6, None]
    page = Path("page.md").read_text()
    assert "### Unit encode" in page and "| encode-e2m1-bf16 | " in page
    assert Path("page.md").read_text() == Path("out/comparison.md").read_text()
    again = cli("compare", *names, "-o", "out", "--json")
    assert again.code == 0 and again.json == found


def test_the_default_set_is_that_of_variants(cli: Cli) -> None:
    rows = cli("variants", "--json").json
    found = [row["name"] for row in rows if row["unit"] != "tensor-quantizer"]
    assert found == [v.name for v in default_variants()]
