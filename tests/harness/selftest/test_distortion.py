"""
Distortion is what its name says, of the size that it says. That it is the same every time is tested
with the damage.
"""

import numpy as np
import pytest
from scipy import signal

from tests.harness.metrics.speech import RATE_HZ, speech
from voxgate.harness.selftest import channel_faults, fault_effects
from voxgate.harness.selftest.fault_effects import SpokenUtterance


@pytest.fixture(scope="module", name="spoken")
def _spoken() -> SpokenUtterance:
    """Real speech that is not rounded to 16 bits."""
    return SpokenUtterance(audio=(0.9 * speech()).astype(np.float32), rate_hz=RATE_HZ)


def snr_db(clean: np.ndarray, heard: np.ndarray) -> float:
    return float(
        10 * np.log10(np.sum(clean.astype(float) ** 2) / np.sum((heard.astype(float) - clean) ** 2))
    )


@pytest.mark.parametrize("ratio_db", [20, 30, 40])
def test_noise_is_as_far_below_the_speech_as_it_says(ratio_db, spoken) -> None:
    assert snr_db(spoken.audio, fault_effects.noise(ratio_db)(spoken)) == pytest.approx(
        ratio_db, abs=0.2
    )


def test_level_polarity_and_offset(spoken) -> None:
    assert fault_effects.louder(-6.0206)(spoken) == pytest.approx(spoken.audio / 2, abs=1e-6)
    assert np.array_equal(fault_effects.inverted(spoken), -spoken.audio)
    assert fault_effects.offset(0.05)(spoken) == pytest.approx(
        np.clip(spoken.audio + 0.05, -1, 1), abs=1e-6
    )


def test_what_is_overdriven_is_cut_off_at_full_scale(spoken) -> None:
    driven = fault_effects.overdriven(6.0)(spoken)
    assert np.abs(driven).max() == 1.0
    assert np.mean(np.abs(driven) == 1.0) > 0.001


def test_one_frame_is_no_number(spoken) -> None:
    assert np.isnan(fault_effects.not_a_number(spoken)).sum() == 1


def test_rounding_and_a_good_resampler_are_not_heard_and_a_poor_one_is(spoken) -> None:
    assert snr_db(spoken.audio, fault_effects.rounded(16)(spoken)) > 70
    assert snr_db(spoken.audio, fault_effects.round_trip(24_000)(spoken)) > 60
    assert 20 < snr_db(spoken.audio, fault_effects.poor_round_trip(24_000)(spoken)) < 45


def tone(hz: float = 440.0, seconds: float = 3.0) -> SpokenUtterance:
    at_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    audio = 0.3 * np.sin(2 * np.pi * hz * at_s)
    return SpokenUtterance(audio=audio.astype(np.float32), rate_hz=RATE_HZ)


def pitch_of(audio: np.ndarray) -> np.ndarray:
    """The frequency of a tone from frame to frame, without its ends."""
    turned = np.unwrap(np.angle(signal.hilbert(audio.astype(float))))
    return np.diff(turned)[2_000:-2_000] * RATE_HZ / (2 * np.pi)


def power_above(audio: np.ndarray, hz: float) -> float:
    power = np.abs(np.fft.rfft(audio.astype(float))) ** 2
    return float(power[np.fft.rfftfreq(len(audio), 1 / RATE_HZ) > hz].sum())


@pytest.mark.parametrize("cutoff_hz", [4000, 7000])
def test_a_narrow_band_holds_nothing_above_it_and_all_below(cutoff_hz, spoken) -> None:
    noisy = SpokenUtterance(audio=channel_faults.noise_instead(spoken), rate_hz=RATE_HZ)
    heard = channel_faults.low_pass(cutoff_hz)(noisy)
    assert power_above(heard, 1.1 * cutoff_hz) < 1e-4 * power_above(noisy.audio, 1.1 * cutoff_hz)
    assert power_above(heard, 0) > 0.9 * (
        power_above(noisy.audio, 0) - power_above(noisy.audio, cutoff_hz)
    )
    narrow = SpokenUtterance(audio=spoken.audio, rate_hz=8_000)
    assert channel_faults.low_pass(4_000)(narrow) is None


def test_a_tone_is_as_far_below_the_speech_as_it_says(spoken) -> None:
    assert snr_db(spoken.audio, channel_faults.whine(45)(spoken)) == pytest.approx(45, abs=0.1)
    assert snr_db(spoken.audio, channel_faults.hum(30)(spoken)) == pytest.approx(30, abs=0.1)


def test_a_worn_record_wavers_and_a_wrong_rate_shifts() -> None:
    wavering = pitch_of(channel_faults.wow(0.03)(tone()))
    assert wavering.max() == pytest.approx(1.03 * 440, rel=0.005)
    assert wavering.min() == pytest.approx(0.97 * 440, rel=0.005)
    fast = channel_faults.played_at(1.01)(tone())
    assert len(fast) == pytest.approx(3 * RATE_HZ / 1.01, abs=2)
    assert np.median(pitch_of(fast)) == pytest.approx(1.01 * 440, rel=1e-4)


def test_a_lost_packet_is_the_one_before_it_again(spoken) -> None:
    heard = channel_faults.lost_packets(0.05)(spoken)
    packets = heard[: len(heard) // 320 * 320].reshape(-1, 320)
    lost = np.flatnonzero((packets != spoken.audio[: packets.size].reshape(-1, 320)).any(axis=1))
    assert 1 <= len(lost) <= 0.12 * len(packets)
    assert all(np.array_equal(packets[at, 40:], packets[at - 1, 40:]) for at in lost)
    assert not np.array_equal(channel_faults.lost_packets(0.0)(spoken), spoken.audio), (
        "one at least"
    )


def test_eight_bits_of_mu_law_are_as_good_for_soft_speech(spoken) -> None:
    soft = SpokenUtterance(audio=spoken.audio / 8, rate_hz=RATE_HZ)
    for each in (spoken, soft):
        assert 30 < snr_db(each.audio, channel_faults.mu_law(each)) < 42


def test_a_room_and_a_fade_and_noise_for_speech(spoken) -> None:
    level = np.sqrt(np.mean(spoken.audio**2))
    assert np.std(channel_faults.noise_instead(spoken)) == pytest.approx(level, rel=0.02)
    impulse = np.zeros(RATE_HZ, dtype=np.float32)
    impulse[0] = 0.5
    room = channel_faults.reverberant(0.5)(SpokenUtterance(audio=impulse, rate_hz=RATE_HZ))
    early, late = (np.sum(room[first : first + 800] ** 2) for first in (1, 4_001))
    assert 10 * np.log10(early / late) == pytest.approx(30, abs=3), "60 dB in 0.5 s"
    faded = channel_faults.fading(12.0)(tone())
    assert np.abs(faded[-160:]).max() == pytest.approx(0.3 / 4, rel=0.05)
    assert np.abs(faded[:160]).max() == pytest.approx(0.3, rel=0.05)


def test_what_nobody_hears_changes_no_level_and_no_place(spoken) -> None:
    turned = channel_faults.all_pass(spoken)
    power = [
        signal.welch(each.astype(float), RATE_HZ, nperseg=512)[1] for each in (spoken.audio, turned)
    ]
    assert 10 * np.log10(power[1] / power[0])[3:] == pytest.approx(0, abs=0.3)
    assert snr_db(spoken.audio, channel_faults.dithered(16)(spoken)) > 60
    assert snr_db(spoken.audio, channel_faults.up_and_back(spoken)) > 60
    assert channel_faults.slightly_louder(0.3)(spoken) == pytest.approx(
        spoken.audio * 10**0.015, abs=1e-6
    )
    full = SpokenUtterance(audio=spoken.audio / np.abs(spoken.audio).max(), rate_hz=RATE_HZ)
    assert channel_faults.slightly_louder(0.3)(full) is None


@pytest.mark.parametrize("codec", [channel_faults.opus, channel_faults.mp3])
@pytest.mark.parametrize("rate_hz", [RATE_HZ, 22_050])
def test_a_codec_keeps_length_and_place(codec, rate_hz, spoken) -> None:
    audio = spoken.audio[:RATE_HZ]
    heard = codec(96)(SpokenUtterance(audio=audio, rate_hz=rate_hz))
    assert len(heard) == len(audio)
    assert np.corrcoef(audio, heard)[0, 1] > 0.99
    assert codec(96)(SpokenUtterance(audio=audio, rate_hz=96_000)) is None
