"""
The telephone line: G.711's own figures, libsndfile's codec, and what the line does to a recording.
"""

import io

import numpy as np
import pytest
import soundfile
from scipy.signal import correlate

from tests.harness.metrics.speech import RATE_HZ, speech
from voxgate.harness.audio.recording import Recording
from voxgate.harness.audio.telephone import line, mu_law_decode, mu_law_encode


def tone(hz: float, rate_hz: int = RATE_HZ, size: float = 0.25) -> np.ndarray:
    return size * np.sin(2 * np.pi * hz * np.arange(rate_hz) / rate_hz)


def rms_db(samples: np.ndarray) -> float:
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    return float(10 * np.log10(np.mean(middle**2) + 1e-20))


# G.711, table 2a: what is sent (bits as printed), and the value it stands for in 14 bits.
@pytest.mark.parametrize(
    ("code", "value"),
    [
        (0b1000_0000, 8031),
        (0b1000_1111, 4191),
        (0b1001_1111, 2079),
        (0b1010_1111, 1023),
        (0b1011_1111, 495),
        (0b1100_1111, 231),
        (0b1101_1111, 99),
        (0b1110_1111, 33),
        (0b1111_1110, 2),
        (0b1111_1111, 0),
        (0b0000_0000, -8031),
        (0b0111_1110, -2),
    ],
)
def test_codes_stand_for_what_the_standard_says(code: int, value: int):
    assert mu_law_decode(np.array([code], dtype=np.uint8)) * 8192 == value
    assert mu_law_encode(np.array([value / 8192])) == code


@pytest.mark.parametrize(
    ("decision", "below", "above"),
    [(31, 30, 33), (95, 93, 99), (223, 219, 231), (4063, 3999, 4191)],
)
def test_decision_values_are_the_standards(decision: int, below: int, above: int):
    sent = np.array([decision - 0.01, decision]) / 8192
    assert (mu_law_decode(mu_law_encode(sent)) * 8192).tolist() == [below, above]


def test_every_16_bit_frame_comes_back_as_libsndfile_has_it():
    samples = np.arange(-32768, 32768).astype(np.int16)
    file = io.BytesIO()
    soundfile.write(file, samples, 8_000, format="WAV", subtype="ULAW")
    file.seek(0)
    theirs = soundfile.read(file, dtype="float64")[0]
    np.testing.assert_array_equal(mu_law_decode(mu_law_encode(samples / 32768)), theirs)


def test_what_cannot_be_sent_is_clipped_or_silent():
    sent = mu_law_decode(mu_law_encode(np.array([1.5, -np.inf, np.nan])))
    assert sent.tolist() == [8031 / 8192, -8031 / 8192, 0.0]


@pytest.mark.parametrize("hz", [300.0, 1000.0, 3400.0])
def test_the_band_passes(hz: float):
    assert rms_db(line(Recording(tone(hz), RATE_HZ)).samples) == pytest.approx(
        rms_db(tone(hz)), abs=0.2
    )


@pytest.mark.parametrize("hz", [50.0, 150.0, 3600.0, 5000.0])
def test_the_rest_does_not(hz: float):
    assert rms_db(line(Recording(tone(hz), RATE_HZ)).samples) < rms_db(tone(hz)) - 40.0


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 24_000, 48_000])
def test_nothing_is_delayed_and_rate_and_length_stay(rate_hz: int):
    heard = Recording(speech(), RATE_HZ).at(rate_hz)
    received = line(Recording(heard, rate_hz))
    assert (received.rate_hz, received.samples.shape) == (rate_hz, heard.shape)
    lags = correlate(received.samples, heard, "full", "fft")
    assert np.argmax(lags) == len(heard) - 1


def test_companding_costs_about_38_db():
    once = line(Recording(tone(1000.0), RATE_HZ))
    difference = once.samples - tone(1000.0)
    assert 33.0 < rms_db(tone(1000.0)) - rms_db(difference) < 42.0


@pytest.mark.parametrize("count", [0, 1, 2, 7, 400])
@pytest.mark.parametrize("rate_hz", [8_000, 48_000])
def test_the_shortest_recordings_pass_at_their_length(count: int, rate_hz: int):
    received = line(Recording(np.full(count, 0.5), rate_hz))
    assert received.samples.shape == (count,)
    assert np.isfinite(received.samples).all()


@pytest.mark.parametrize("gain_db", [-40.0, -6.0, 3.0])
def test_soft_speech_is_companded_like_loud_speech(gain_db: float):
    gain = 10 ** (gain_db / 20)
    loud, soft = (line(Recording(size * speech(), RATE_HZ)).samples for size in (1.0, gain))
    assert soft == pytest.approx(gain * loud, abs=1e-6)


def test_silence_stays_silent():
    assert not line(Recording(np.zeros(RATE_HZ), RATE_HZ)).samples.any()
