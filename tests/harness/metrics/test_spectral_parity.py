"""
Mel-cepstral distortion and log-mel distance: known answers, what each is blind to, and the edges.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soxr

from tests.harness.metrics.speech import RATE_HZ, held_against, late, speech, with_noise
from voxgate.harness.audio.mel_cepstrum import mel_cepstra, warp
from voxgate.harness.audio.recording import Recording, read_recording
from voxgate.harness.metrics import spectral_parity
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.spectral_parity import distortion_db, mcd, mel_distance
from voxgate.harness.records.measurement import Missing, Value

VOICES = Path(spectral_parity.__file__).parents[1] / "workloads" / "voices"
each_metric = pytest.mark.parametrize("score", [mcd, mel_distance])
Score = Callable[[MetricInput], Value]


def number(value: Value) -> float:
    assert isinstance(value, float), value
    return value


@each_metric
def test_the_same_sound_is_no_distance_apart(score: Score):
    assert score(held_against(speech(), speech())) == 0.0
    assert number(score(held_against(speech(), late(speech(), 320)))) == pytest.approx(
        0.0, abs=1e-9
    )


def test_half_the_level_is_nothing_to_mcd_and_6_db_to_the_mel_distance():
    noise = with_noise(np.ones(RATE_HZ), 0.0) - 1.0
    assert number(mcd(held_against(speech(), speech() / 2))) == pytest.approx(0.0, abs=1e-4)
    assert number(mel_distance(held_against(noise, noise / 2))) == pytest.approx(6.0206, abs=1e-4)


def test_mcd_counts_speech_and_not_the_noise_in_silence():
    """Half a second of silence on either side: dither of 16 bits, or noise 60 dB down, is all."""
    silence = np.zeros(RATE_HZ // 2)
    padded = np.concatenate([silence, speech(), silence])
    for snr_db in (60.0, 50.0):
        noise = with_noise(padded, snr_db)
        alone = number(mcd(held_against(speech(), noise[len(silence) : -len(silence)])))
        assert number(mcd(held_against(padded, noise))) < alone + 0.05
    dither = np.random.default_rng(0).uniform(-1.0, 1.0, len(padded)) / 2**15
    assert number(mcd(held_against(padded, padded + dither))) < 0.1


def test_mcd_sees_a_hole_and_sound_in_a_silence():
    """A frame counts if either side has sound."""
    silence = np.zeros(RATE_HZ // 2)
    padded = np.concatenate([speech(), silence, speech()])
    filled = padded.copy()
    middle = len(speech()) + 2_000
    filled[middle : middle + 4_000] = speech()[8_000:12_000]
    for one, other in ((padded, filled), (filled, padded)):
        assert number(mcd(held_against(one, other))) > 0.3


def test_what_is_80_db_below_the_loudest_does_not_count():
    """
    Of speech some is, so that half the level is less than 6 dB; hiss at -100 dB is next to nothing,
    and at -60 dB is not.
    """
    assert 4.0 < number(mel_distance(held_against(speech(), speech() / 2))) < 6.0
    assert number(mel_distance(held_against(speech(), with_noise(speech(), 80.0)))) < 0.1
    assert number(mel_distance(held_against(speech(), with_noise(speech(), 40.0)))) > 1.0


@pytest.mark.parametrize(("one", "other"), [("slt", "rms"), ("slt", "awb"), ("rms", "awb")])
def test_other_voices_of_the_same_words_are_8_to_9_db_apart(one: str, other: str):
    """Too different in duration to be a pair, hence by the parts."""
    first, second = (mel_cepstra(read_recording(VOICES / f"{name}.flac")) for name in (one, other))
    assert isinstance(first, np.ndarray)
    assert isinstance(second, np.ndarray)
    assert 7.9 < distortion_db(first, second, 100) < 9.2


def test_with_the_level_mcd_would_be_4_26_db():
    """The known answer that shows that c[0] is left out: (10 / ln 10) sqrt(2) ln 2."""
    assert spectral_parity.DB_PER_NEPER * np.log(2.0) == pytest.approx(4.257, abs=1e-3)


def test_the_mean_over_the_path_is_worked_out_as_written():
    random = np.random.default_rng(0)
    first, second = random.standard_normal((30, 5)), random.standard_normal((30, 5))
    pairs = zip(*warp(first, second, 4), strict=True)
    each = [10 / np.log(10) * np.sqrt(2 * np.sum((first[i] - second[j]) ** 2)) for i, j in pairs]
    assert distortion_db(first, second, 4) == pytest.approx(np.mean(each))


@each_metric
def test_more_noise_is_farther(score: Score):
    scores = [
        number(score(held_against(speech(), with_noise(speech(), db))))
        for db in (40.0, 30.0, 20.0, 10.0)
    ]
    assert scores == sorted(scores)
    assert scores[0] > 0.0


@each_metric
def test_polarity_is_no_distance(score: Score):
    assert number(score(held_against(speech(), -speech()))) == pytest.approx(0.0, abs=1e-6)


def test_a_pause_that_moved_by_a_tenth_of_a_second_is_followed():
    middle, gap = len(speech()) // 2, np.zeros(1_600)
    first, second = (
        mel_cepstra(Recording(np.concatenate([speech()[:at], gap, speech()[at:]]), RATE_HZ))
        for at in (middle, middle + 1_600)
    )
    assert isinstance(first, np.ndarray)
    assert isinstance(second, np.ndarray)
    assert distortion_db(first, second, 16) < 0.7 * distortion_db(first, second, 0)


def test_a_copy_at_a_higher_rate_is_as_far_as_the_original():
    both = speech(), with_noise(speech(), 20.0)
    copies = (soxr.resample(each, RATE_HZ, 48_000) for each in both)
    assert number(mel_distance(held_against(*copies, 48_000))) == pytest.approx(
        number(mel_distance(held_against(*both))), rel=0.02
    )


@each_metric
@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 24_000, 44_100, 48_000])
def test_every_rate_is_judged(score: Score, rate_hz: int):
    clean = soxr.resample(speech(), RATE_HZ, rate_hz)
    assert score(held_against(clean, clean, rate_hz)) == 0.0
    assert 0.5 < number(score(held_against(clean, with_noise(clean, 20.0), rate_hz))) < 20.0


@each_metric
@pytest.mark.parametrize("frames", [1, 2, 100, 800, 1024, 1300])
def test_a_few_frames_give_a_number_or_a_reason(score: Score, frames: int):
    part = speech()[8000 : 8000 + frames]
    assert isinstance(score(held_against(part, with_noise(part, 20.0))), float | Missing)


@each_metric
@pytest.mark.parametrize(
    "spoil", [np.zeros_like, lambda x: x[:0], lambda x: x * np.nan, lambda x: x[: len(x) // 2]]
)
def test_what_cannot_be_compared_is_missing(
    score: Score, spoil: Callable[[np.ndarray], np.ndarray]
):
    assert isinstance(score(held_against(speech(), spoil(speech()))), Missing)


@each_metric
def test_forty_seconds_are_worked_out_in_pieces(score: Score):
    long = np.tile(speech(), 16)[: 40 * RATE_HZ]
    apart = number(score(held_against(long, with_noise(long, 20.0))))
    assert apart == pytest.approx(
        number(score(held_against(speech(), with_noise(speech(), 20.0)))), rel=0.1
    )
