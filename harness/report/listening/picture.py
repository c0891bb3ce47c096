"""
Tables of dB as small PNG files with colours that can be told apart without telling red from green.

Drawn for white paper; in dark mode the page turns lightness round. Knows colours; computes nothing.
"""

import io

import matplotlib as mpl
import numpy as np
from PIL import Image

from harness.report.listening.spectrogram import RANGE_DB, Table

LEVELS = 65
"""Odd, so that 0 dB has a colour of its own in the middle."""
POWER, SIGNED = "bone_r", "RdBu_r"
DIFFERENCE_DB = 20.0
"""A difference of this or more has the darkest colour."""


def power_picture(table: Table, loudest_db: float) -> bytes:
    """Draw a spectrogram: white is RANGE_DB below the loudest spot of the utterance, or lower."""
    return _png(1.0 + (table - loudest_db) / RANGE_DB, POWER)


def difference_picture(table: Table) -> bytes:
    """Draw a difference: red is louder in the new take, blue is quieter, white is the same."""
    return _png(0.5 + table / (2.0 * DIFFERENCE_DB), SIGNED)


def legend(signed: bool) -> bytes:
    """Draw all colours from the lowest to the highest, as one line."""
    return _png(np.linspace(0.0, 1.0, LEVELS)[None, :], SIGNED if signed else POWER)


def _png(shares: Table, colours: str) -> bytes:
    """Draw shares of 0 to 1, the first row at the bottom."""
    indices = np.rint(np.clip(shares, 0.0, 1.0) * (LEVELS - 1)).astype(np.uint8)
    palette = np.asarray(mpl.colormaps[colours](np.linspace(0.0, 1.0, LEVELS), bytes=True))[:, :3]
    image = Image.fromarray(np.ascontiguousarray(indices[::-1]))
    image.putpalette(palette.astype(np.uint8).tobytes())
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
