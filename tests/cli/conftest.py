from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.main import run


@dataclass(frozen=True)
class Ended:
    """How a run of the program ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def message(self) -> str:
        """The one line of an error, without the program's name."""
        assert self.err.startswith("finescale: ") and self.err.count("\n") == 1, self.err
        assert self.out == ""
        return self.err.removeprefix("finescale: ").strip()


Cli = Callable[..., Ended]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs the program in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FINESCALE_DEBUG", raising=False)

    def call(*arguments: object) -> Ended:
        code = run([str(a) for a in arguments])
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return call


@pytest.fixture
def weights() -> np.ndarray:
    raw = np.random.PCG64(7).random_raw(4096).reshape(64, 64)
    return (raw >> np.uint64(40)).astype(np.float32) / np.float32(1 << 23) - np.float32(1)
