"""The gates: an Amaranth description of the datapath that `docs/spec.md` specifies."""
