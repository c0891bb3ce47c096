"""
Speech analysed and resynthesised: another pitch at the end, another pace, another vocal tract.

An engine is simply asked for these; a recording is resynthesised by WORLD (Morise et al. 2016),
whose pitch, spectrum and aperiodicity can be changed one by one. Needs pyworld; where it is absent
these changes raise HarnessError.
"""

import warnings
from dataclasses import dataclass, replace
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.audio.files import Audio
from voxgate.harness.errors import HarnessError
from voxgate.harness.records.measurement import how_to_install
from voxgate.harness.selftest.fault_effects import Change, SpokenUtterance

END_S = 0.35
"""
How long before the last voice a question begins to rise; so the embedded voice's own questions were
made, too.
"""
FRAME_MS = 5.0
"""WORLD's own default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """
    What WORLD makes of speech: `f0_hz` (n,), 0 where there is no voice; `spectrum` and `breath` (n,
    bins).
    """

    f0_hz: NDArray[np.float64]
    spectrum: NDArray[np.float64]
    breath: NDArray[np.float64]


def fall(semitones: float) -> Change:
    """
    Lower the end of a question by so many semitones, as in a statement; None for a text that is no
    question.
    """
    return lambda speech: bent(speech, -semitones) if speech.text.rstrip().endswith("?") else None


def bent(speech: SpokenUtterance, semitones: float) -> Audio:
    """
    Bend the pitch of the last END_S of the voice by so many semitones, reached at its very end.
    """

    def bend(parts: Parts) -> Parts:
        voiced = np.flatnonzero(parts.f0_hz)
        if not voiced.size:
            return parts
        frames = END_S * 1000.0 / FRAME_MS
        ramp = np.clip((np.arange(len(parts.f0_hz)) - (voiced[-1] - frames)) / frames, 0.0, 1.0)
        return replace(parts, f0_hz=parts.f0_hz * 2.0 ** (semitones * ramp / 12.0))

    return _put_together(bend(_taken_apart(speech)), speech.rate_hz)


def paced(speed: float) -> Change:
    """Speak `speed` times as fast, at the same pitch."""
    return lambda speech: _put_together(_taken_apart(speech), speech.rate_hz, speed)


def other_mouth(pitch: float, formants: float) -> Change:
    """Scale pitch and resonances by a factor, as if another person spoke; everything else stays."""

    def change(speech: SpokenUtterance) -> Audio:
        parts = _taken_apart(speech)
        bins = np.arange(parts.spectrum.shape[1])
        source = np.minimum(bins / formants, bins[-1])
        below, share = source.astype(int), source % 1.0
        above = np.minimum(below + 1, bins[-1])
        spectrum = parts.spectrum[:, below] * (1.0 - share) + parts.spectrum[:, above] * share
        return _put_together(
            replace(parts, f0_hz=parts.f0_hz * pitch, spectrum=spectrum), speech.rate_hz
        )

    return change


def _taken_apart(speech: SpokenUtterance) -> Parts:
    world, audio = _world(), speech.audio.astype(np.float64)
    f0_hz, at_s = world.dio(audio, speech.rate_hz, frame_period=FRAME_MS)
    f0_hz = world.stonemask(audio, f0_hz, at_s, speech.rate_hz)
    spectrum = world.cheaptrick(audio, f0_hz, at_s, speech.rate_hz)
    return Parts(
        f0_hz=f0_hz, spectrum=spectrum, breath=world.d4c(audio, f0_hz, at_s, speech.rate_hz)
    )


def _put_together(parts: Parts, rate_hz: int, speed: float = 1.0) -> Audio:
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
