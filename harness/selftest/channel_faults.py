"""
What lines, codecs and rooms do to speech, as pure functions of one utterance: a narrow band, whine,
hum, wow, lost packets, a wrong rate, a room; and what nobody hears of a good one.

Each is the same every time, and as long as it was, but for a wrong rate.
"""

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from voxgate.harness.audio.files import Audio
from voxgate.harness.errors import HarnessError
from voxgate.harness.selftest.fault_effects import (
    SEED,
    Change,
    SpokenUtterance,
    clipped,
    fitted,
    middle_of,
)

TAPS = 255
HUM_HZ, HUM_PARTS_DB = 50.0, (0.0, -6.0, -10.0)
"""The mains, and how far its first harmonics are below it."""
WOW_HZ, OVERSAMPLED = 0.7, 4
PACKET_S, BLEND_S = 0.020, 0.002
MU = 255.0
ALL_PASSES_HZ, POLE = (400.0, 1200.0, 3000.0), 0.85
LARGEST_DELAY_S = 0.2
"""Of a codec, which is undone."""
OPUS_HZ = (8_000, 12_000, 16_000, 24_000, 48_000)
MP3_HZ = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
MPEG_1_HZ = 32_000
"""From here on MP3 allows 32 to 320 kbit/s, below 8 to 160."""


def _level(audio: Audio) -> float:
    return float(np.sqrt(np.mean(audio.astype(np.float64) ** 2)))


def low_pass(cutoff_hz: float) -> Change:
    """Take away what is above a frequency; None for audio that has no such band."""

    def change(speech: SpokenUtterance) -> Audio | None:
        from scipy import signal

        if cutoff_hz >= 0.95 * speech.rate_hz / 2.0:
            return None
        taps = signal.firwin(TAPS, cutoff_hz, fs=speech.rate_hz)
        return clipped(signal.fftconvolve(speech.audio.astype(np.float64), taps, "same"))

    return change


def whine(below_db: float, tone_hz: float = 3150.0) -> Change:
    """Add a steady tone, so far below the speech."""

    def change(speech: SpokenUtterance) -> Audio:
        at_s = np.arange(len(speech.audio)) / speech.rate_hz
        level = _level(speech.audio) * 10.0 ** (-below_db / 20.0) * np.sqrt(2.0)
        return clipped(speech.audio + level * np.sin(2.0 * np.pi * tone_hz * at_s))

    return change


def hum(below_db: float) -> Change:
    """Add the hum of the mains, so far below the speech."""

    def change(speech: SpokenUtterance) -> Audio:
        at_s = np.arange(len(speech.audio)) / speech.rate_hz
        whole = sum(
            10.0 ** (part_db / 20.0) * np.sin(2.0 * np.pi * HUM_HZ * (number + 1) * at_s)
            for number, part_db in enumerate(HUM_PARTS_DB)
        )
        loud = np.asarray(whole) / np.sqrt(np.mean(np.square(whole)))
        return clipped(speech.audio + _level(speech.audio) * 10.0 ** (-below_db / 20.0) * loud)

    return change


def wow(share: float) -> Change:
    """Let the speed waver slowly by that share, as of a worn record."""

    def change(speech: SpokenUtterance) -> Audio:
        import soxr

        rate_hz = OVERSAMPLED * speech.rate_hz
        fine = soxr.resample(speech.audio.astype(np.float64), speech.rate_hz, rate_hz)
        at_s = np.arange(len(speech.audio)) / speech.rate_hz
        swing_s = share / (2.0 * np.pi * WOW_HZ)
        from_s = at_s + swing_s * (1.0 - np.cos(2.0 * np.pi * WOW_HZ * at_s))
        return clipped(np.interp(from_s, np.arange(len(fine)) / rate_hz, fine))

    return change


def lost_packets(share: float) -> Change:
    """
    Lose that share of the packets of 20 ms, at least one of them in the speech, and repeat the last
    one in place of each.
    """

    def change(speech: SpokenUtterance) -> Audio:
        length = round(PACKET_S * speech.rate_hz)
        changed: Audio = speech.audio.copy()
        rng = np.random.default_rng(SEED)
        lost = np.flatnonzero(rng.random(len(changed) // length) < share)
        blend = np.linspace(0.0, 1.0, max(1, round(BLEND_S * speech.rate_hz)), dtype=np.float32)
        for packet in sorted({*lost.tolist(), middle_of(speech.audio) // length} - {0}):
            start = packet * length
            again = changed[start - length : start].copy()
            again[: len(blend)] = again[: len(blend)] * blend + changed[start - 1] * (1.0 - blend)
            changed[start : start + length] = again[: len(changed) - start]
        return changed

    return change


def mu_law(speech: SpokenUtterance) -> Audio:
    """Code with 8 bits by the mu-law, as the telephone does, at the audio's own rate."""
    audio = speech.audio.astype(np.float64)
    pressed = np.sign(audio) * np.log1p(MU * np.abs(audio)) / np.log1p(MU)
    steps = np.round(pressed * 127.0) / 127.0
    return clipped(np.sign(steps) * np.expm1(np.abs(steps) * np.log1p(MU)) / MU)


def played_at(share: float) -> Change:
    """Play at `share` of the right rate, not resampled: pitch, formants and pace move together."""

    def change(speech: SpokenUtterance) -> Audio:
        import soxr

        audio = speech.audio.astype(np.float64)
        return clipped(soxr.resample(audio, speech.rate_hz * share, speech.rate_hz))

    return change


def noise_instead(speech: SpokenUtterance) -> Audio:
    """Put white noise as loud and as long in place of the speech."""
    noise = np.random.default_rng(SEED).standard_normal(len(speech.audio))
    return clipped(noise * _level(speech.audio))


def reverberant(t60_s: float) -> Change:
    """Speak in a room that dies by 60 dB in that time; half of the power is the room's."""

    def change(speech: SpokenUtterance) -> Audio:
        from scipy import signal

        at_s = np.arange(round(t60_s * speech.rate_hz)) / speech.rate_hz
        room = np.random.default_rng(SEED).standard_normal(len(at_s)) * 10.0 ** (-3 * at_s / t60_s)
        room /= np.sqrt(np.sum(room**2))
        room[0] += 1.0
        heard = signal.fftconvolve(speech.audio.astype(np.float64), room / np.sqrt(2.0))
        return clipped(heard[: len(speech.audio)])

    return change


def fading(fall_db: float) -> Change:
    """Grow steadily softer, by so many dB from the first frame to the last."""

    def change(speech: SpokenUtterance) -> Audio:
        gain = 10.0 ** (np.linspace(0.0, -fall_db, len(speech.audio)) / 20.0)
        return clipped(speech.audio * gain)

    return change


def slightly_louder(gain_db: float) -> Change:
    """Raise the level; None where that would clip."""

    def change(speech: SpokenUtterance) -> Audio | None:
        gain = 10.0 ** (gain_db / 20.0)
        loudest = gain * float(np.abs(speech.audio).max(initial=0.0))
        return None if loudest >= 1.0 else clipped(speech.audio * gain)

    return change


def all_pass(speech: SpokenUtterance) -> Audio:
    """Turn the phase around three frequencies, by a millisecond and less; no level changes."""
    from scipy import signal

    audio = speech.audio.astype(np.float64)
    for centre_hz in ALL_PASSES_HZ:
        turn = 2.0 * np.pi * centre_hz / speech.rate_hz
        ahead = [1.0, -2.0 * POLE * np.cos(turn), POLE**2]
        audio = signal.lfilter(ahead[::-1], ahead, audio)
    return clipped(audio)


def dithered(bits: int) -> Change:
    """Round to so many bits with triangular dither of one step to each side."""
    steps = 2.0 ** (bits - 1)

    def change(speech: SpokenUtterance) -> Audio:
        rng = np.random.default_rng(SEED)
        dither = rng.random(len(speech.audio)) - rng.random(len(speech.audio))
        return clipped(np.round(speech.audio * steps + dither) / steps)

    return change


def up_and_back(speech: SpokenUtterance) -> Audio:
    """Resample to twice the rate and back, by soxr VHQ."""
    import soxr

    rate_hz = speech.rate_hz
    there = soxr.resample(speech.audio.astype(np.float64), rate_hz, 2 * rate_hz, "VHQ")
    return fitted(soxr.resample(there, 2 * rate_hz, rate_hz, "VHQ"), len(speech.audio))


def opus(kbit_s: float) -> Change:
    """Code by Opus at that rate, and decode."""
    level = 1.0 - (kbit_s - 6.0) / 250.0
    return _coded(OPUS_HZ, lambda rate_hz: {"container": "OGG", "subtype": "OPUS", "level": level})


def mp3(kbit_s: float) -> Change:
    """Code by MP3 at that constant rate, and decode."""

    def form(rate_hz: int) -> dict[str, Any]:
        least, most = (8.0, 160.0) if rate_hz < MPEG_1_HZ else (32.0, 320.0)
        level = (most - kbit_s) / (most - least)
        return {"container": "MP3", "subtype": "MPEG_LAYER_III", "level": level}

    return _coded(MP3_HZ, form)


def _coded(rates_hz: Sequence[int], form: Callable[[int], dict[str, Any]]) -> Change:
    """
    Code at the nearest rate that the codec knows, decode, and undo the codec's delay; None for a
    rate beyond.
    """

    def change(speech: SpokenUtterance) -> Audio | None:
        import soxr

        rate_hz = next((rate for rate in rates_hz if rate >= speech.rate_hz), None)
        if rate_hz is None:
            return None
        audio = soxr.resample(speech.audio.astype(np.float64), speech.rate_hz, rate_hz, "VHQ")
        heard, heard_hz = soundfile.read(_packed(audio, rate_hz, **form(rate_hz)))
        back = soxr.resample(heard, heard_hz, speech.rate_hz, "VHQ")
        return fitted(_without_delay(back, speech), len(speech.audio))

    return change


def _packed(
    audio: NDArray[np.float64], rate_hz: int, container: str, subtype: str, level: float
) -> io.BytesIO:
    packed = io.BytesIO()
    mode = {"bitrate_mode": "CONSTANT"} if container == "MP3" else {}
    try:
        soundfile.write(
            packed, audio, rate_hz, subtype, format=container, compression_level=level, **mode
        )
    except (TypeError, ValueError, soundfile.SoundFileError) as error:
        raise HarnessError(
            f"soundfile cannot write {container} ({error}); update it to 0.13 or later"
        ) from error
    packed.seek(0)
    return packed


def _without_delay(heard: NDArray[np.float64], speech: SpokenUtterance) -> NDArray[np.float64]:
    from scipy import signal

    most = round(LARGEST_DELAY_S * speech.rate_hz)
    found = signal.correlate(heard, speech.audio.astype(np.float64), "full", "fft")
    zero = len(speech.audio) - 1
    lag = int(np.argmax(found[max(0, zero - most) : zero + most + 1])) - min(zero, most)
    return heard[lag:] if lag >= 0 else np.pad(heard, (-lag, 0))
