"""
What may change without a metric noticing, and what may not: level, polarity, sample rate.

A fifth of the margin that blocks is the most that a metric may move where nothing is to be heard.
Every metric of the panel stands in one of the two lists of levels: a new one does not pass before
somebody has decided.
"""

import functools

import numpy as np
import pytest
import soxr
from scipy.signal import fftconvolve, firwin

from tests.harness.metrics.speech import RATE_HZ, SEGMENTS, speech, spoken_for, with_noise
from voxgate.harness.audio.recording import Recording
from voxgate.harness.judging.policy import DEFAULT, read_policy, shown_metrics
from voxgate.harness.metrics.metric import MetricInput, MetricSpec
from voxgate.harness.metrics.registry import entries
from voxgate.harness.records.measurement import Missing, Value, is_hidden, lacks_package

PLAIN = {
    name: each
    for name, each in entries().items()
    if each.source is not None and not each.golden and each.condition is None
}

HALF_LEVEL = {"snr", "peak", "loudness", "dc_offset", "mel_distance"}
"""
What sees that the audio is half as loud. All others do not: level is a matter of taste, and is seen
by these.
"""
NEARLY_BLIND = (
    "watermark_detected",
    "watermark_resampled",
    "watermark_compressed",
    "watermark_false",
)
"""
What moves a little with level, by less than a fifth of its margin: a mark is part of the sound as
delivered, and its detector hears that. Other networks hear all speech at one level.
"""
POLICY = read_policy(DEFAULT, shown_metrics())
SHARE = 0.2
"""Of the margin."""

RATE_DEPENDS = {
    "mcd": "a mel-cepstrum has another order and warping at each rate, as ESPnet has it",
}
TOLERANCE = {
    "emphasis_level": 0.1,  # a frame of the word's edge may belong to either side
    "f0_rmse_hz": 0.2,  # a frame on the verge of voice may fall on either side of it
    "f0_rmse_cents": 2.0,
}
"""Of metrics that do not block, beyond 2 % of the value, where 0.01 is not enough."""


def every(*left_out: str) -> pytest.MarkDecorator:
    lines = [each for name, each in PLAIN.items() if name not in left_out]
    return pytest.mark.parametrize("line", lines, ids=lambda line: line.name)


def value(line: MetricSpec, audio: Recording, against: Recording) -> float:
    assert line.source is not None
    text, language = spoken_for(line)
    found = line.source.score(
        MetricInput(
            audio=audio,
            reference=against,
            voice=against,
            statement=against,
            source=against,
            text=text,
            language=language,
            region="mexico",
            joins_s=(0.5, 1.0),
            segments=SEGMENTS,
            voices={"slt": against, "rms": against},
            marked=audio,
            emphasis="brother",
        )
    )
    if lacks_package(found):
        pytest.skip(str(found))
    return HIDDEN if is_hidden(found) else number(found)


HIDDEN = -1.0
"""Stands for a fault that noise hides: it must do so on both sides."""


def tolerance(name: str, value: float) -> float:
    """How far a metric may move where nothing is to be heard, in its own unit."""
    limit = POLICY.get(name)
    if limit is None or not limit.blocking:
        return max(0.02 * abs(value), TOLERANCE.get(name, 0.01))
    return SHARE * max((limit.relative or 0.0) * abs(value), limit.absolute or 0.0)


def number(found: Value) -> float:
    assert not isinstance(found, Missing), found
    return found


@functools.cache
def clean(rate_hz: int = RATE_HZ) -> Recording:
    return Recording(_at(speech(), rate_hz), rate_hz)


@functools.cache
def noisy(rate_hz: int = RATE_HZ, level: float = 1.0) -> Recording:
    """
    Speech in noise 20 dB down, off centre by a thousandth. Nothing is above 7.2 kHz, since a
    resampler takes what is near half the rate.
    """
    noise = fftconvolve(with_noise(speech(), 20.0), firwin(255, 7_200.0, fs=RATE_HZ), mode="same")
    return Recording(level * _at(noise * 0.5 + 0.001, rate_hz), rate_hz)


def _at(frames: np.ndarray, rate_hz: int) -> np.ndarray:
    return frames if rate_hz == RATE_HZ else np.asarray(soxr.resample(frames, RATE_HZ, rate_hz))


@every(*HALF_LEVEL, *NEARLY_BLIND)
def test_half_the_level_is_not_seen(line: MetricSpec) -> None:
    assert value(line, noisy(level=0.5), clean()) == pytest.approx(
        value(line, noisy(), clean()), rel=1e-3, abs=1e-6
    )


@pytest.mark.parametrize("name", sorted(HALF_LEVEL))
def test_half_the_level_is_seen_by_what_is_there_to_see_it(name: str) -> None:
    before, after = (value(PLAIN[name], noisy(level=level), clean()) for level in (1.0, 0.5))

    assert after != pytest.approx(before, rel=0.02)


@pytest.mark.parametrize("name", sorted(NEARLY_BLIND))
def test_a_model_moves_little_with_level(name: str) -> None:
    before, after = (value(PLAIN[name], noisy(level=level), clean()) for level in (1.0, 0.5))

    assert abs(after - before) < tolerance(name, before)


# Distill-MOS reads the complex spectrum, and moves by up to 0.3 (models/distillmos.py)
@every("snr", "distillmos")
def test_turned_upside_down_sounds_the_same(line: MetricSpec) -> None:
    assert value(line, noisy(level=-1.0), clean()) == pytest.approx(
        value(line, noisy(), clean()), rel=1e-3, abs=1e-6
    )


@every(*RATE_DEPENDS)
def test_a_copy_at_48_khz_has_the_value_of_the_original(line: MetricSpec) -> None:
    original, copy = (value(line, noisy(rate), clean(rate)) for rate in (RATE_HZ, 48_000))

    assert copy == pytest.approx(original, rel=0.0, abs=tolerance(line.name, original))
