"""AXI4-Stream wrappers through the benches of the stream, with `tlast` compared like data."""

from __future__ import annotations

import pytest

from cocotb_tests.axis import AxisDevice
from cocotb_tests.simulate import simulate, verify
from emulator.errors import MismatchError
from rtl.variants import variant

pytestmark = pytest.mark.slow

NAMES = ("quantizer-ue5m3-absmax-b4-bf16",)


@pytest.mark.parametrize("name", NAMES)
def test_protocol_and_bits(name, tmp_path):
    """Bits, `tlast`, order, pauses, reset, latency and interval (spec §12)."""
    v = AxisDevice(variant(name))
    report = simulate(v, folder=tmp_path, blocks=2_000, bulk_blocks=20_000)
    assert report.cocotb_words >= 4_000 and report.driver_words >= 20_000
    assert (report.latency, report.interval) == (v.latency, v.interval)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("lasts >> 1", "lasts >> 2"),
        ("lasts[fill_after_leave] <= s_axis_tlast", "lasts[fill] <= s_axis_tlast"),
        (".rst(~aresetn)", ".rst(1'b0)"),
    ],
)
def test_a_spoiled_wrapper_is_caught(right, wrong):
    v = AxisDevice(variant(NAMES[0]))
    text = v.verilog()
    assert text.count(right) == 1
    with pytest.raises(MismatchError):
        verify(v, text.replace(right, wrong), blocks=1_000)
