"""Runs the worked examples of random numbers (spec §19.3 to §19.6)."""

from __future__ import annotations

import numpy as np

from emulator.reference_random import draws, speck
from tests.spec_examples import Example


def run_speck(e: Example) -> tuple[str, str]:
    """``speck KEY BLOCK -> ENCRYPTED``, in hexadecimal."""
    return f"{speck(int(e.subject, 16), int(e.left, 16)):016x}", e.right


def run_draws(e: Example) -> tuple[str, str]:
    """``draws BITS SEED NUMBER -> R,R,...``: the random numbers of the first lanes of a block."""
    seed, number = (int(text, 16) for text in e.left.split())
    got = draws(seed, number, len(e.right.split(",")), int(e.subject))
    return ",".join(f"{r:x}" for r in got), e.right


def run_block(e: Example) -> tuple[str, str]:
    """``block SHAPE axis=A n=N at=INDEX -> NUMBER``: the number of an element's block."""
    options = dict(o.split("=") for o in e.left.split())
    shape, at = ([int(d) for d in text.split(",")] for text in (e.subject, options["at"]))
    axis, n = int(options["axis"]), int(options["n"])
    shape[axis], at[axis] = -(-shape[axis] // n), at[axis] // n
    return str(int(np.ravel_multi_index(at, shape))), e.right
