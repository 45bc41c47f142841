"""The bits: formats, recipes, the exact reference, the fast kernels, golden vectors."""
