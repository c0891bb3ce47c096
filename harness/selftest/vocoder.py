"""
Speech taken apart by WORLD (Morise et al. 2016) into pitch, spectrum and breath, and put together
again: throughout, or in one stretch, so that the rest stays sample for sample.

Needs pyworld; where it is absent, HarnessError.
"""

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.audio.files import Audio
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.measurement import how_to_install
from voxgate.harness.selftest.fault_effects import FADE_S, Change, SpokenUtterance, clipped

FRAME_MS = 5.0
"""WORLD's own default."""
KEPT = 16
"""Analyses that are kept: as many utterances as most workloads of a selftest have."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """
    What WORLD makes of speech: `f0_hz` (n,), 0 where there is no voice; `spectrum` and `breath` (n,
    bins).
    """

    f0_hz: Floats
    spectrum: Floats
    breath: Floats


Bend = Callable[[Parts], Parts]
"""Changes the parts of speech; as many frames come out as went in."""


def throughout(bend: Bend) -> Change:
    """Resynthesise everything, changed."""
    return lambda speech: put_together(bend(taken_apart(speech)), speech.rate_hz)


def within(duration_s: float, bend: Bend) -> Change:
    """Change the loudest voiced stretch of that length; None where less than half of it is one."""

    def change(speech: SpokenUtterance) -> Audio | None:
        parts = taken_apart(speech)
        width = round(duration_s * 1000.0 / FRAME_MS)
        voiced = parts.f0_hz > 0
        if len(voiced) <= width:
            return None
        window = np.ones(width)
        first = int(np.argmax(np.convolve(energy(parts) * voiced, window, "valid")))
        if voiced[first : first + width].mean() < 0.5:
            return None
        return spliced(speech, parts, bend, (first, first + width))

    return change


def spliced(speech: SpokenUtterance, parts: Parts, bend: Bend, frames: tuple[int, int]) -> Audio:
    """Fade from the speech to the resynthesis for these frames of WORLD's, and back."""
    made, length = put_together(bend(parts), speech.rate_hz), len(speech.audio)
    at_s = np.arange(length) / speech.rate_hz
    first_s, last_s = (frame * FRAME_MS / 1000.0 for frame in frames)
    weight = np.clip(np.minimum(at_s - first_s, last_s - at_s) / FADE_S, 0.0, 1.0)
    if frames[1] >= len(parts.f0_hz):
        weight = np.clip((at_s - first_s) / FADE_S, 0.0, 1.0)
    made = np.pad(made, (0, max(0, length - len(made))))[:length]
    return clipped(speech.audio * (1.0 - weight) + made * weight)


def energy(parts: Parts) -> Floats:
    """Return the power of each frame."""
    return np.asarray(parts.spectrum.sum(axis=1))


def from_bins(spectrum: Floats, source: Floats) -> Floats:
    """Read every bin of each frame from another place, between two bins where it lies there."""
    below = source.astype(int)
    share, above = source - below, np.minimum(below + 1, spectrum.shape[1] - 1)
    return np.asarray(spectrum[:, below] * (1.0 - share) + spectrum[:, above] * share)


def taken_apart(speech: SpokenUtterance) -> Parts:
    """Analyse speech. Raises HarnessError without pyworld."""
    return _analysed(speech.audio.astype(np.float64).tobytes(), speech.rate_hz)


@functools.lru_cache(maxsize=KEPT)
def _analysed(audio: bytes, rate_hz: int) -> Parts:
    """Analyse once what many faults are planted into; nobody changes the arrays in place."""
    world, frames = _world(), np.frombuffer(audio, dtype=np.float64).copy()
    f0_hz, at_s = world.dio(frames, rate_hz, frame_period=FRAME_MS)
    f0_hz = world.stonemask(frames, f0_hz, at_s, rate_hz)
    spectrum = world.cheaptrick(frames, f0_hz, at_s, rate_hz)
    return Parts(f0_hz=f0_hz, spectrum=spectrum, breath=world.d4c(frames, f0_hz, at_s, rate_hz))


def put_together(parts: Parts, rate_hz: int, speed: float = 1.0) -> Audio:
    """Synthesise, `speed` times as fast."""
    spectrum, breath = (np.ascontiguousarray(part) for part in (parts.spectrum, parts.breath))
    made = _world().synthesize(parts.f0_hz, spectrum, breath, rate_hz, FRAME_MS / speed)
    return np.asarray(np.clip(made, -1.0, 1.0), dtype=np.float32)


def _world() -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pkg_resources, that it is old
            import pyworld
    except ImportError as error:  # or pkg_resources, which it imports; that extra brings both
        raise HarnessError(
            f"pyworld is needed to resynthesise speech ({error}); {how_to_install('pyworld')}"
        ) from error
    module: ModuleType = pyworld
    return module
