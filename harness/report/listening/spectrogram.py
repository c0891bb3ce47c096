"""
Mel spectrograms in dB, their difference, and both as PNG files.

Mel bands instead of single frequencies, so that visible differences are audible ones. The colours
can be told apart without telling red from green. They are drawn for white paper; in dark mode the
page inverts lightness.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import matplotlib as mpl
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

from voxgate.harness.records.measurement import Missing
from voxgate.harness.runner.recordings import KeptAudio

Table = NDArray[np.float64]
HOP_S = 0.010
WINDOW_S = 0.032
BANDS = 80
LOWEST_HZ, HIGHEST_HZ = 50.0, 12_000.0
RANGE_DB = 70.0
"""What lies further below the loudest spot of an utterance is not shown, and is no difference."""
DURATION_TOLERANCE = 0.02
"""
As for PESQ and STOI: what differs more was spoken at another pace, and there is no frame to set
against a frame.
"""
MOST_SHIFT = 10
"""Columns, 0.1 s: by how much one take may begin later than the other."""
TICKS_HZ = (250, 500, 1000, 2000, 4000, 8000)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectrogramDifference:
    """
    New minus old in dB, with the shape of the new one; 0 where the old one has no frame. Includes
    its summary.
    """

    table: Table
    mean_db: float
    """Mean of the absolute difference where either take is within RANGE_DB of the loudest spot."""
    most_s: float
    """The middle of the 0.1 s that differ most, in seconds of the new take."""
    shift_s: float
    """By how much the new take begins later."""


def top_hz(sounds: list[KeptAudio]) -> float:
    """Return the highest frequency to show for these sounds."""
    return min(max(sound.rate_hz for sound in sounds) / 2.0, HIGHEST_HZ)


def spectrogram(sound: KeptAudio, highest_hz: float, gain_db: float) -> Table:
    """
    Power of the bands (low ones first) every HOP_S, shape [BANDS, columns], in dB; a full-scale
    sine has about 0.
    """
    width, hop = int(WINDOW_S * sound.rate_hz), int(HOP_S * sound.rate_hz)
    # finer than the window resolves, so that no low band is empty
    size = 2 * 2 ** int(np.ceil(np.log2(width)))
    window = np.hanning(width + 1)[:width]
    padded = np.pad(np.asarray(sound.frames, dtype=np.float64), (width // 2, width))
    frames = sliding_window_view(padded, width)[: len(sound.frames) : hop]
    power = np.abs(np.fft.rfft(frames * window, size) / (window.sum() / 2.0)) ** 2
    bands = power @ _bands(sound.rate_hz, size, highest_hz).T
    return np.asarray(10.0 * np.log10(np.maximum(bands.T, 1e-20)) + gain_db, dtype=np.float64)


def ticks(highest_hz: float) -> tuple[tuple[str, float], ...]:
    """
    Frequencies to name at the edge of a picture, and where each stands: 0 at the bottom, 1 at the
    top.
    """
    low, high = _mel(LOWEST_HZ), _mel(highest_hz)
    ticks_hz = [hz for hz in TICKS_HZ if hz < highest_hz]
    return tuple(
        (f"{hz / 1000:g} kHz" if hz >= 1000 else f"{hz} Hz", (_mel(hz) - low) / (high - low))
        for hz in ticks_hz
    )


def difference(old: Table, new: Table, loudest_db: float) -> SpectrogramDifference | Missing:
    """
    Return new minus old in dB, both cut off RANGE_DB below the loudest; Missing where the durations
    differ too much.
    """
    longer = max(old.shape[1], new.shape[1])
    if abs(old.shape[1] - new.shape[1]) > DURATION_TOLERANCE * longer:
        seconds = [table.shape[1] * HOP_S for table in (new, old)]
        return Missing(
            f"durations differ, {seconds[0]:.2f} s against {seconds[1]:.2f} s: no moment has its "
            "counterpart"
        )
    floor = loudest_db - RANGE_DB
    before, now = np.maximum(old, floor), np.maximum(new, floor)
    shift = min(
        range(-MOST_SHIFT, MOST_SHIFT + 1),
        key=lambda each: (round(_distance(before, now, each), 6), abs(each)),
    )
    return _described(_shifted(before, now, shift), now, floor, shift)


def _described(table: Table, now: Table, floor: float, shift: int) -> SpectrogramDifference:
    heard = (now > floor) | (now - table > floor)
    size = np.abs(table)
    blur = np.convolve(size.mean(axis=0), np.ones(MOST_SHIFT), "same")
    mean_db = float(size[heard].mean()) if heard.any() else 0.0
    return SpectrogramDifference(
        table=table, mean_db=mean_db, most_s=float(np.argmax(blur)) * HOP_S, shift_s=shift * HOP_S
    )


def _shifted(before: Table, now: Table, shift: int) -> Table:
    """Now minus before, where `now` begins `shift` columns later."""
    table = np.zeros_like(now)
    first, last = max(shift, 0), min(now.shape[1], before.shape[1] + shift)
    table[:, first:last] = now[:, first:last] - before[:, first - shift : last - shift]
    return table


def _distance(before: Table, now: Table, shift: int) -> float:
    first, last = max(shift, 0), min(now.shape[1], before.shape[1] + shift)
    if last - first <= 0:
        return float("inf")
    return float(np.abs(now[:, first:last] - before[:, first - shift : last - shift]).mean())


@cache
def _bands(rate_hz: int, size: int, highest_hz: float) -> Table:
    """
    Triangles at equal steps of mel, each of sum 1, shape [BANDS, size // 2 + 1]; zero above half
    the rate.
    """
    corners = 700.0 * (
        10.0 ** (np.linspace(_mel(LOWEST_HZ), _mel(highest_hz), BANDS + 2) / 2595.0) - 1.0
    )
    low, mid, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    hz = np.arange(size // 2 + 1) * rate_hz / size
    weights = np.maximum(0.0, np.minimum((hz - low) / (mid - low), (high - hz) / (high - mid)))
    return np.asarray(
        weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12), dtype=np.float64
    )


def _mel(hz: float) -> float:
    return float(2595.0 * np.log10(1.0 + hz / 700.0))


LEVELS = 33
"""
Odd, so that 0 dB has a colour of its own in the middle; 2.2 dB of power each, 1.3 dB of difference.
"""
MOST_COLUMNS = 800
"""Of a picture: a longer one is drawn with broader columns, as a screen would show it anyway."""
POWER, SIGNED = "bone_r", "RdBu_r"
DIFFERENCE_DB = 20.0
"""A difference of this or more has the darkest colour."""


def power_picture(table: Table, loudest_db: float) -> bytes:
    """Draw a spectrogram: white is RANGE_DB below the loudest spot of the utterance, or lower."""
    return _png(1.0 + (_narrowed(table, np.fmax) - loudest_db) / RANGE_DB, POWER)


def difference_picture(table: Table) -> bytes:
    """Draw a difference: red is louder in the new take, blue is quieter, white is the same."""
    return _png(0.5 + _narrowed(table, _farthest) / (2.0 * DIFFERENCE_DB), SIGNED)


def _narrowed(table: Table, join: Callable[[Table, Table], Table]) -> Table:
    """Join neighbouring columns until there are at most MOST_COLUMNS: nothing short is lost."""
    while table.shape[1] > MOST_COLUMNS:
        even = table if table.shape[1] % 2 == 0 else np.pad(table, ((0, 0), (0, 1)), "edge")
        table = join(even[:, ::2], even[:, 1::2])
    return table


def _farthest(one: Table, other: Table) -> Table:
    """Return of each two differences the larger, with its sign."""
    return np.where(np.abs(one) >= np.abs(other), one, other)


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
