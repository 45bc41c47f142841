"""The program as a whole: help, exit codes, errors of one line, what it loads."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.main import get_command

from cli import main
from cli.main import app
from emulator.errors import MismatchError

from .conftest import Cli

ROOT = Path(__file__).parent.parent.parent


def commands() -> dict[str, Any]:
    """All commands by their words."""
    found: dict[str, Any] = {}

    def visit(prefix: str, group: Any) -> None:
        for name, command in group.commands.items():
            words = f"{prefix} {name}".strip()
            found[words] = command
            if hasattr(command, "commands"):
                visit(words, command)

    visit("", get_command(app))
    return found


def example_lines(words: str) -> list[str]:
    """Lines of the example in a command's help."""
    lines = commands()[words].help.replace("\\[", "[").split("\b\nExample:\n")[1].splitlines()
    return [line.rstrip() for line in lines]


def test_the_commands_are_these() -> None:
    assert set(commands()) == {
        *("formats", "recipes", "variants", "quantize", "dequantize", "export", "simulate"),
        *("compare", "disagree", "bench", "draw", "vectors", "vectors write", "vectors check"),
        *("study", "study areas", "study curves", "study error", "study memory"),
    }


@pytest.mark.parametrize("words", ["", *commands()])
def test_help_teaches(cli: Cli, words: str) -> None:
    ended = cli(*words.split(), "--help")
    assert ended.code == 0 and ended.err == ""
    assert "Example:" in ended.out
    assert f"$ finescale {words}".rstrip() in ended.out
    if words:
        assert all(len(line) <= 78 for line in example_lines(words))


@pytest.mark.parametrize(
    "words",
    [
        *("formats", "recipes", "variants", "quantize", "dequantize", "disagree"),
        *("draw", "vectors write", "vectors check"),
    ],
)
def test_examples_print_what_the_help_says(cli: Cli, weights: np.ndarray, words: str) -> None:
    np.save("w.npy", weights)
    if words == "dequantize":
        assert cli("quantize", "w.npy", "-o", "w.npz", "--recipe", "ue5m3-absmax-b16").code == 0
    if words == "vectors check":
        assert cli(*example_lines("vectors write")[0].split()[2:]).code == 0
    command, *lines = example_lines(words)
    ended = cli(*command.removeprefix("$ finescale ").split())
    assert ended.code == 0
    printed = [" ".join(line.split()) for line in ended.out.splitlines()]
    for line in lines:
        wanted = " ".join(line.split()).removesuffix("...").strip()
        if not line:
            return  # what follows is about something else
        assert any(p.startswith(wanted) for p in printed), (wanted, printed[:5])


def in_a_new_process(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | env,
        timeout=60,
    )


@pytest.mark.parametrize("arguments", [["--help"], ["compare", "--help"], ["formats"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    heavy = {"numba", "amaranth", "pyosys", "cocotb", "numpy", "jinja2", "matplotlib"}
    code = (
        f"import sys; from cli.main import run; run({arguments!r}); "
        f"print(sorted({heavy!r} & set(sys.modules)), file=sys.stderr)"
    )
    ended = in_a_new_process(code)
    assert ended.stderr.strip() == "[]"


def test_nothing_given_shows_the_help(cli: Cli) -> None:
    ended = cli()
    # Releases of Typer differ in whether this counts as wrong use.
    assert ended.code in (0, 2) and ended.err == "" and "Usage: finescale" in ended.out


def test_version(cli: Cli) -> None:
    assert cli("--version").out == "finescale 0.1.0, specification 1.0\n"


def test_the_front_door_is_the_program_too() -> None:
    ended = subprocess.run(
        [sys.executable, "finescale.py", "--version"], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.stdout.startswith("finescale ") and ended.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("quantise", r"No such command 'quantise'"),
        ("formats --nope", r"No such option:? .?--nope.? \(see finescale formats --help\)"),
        ("quantize", r"Missing argument 'IN' \(see finescale quantize --help\)"),
        ("quantize w.npy --axis one", r"Invalid value for '--axis'"),
        ("quantize w.npy -o q.npz", r"Missing option '--recipe' \(see finescale quantize --help\)"),
        ("vectors write", r"Missing argument 'DIR' \(see finescale vectors write --help\)"),
    ],
)
def test_wrong_use_is_one_line(cli: Cli, arguments: str, message: str) -> None:
    ended = cli(*arguments.split())
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert re.search(message, ended.message)


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(main, "app", fail)


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ValueError("first\nsecond"), 2, "first second"),
        (TypeError("x is a list"), 2, "x is a list"),
        (FileNotFoundError(2, "No such file", "a.npy"), 2, "a.npy: No such file"),
        (MemoryError("Unable to allocate"), 2, "not enough memory: Unable to allocate"),
        (ModuleNotFoundError("No module named 'pyosys'", name="pyosys"), 2, "finescale[rtl]"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MismatchError("3 words differ\n  block 1"), 1, "3 words differ\n  block 1"),
    ],
)
def test_errors_become_a_line_and_a_code(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, text: str
) -> None:
    failing(monkeypatch, error)
    ended = cli("formats")
    assert ended.code == code and text in ended.err and ended.err.startswith("finescale: ")


def test_bugs_keep_their_traceback(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        cli("formats")


def test_debug_shows_the_traceback(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, ValueError("x"))
    monkeypatch.setenv("FINESCALE_DEBUG", "1")
    with pytest.raises(ValueError, match="x"):
        cli("formats")


def test_ctrl_c_within_a_command(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("emulator.golden.write", interrupt)
    ended = cli("vectors", "write", "v", "--recipe", "mxfp4")
    assert ended.code == 130 and ended.err.strip() == "finescale: interrupted"


def test_a_reader_that_leaves_causes_no_traceback() -> None:
    """Like `finescale formats bf16 --values | head -1`: far more than a pipe holds."""
    code = "import sys; from cli.main import run; sys.exit(run(['formats', 'bf16', '--values']))"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline().startswith("bf16: ")
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 1


@pytest.mark.parametrize(("more", "shown"), [([], True), (["--json"], False)])
def test_a_bar_is_shown_on_terminals_only(tmp_path: Path, more: list[str], shown: bool) -> None:
    """On stderr, if that is a terminal and no JSON is wanted; stdout never has a part of it."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    arguments = ["vectors", "write", str(tmp_path / "v"), "--recipe", "e8m0-floor-b4"]
    arguments += ["--stimulus", "zeros", *more]
    code = f"import sys; from cli.main import run; sys.exit(run({arguments!r}))"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs, text=True
    ) as process:
        os.close(theirs)
        written = b""
        part = b"-"
        while part:
            try:
                part = os.read(ours, 1 << 16)
            except OSError:  # how Linux says that nobody is left on a pseudo-terminal
                part = b""
            written += part
        out, _ = process.communicate()
    os.close(ours)
    assert process.returncode == 0
    assert (b"0/1" in written) == shown
    assert "\x1b" not in out
    assert out.startswith("{" if more else f"{tmp_path}/v: 1 stimulus file, ")
