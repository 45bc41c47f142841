"""Tests of synthesis, quality and the comparison's pages."""
