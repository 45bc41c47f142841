"""The subjects of all units."""

from __future__ import annotations

from typing import Any

from cocotb_tests.axis import AxisSubject
from cocotb_tests.quantizer_subject import QuantizerSubject
from cocotb_tests.subject import Subject
from rtl.variants import Variant

SUBJECTS: dict[str, type[Subject[Any]]] = {
    "axis": AxisSubject,
    "quantizer": QuantizerSubject,
}
"""Class of the subjects of each unit."""


def subject(variant: Variant) -> Subject[Any]:
    """The subject of a variant."""
    return SUBJECTS[variant.unit](variant)
