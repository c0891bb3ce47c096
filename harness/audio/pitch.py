"""
The pitch track of a recording, every 5 ms, by SwiftF0 (package `swift-f0`).

A feature of several metrics, no metric itself. Nieradzik 2025, "SwiftF0: fast and accurate
monophonic pitch detection": a small convolutional network, 135 kB inside its package. Measured on
16 same-word pairs by each of flite's slt, rms and awb, one of each pair raised by 7 semitones at
its end with WORLD: the mean error of the detected rise, in semitones, and seconds of one busy core
for a second of audio. Here the network runs twice (`_every_8_ms`), at twice the cost; the table is
of once.

    tracker                 clean   noise 20 dB   telephone   cost
    SwiftF0 0.3.0            0.60          0.69        0.60   .008
    WORLD DIO + StoneMask    0.54          1.18        4.79   .007
    RAPT (SPTK)              0.58          0.64        1.81   .003
    SWIPE' (SPTK)            0.67          0.75        2.33   .016

A telephone line carries no fundamental of a low voice, which DIO needs. WORLD's Harvest and
librosa's pYIN cost .16 and .21. The network receives audio without its offset and with its loud
part at one level, so that neither plays a part.
"""

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.audio import activity
from voxgate.harness.audio.recording import Recording
from voxgate.harness.records.measurement import Missing, not_installed

if TYPE_CHECKING:
    from swift_f0 import SwiftF0

Track = NDArray[np.float64]

PACKAGE = "swift-f0"
RATE_HZ = 16_000
HALF_STEP = 128
"""Samples: half of the network's step of 16 ms."""
HOP_S = 0.005
SHORTEST_S = 0.1
LOWEST_HZ, HIGHEST_HZ = 50.0, 550.0
"""From a man's creak to a child's cry."""
LOUD_DB = -20.0
"""Speech at its usual level. The network's voicing holds from there to 20 dB below."""
VOICED = 0.5
"""Of the network's confidence, which is calibrated to it."""
NEIGHBOURS = 101
"""Voiced frames, half a second, whose median reveals an octave jump."""
JUMP_SEMITONES = 9.0
"""
Three quarters of an octave: a tracker errs by whole octaves (12), and a question rises by 7 within
half a second.
"""
SMOOTHING = 5
"""Voiced frames of the median filter, 25 ms: shorter than any syllable."""


@dataclass(frozen=True, slots=True, eq=False)
class PitchTrack:
    """
    Pitch in Hz at each time in seconds, both of shape [n], HOP_S apart from 0.0 on; 0.0 Hz is
    unvoiced.
    """

    times_s: Track
    f0_hz: Track

    @property
    def smoothed(self) -> Track:
        """The pitch without octave jumps (they become unvoiced) and median-filtered, shape [n]."""
        # not at the top: every worker reads this module, and scipy is half of the time it starts in
        from scipy.ndimage import median_filter

        voiced = np.flatnonzero(self.f0_hz)
        semitones = 12.0 * np.log2(self.f0_hz[voiced])
        usual = median_filter(semitones, NEIGHBOURS, mode="reflect")
        kept = np.abs(semitones - usual) < JUMP_SEMITONES
        smooth = np.zeros_like(self.f0_hz)
        smooth[voiced[kept]] = median_filter(self.f0_hz[voiced[kept]], SMOOTHING, mode="nearest")
        return smooth


def track(recording: Recording) -> PitchTrack | Missing:
    """
    Compute the pitch track of a recording.

    Missing for less than 0.1 s and for empty, silent and non-finite audio.
    """
    loud_db, audible = recording.once(activity.loud_level), recording.once(activity.audible)
    if isinstance(loud_db, Missing):
        return loud_db
    if isinstance(audible, Missing):
        return audible
    if recording.duration_s < SHORTEST_S:
        return Missing(f"{recording.duration_s:.3f} s is too short for a pitch")
    try:
        detector = _detector()
    except ImportError:
        return not_installed("swift-f0")
    loud = recording.at(RATE_HZ) - recording.samples.mean()
    levelled = loud * 10.0 ** ((LOUD_DB - loud_db) / 20.0)
    times_s = np.arange(0.0, recording.duration_s, HOP_S)
    f0_hz = _between(times_s, *_every_8_ms(detector, levelled.astype(np.float32)))
    frame = (times_s * recording.rate_hz).astype(np.intp) // activity.frame_length(
        recording.rate_hz
    )
    return PitchTrack(
        times_s=times_s, f0_hz=np.where(audible[np.minimum(frame, len(audible) - 1)], f0_hz, 0.0)
    )


def _every_8_ms(
    detector: "SwiftF0", samples: NDArray[np.float32]
) -> tuple[Track, Track, NDArray[np.bool_]]:
    """
    Return times in seconds, pitch in Hz and voicing, each of shape [k].

    They are the network's every 16 ms, interleaved with those from half a step later. A track
    of 16 ms alone depends on its start: the same speech 10 ms later differs by 6.2 cents (RMS),
    so by 2.1.
    """
    passes = [
        (start, detector.detect(samples[start:], RATE_HZ, LOWEST_HZ, HIGHEST_HZ))
        for start in (0, HALF_STEP)
    ]
    times_s = np.concatenate([detected.timestamps + start / RATE_HZ for start, detected in passes])
    pitch_hz, confidence = (
        np.concatenate([getattr(detected, name) for _, detected in passes])
        for name in ("pitch_hz", "confidence")
    )
    order = np.argsort(times_s)
    return times_s[order], pitch_hz[order], confidence[order] >= VOICED


def _between(times_s: Track, known_s: Track, pitch_hz: Track, voiced: NDArray[np.bool_]) -> Track:
    """
    Interpolate the pitch at each of `times_s`, linearly in semitones; voiced as its nearest
    neighbour.
    """
    if not voiced.any():
        return np.zeros_like(times_s)
    nearest = np.clip(
        np.rint(times_s / known_s[1]) if len(known_s) > 1 else 0, 0, len(known_s) - 1
    ).astype(np.intp)
    octaves = np.interp(times_s, known_s[voiced], np.log2(pitch_hz[voiced]))
    return np.where(voiced[nearest], 2.0**octaves, 0.0)


@functools.cache
def _detector() -> "SwiftF0":
    """Return the network on one core; spinning threads would take the others' time."""
    from swift_f0 import SwiftF0

    return SwiftF0(threads=1, spin=False)
