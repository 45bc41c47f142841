"""The cases of golden vectors of tensor quantizers (spec §11.7)."""

from __future__ import annotations

import numpy as np

from cocotb_tests.memory_reference import MISALIGNED, NO_BLOCK
from cocotb_tests.memory_tensors import Task, task, tensor
from emulator.errors import UnknownNameError, near
from emulator.layout import Words
from rtl.tensor_quantizer_variant import TensorQuantizerVariant

SIZES = {"tensors": (1, 7, 8, 9, 19), "refused": (2, 3)}
"""Blocks of the tensors of each case; "refused" has commands among them that are refused."""

SPECIAL = 0.25
"""Share of blocks that hold special numbers."""


def case(v: TensorQuantizerVariant, name: str, seed: int) -> Task:
    """A case by its name, one of `SIZES`.

    Raises:
        UnknownNameError: if there is none of that name.
    """
    if name not in SIZES:
        known = ", ".join(SIZES)
        raise UnknownNameError(f"{v} has no case {name!r}{near(name, SIZES)} (known: {known})")
    tensors = [tensor(v, n, seed + k, SPECIAL) for k, n in enumerate(SIZES[name])]
    found = task(v, tensors, seed)
    return _with_refused(v, found) if name == "refused" else found


def _with_refused(v: TensorQuantizerVariant, t: Task) -> Task:
    """Commands of no block, and with addresses that are none of a word, before each command."""
    commands: list[Words] = []
    statuses: list[Words] = []
    for k in range(len(t.commands)):
        for name, value, refused in (
            ("blocks", 0, NO_BLOCK),
            *((base, 1 << (k + i) % v.word_bits, MISALIGNED) for i, base in enumerate(v.bases)),
        ):
            parts = v.command_layout.unpack(t.commands[k : k + 1])
            parts[name] = np.full_like(parts[name], value | int(parts[name][0, 0]) * bool(value))
            commands.append(v.command_layout.pack(**parts))
            blank = v.status_layout.unpack(np.zeros_like(t.statuses[:1]))
            blank["refused"] = np.full_like(blank["refused"], refused)
            statuses.append(v.status_layout.pack(**blank))
        commands.append(t.commands[k : k + 1])
        statuses.append(t.statuses[k : k + 1])
    return Task(t.before, np.concatenate(commands), t.after, np.concatenate(statuses))
