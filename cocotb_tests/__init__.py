"""The agreement: simulated Verilog against golden vectors."""
