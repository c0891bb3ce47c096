"""Fuzzers of everything that voxgate reads: `python -m tests.fuzz --help`."""
