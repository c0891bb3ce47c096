"""Measures a suite: worker processes, interleaved rounds, resuming; the result is a run folder."""
