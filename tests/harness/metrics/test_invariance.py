"""
What may change without a metric noticing, and what may not: level, polarity, sample rate.

Every metric of the panel stands in one of the two lists of levels: a new one does not pass before
somebody has decided.
"""

import functools

import numpy as np
import pytest
import soxr

from tests.harness.metrics.speech import RATE_HZ, SEGMENTS, TEXT, speech, with_noise
from voxgate.harness.audio.recording import Recording
from voxgate.harness.metrics.metric import MetricInput, MetricSpec
from voxgate.harness.metrics.registry import entries
from voxgate.harness.records.measurement import Missing, Value, lacks_package

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
NEARLY_BLIND = {
    "dnsmos_ovrl": 0.5,
    "dnsmos_sig": 0.5,
    "dnsmos_bak": 0.5,
    "dnsmos_p808": 0.5,
    "speaker_similarity": 0.02,
    "voice_similarity": 0.02,
    "speaker_drift": 0.02,
    "watermark_detected": 0.01,
    "watermark_resampled": 0.01,
    "watermark_compressed": 0.01,
    "watermark_false": 0.01,
}
"""
What moves a little with level, and by how much at most: models hear their training's loudness best.
"""

RATE_DEPENDS = {
    "mcd": "a mel-cepstrum has another order and warping at each rate, as ESPnet has it",
    **dict.fromkeys(
        ("band_7k", "mcd_dtw", "mcd_peak", "rate_error", "wow"),
        "the resampler takes the noise above 7.3 kHz away, as a low-pass does",
    ),
}
TOLERANCE = {
    "pesq": 0.02,
    "pesq_c2": 0.02,
    "cut_tail": 0.3,  # the noise goes to the last frame, where the resampler rings
    "question_rise": 0.05,  # semitones
    # a frame on the verge of voice; a fifth of the margins at most
    "f0_peak": 0.5,
    "hnr": 0.8,
    "f0_modulation": 2.0,
    "f0_drift": 0.3,
    "steady_tone": 1.2,
    "f0_rmse_hz": 0.2,  # a frame on the verge of voice may fall on either side of it
    "f0_rmse_cents": 2.0,
    # the resampler takes the noise between 7.5 and 8 kHz away, which the models hear
    "dnsmos_ovrl": 0.15,
    "dnsmos_sig": 0.15,
    "dnsmos_bak": 0.15,
    "dnsmos_p808": 0.15,
}
"""Beyond 2 % of the value, where 0.01 is not enough."""


def every(*left_out: str) -> pytest.MarkDecorator:
    lines = [each for name, each in PLAIN.items() if name not in left_out]
    return pytest.mark.parametrize("line", lines, ids=lambda line: line.name)


def value(line: MetricSpec, audio: Recording, against: Recording) -> float:
    assert line.source is not None
    found = line.source.score(
        MetricInput(
            audio=audio,
            reference=against,
            voice=against,
            statement=against,
            source=against,
            text=TEXT,
            joins_s=(0.5, 1.0),
            segments=SEGMENTS,
            voices={"slt": against, "rms": against},
            marked=audio,
            emphasis="brother",
        )
    )
    if lacks_package(found):
        pytest.skip(str(found))
    return number(found)


def number(found: Value) -> float:
    assert not isinstance(found, Missing), found
    return found


@functools.cache
def clean(rate_hz: int = RATE_HZ) -> Recording:
    return Recording(_at(speech(), rate_hz), rate_hz)


@functools.cache
def noisy(rate_hz: int = RATE_HZ, level: float = 1.0) -> Recording:
    """Speech in noise 20 dB down, off centre by a thousandth."""
    return Recording(level * _at(with_noise(speech(), 20.0) * 0.5 + 0.001, rate_hz), rate_hz)


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

    assert abs(after - before) < NEARLY_BLIND[name]


@every("snr")
def test_turned_upside_down_sounds_the_same(line: MetricSpec) -> None:
    assert value(line, noisy(level=-1.0), clean()) == pytest.approx(
        value(line, noisy(), clean()), rel=1e-3, abs=1e-6
    )


@every(*RATE_DEPENDS)
def test_a_copy_at_48_khz_has_the_value_of_the_original(line: MetricSpec) -> None:
    original, copy = (value(line, noisy(rate), clean(rate)) for rate in (RATE_HZ, 48_000))

    assert copy == pytest.approx(original, rel=0.02, abs=TOLERANCE.get(line.name, 0.01))
