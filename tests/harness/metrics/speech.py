"""
The one recording that the metric tests share: flite's slt, 2.6 s at 16 kHz (see
tests/data/README.md).
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.audio.files import read_audio
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.metric import MetricInput, MetricSpec, SpokenSegment

PATH = Path(__file__).parents[2] / "data" / "slt.flac"
TEXT = "She told me that her brother works in a hospital."
RESPELLED = "Chi told mi zat her brother yorks in a jospital."
"""The same as if it were Spanish, with each place by which its accents differ."""
RATE_HZ = 16_000
SEGMENTS = tuple(
    SpokenSegment(speaker=speaker, text=text, start_s=start_s, end_s=start_s + 1.2)
    for speaker, text, start_s in (
        ("slt", "She told me that", 0.0),
        ("rms", "her brother works", 0.7),
        ("slt", "in a hospital.", 1.4),
    )
)
"""The recording as a reel. The captions overlap, so that each is long enough to tell a voice."""


def speech() -> NDArray[np.float64]:
    frames, rate_hz = read_audio(PATH)
    assert rate_hz == RATE_HZ
    return frames.astype(np.float64)


def spoken_for(line: MetricSpec) -> tuple[str, str]:
    """Return the text of the recording as a metric reads it, and its language."""
    spanish = line.family == "accent" or line.base == "emphasis_length"
    return (RESPELLED, "es") if spanish else (TEXT, "en")


def held_against(
    reference: NDArray[np.floating], heard: NDArray[np.floating], rate_hz: int = RATE_HZ
) -> MetricInput:
    return MetricInput(audio=Recording(heard, rate_hz), reference=Recording(reference, rate_hz))


def with_noise(frames: NDArray[np.float64], snr_db: float, seed: int = 0) -> NDArray[np.float64]:
    noise = np.random.default_rng(seed).standard_normal(len(frames))
    noise *= np.sqrt(np.mean(frames**2) / np.mean(noise**2)) * 10 ** (-snr_db / 20)
    return frames + noise


def late(frames: NDArray[np.float64], by: int) -> NDArray[np.float64]:
    """As long as before: silence at one end, and the other end cut. Negative is early."""
    return np.pad(frames, (max(by, 0), max(-by, 0)))[max(-by, 0) :][: len(frames)]
