"""The trade-off: area, latency, storage and error of hardware variants, all measured."""
