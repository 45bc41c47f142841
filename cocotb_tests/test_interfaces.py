"""Law 1 for interfaces: AXI4-Stream gives the words of the plain stream, of every unit."""

from __future__ import annotations

import pytest

from cocotb_tests.axis import AxisDevice
from cocotb_tests.families import STREAMS
from cocotb_tests.interfaces import compare_interfaces
from emulator.errors import MismatchError
from rtl.variants import variant

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", STREAMS)
def test_both_interfaces_give_the_same_words(name: str) -> None:
    """Words, their number and `tlast`: carried along, or one per packet (spec §12.3, §22.3)."""
    assert compare_interfaces(variant(name)) >= 500


@pytest.mark.parametrize(
    ("name", "right", "wrong", "message"),
    [
        ("decode-ue5m3-bf16-x2", "m_axis_tlast = lasts[0]", "m_axis_tlast = lasts[1]", "tlast"),
        ("decode-ue5m3-bf16-x2", "m_axis_tdata = o_payload", "m_axis_tdata = ~o_payload", "word 0"),
        ("tensor-amax-bf16-x2", "s_axis_tlast, ", "~s_axis_tlast, ", "AXI4-Stream: .* called for"),
        ("tensor-amax-bf16-x2", "m_axis_tlast = 1'b1", "m_axis_tlast = 1'b0", "tlast"),
    ],
)
def test_a_spoiled_wrapper_is_caught(name: str, right: str, wrong: str, message: str) -> None:
    v = variant(name)
    text = AxisDevice(v).verilog()
    assert text.count(right) == 1
    with pytest.raises(MismatchError, match=message):
        compare_interfaces(v, axis_verilog=text.replace(right, wrong))
