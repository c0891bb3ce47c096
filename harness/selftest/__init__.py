"""
How far can this machine's verdicts be trusted? Measured, on this machine: `voxgate selftest`.

Speed: the same engine several times in turns (A/A) and with slow-downs of known size (A/B), decided
by the code that the gate uses. Quality: faults of known size planted into audio, scored and judged
as ever. The gate's own rule is never written down again here: it is called.
"""
