"""Version of the normative text that code, vectors and Verilog follow."""

from __future__ import annotations

SPEC_VERSION = "1.0"
"""Version at the head of docs/spec.md."""
