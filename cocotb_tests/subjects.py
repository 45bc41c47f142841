"""The subjects of all units."""

from __future__ import annotations

from typing import Any

from cocotb_tests.axis import AxisSubject
from cocotb_tests.codec_subject import DecodeSubject, EncodeSubject
from cocotb_tests.dequantizer_subject import DequantizerSubject
from cocotb_tests.dot_subject import DotSubject
from cocotb_tests.peer_subject import PeerSubject
from cocotb_tests.quantizer_subject import QuantizerSubject
from cocotb_tests.random_quantizer_subject import RandomQuantizerSubject
from cocotb_tests.random_scaled_subject import RandomScaledSubject
from cocotb_tests.random_select_subject import RandomScaledSelectSubject, RandomSelectSubject
from cocotb_tests.scaled_quantizer_subject import ScaledQuantizerSubject
from cocotb_tests.scaled_select_subject import ScaledSelectSubject
from cocotb_tests.scaled_vote_subject import ScaledVoteSubject
from cocotb_tests.subject import Subject
from cocotb_tests.tensor_subject import TensorSubject
from rtl.peer_variant import PeerVariant
from rtl.quantizer_variant import QuantizerVariant
from rtl.random_select_variant import RandomSelectVariant
from rtl.random_variant import RandomVariant
from rtl.select_variant import SelectVariant
from rtl.variant import Device
from rtl.vote_variant import VoteVariant

SUBJECTS: dict[str, type[Subject[Any]]] = {
    "axis": AxisSubject,
    "quantizer": QuantizerSubject,
    "encode": EncodeSubject,
    "decode": DecodeSubject,
    "dequantizer": DequantizerSubject,
    "dot": DotSubject,
    "tensor": TensorSubject,
}
"""Class of the subjects of each unit."""


def subject(variant: Device) -> Subject[Any]:
    """The subject of a variant."""
    if isinstance(variant, PeerVariant):
        return PeerSubject(variant)
    if isinstance(variant, RandomSelectVariant):
        scaled = variant.recipe.tensor_scale is not None
        return (RandomScaledSelectSubject if scaled else RandomSelectSubject)(variant)
    if isinstance(variant, RandomVariant):
        scaled = variant.recipe.tensor_scale is not None
        return (RandomScaledSubject if scaled else RandomQuantizerSubject)(variant)
    if isinstance(variant, QuantizerVariant) and variant.recipe.tensor_scale is not None:
        if isinstance(variant, SelectVariant):
            return ScaledSelectSubject(variant)
        votes = isinstance(variant, VoteVariant)
        return (ScaledVoteSubject if votes else ScaledQuantizerSubject)(variant)
    return SUBJECTS[variant.unit](variant)
