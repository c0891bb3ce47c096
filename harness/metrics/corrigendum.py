"""
PESQ as Corrigendum 2 of 2018 has it, by the same package `pesq`.

The ITU's code makes wide-band speech 12 dB too loud for the ear that it models, and the corrigendum gives the input filter
new coefficients: those of before times 0.251188, nothing else. They stand in a table of the package's C library, where this
module changes them for the time of one call: not for two threads at once, which the scorer has not. The package with the
correction built in, `pesqc2`, gives the same scores to the last bit, but is bound to numpy 1.
"""

import contextlib
import ctypes
from collections.abc import Iterator

TABLE = (
    "WB_InIIR_Hsos_16k"  # of the wide-band input filter at 16 kHz: three coefficients of the numerator, two of the denominator
)
NUMERATOR, LENGTH = 3, 5
GAIN = 0.251188  # -12 dB


@contextlib.contextmanager
def corrected() -> Iterator[None]:
    """Let `pesq.pesq` answer by Corrigendum 2 within. Raises ValueError where the package hides its table, as on Windows."""
    from pesq import cypesq

    table = (ctypes.c_float * LENGTH).in_dll(ctypes.CDLL(cypesq.__file__), TABLE)
    before = list(table)
    table[:NUMERATOR] = [GAIN * each for each in before[:NUMERATOR]]
    try:
        yield
    finally:
        table[:] = before
