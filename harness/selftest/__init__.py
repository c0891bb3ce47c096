"""
How far this machine's verdicts can be trusted, measured on this machine: `voxgate selftest`.

Speed: the same engine several times in turns (A/A) and with slow-downs of known size (A/B), decided
by the functions of the gate. Quality: faults of known size planted into audio, scored and judged as
any run. The rule of the gate is not repeated here: it is called.
"""
