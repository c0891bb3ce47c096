"""
Duration of a recording, absolute and per character, and the silence at its two ends.

An engine that drawls, babbles on, stops early or cuts off the end shows here. Pauses within the
speech are prosody's.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from voxgate.harness.audio import activity
from voxgate.harness.audio.activity import speech_level
from voxgate.harness.audio.recording import Recording, check_valid
from voxgate.harness.metrics.dropouts import stop_times_s
from voxgate.harness.metrics.metric import AudioMetric, MetricInput
from voxgate.harness.records.cell import ENGLISH, primary_language
from voxgate.harness.records.measurement import Metric, Missing, MissingKind, Value

STOPS = ".!?…"
PAUSE = re.compile(r"[,;:.!?…—]+(?=\s)")


def duration_s(inputs: MetricInput) -> Value:
    """
    Return seconds of audio.

    Missing for empty audio and for NaN or infinity, which no player could play to its end.
    """
    return check_valid(inputs.audio) or inputs.audio.duration_s


def chars_per_s(inputs: MetricInput) -> Value:
    """
    Return letters and digits of the text per second of audio, silence included.

    The text counts as requested, not as it is read out: "2026" counts four. So a value is
    meaningful beside another of the same text, or as a mean over many.
    """
    characters = sum(character.isalnum() for character in inputs.words)
    if not characters:
        return Missing("the text has no letters")
    return check_valid(inputs.audio) or characters / inputs.audio.duration_s


S_PER_LETTER, S_PER_SENTENCE = 0.066, 0.15
S_PER_DIGIT, S_PER_PAUSE = 0.30, 0.25
SHORTEST_RATIO, LONGEST_RATIO = 0.6, 1.8
"""480 clean sentences lie within 0.73 and 1.59: five voices of flite, and the embedded three."""


def length_ratio(inputs: MetricInput) -> Value:
    """
    Return seconds from the first speech to the last, by those that the text should take.

    A run-away model speaks on far beyond 1, one that ends early stays below it. The expected length
    is counted in letters, digits and commas, so it is a rule of thumb for one sentence, and known
    for English only.
    """
    if primary_language(inputs.language) != ENGLISH:
        return Missing(f"expected lengths are known for English, not for {inputs.language}")
    letters = sum(character.isalpha() for character in inputs.words)
    digits = sum(character.isdigit() for character in inputs.words)
    pauses = len(PAUSE.findall(inputs.words.rstrip().rstrip(STOPS)))
    if not letters + digits:
        return Missing("the text has no letters")
    speech = check_valid(inputs.audio) or inputs.audio.once(activity.segments)
    if isinstance(speech, Missing):
        return speech
    expected_s = S_PER_SENTENCE + letters * S_PER_LETTER + digits * S_PER_DIGIT
    return (speech.end_s - speech.start_s) / (expected_s + pauses * S_PER_PAUSE)


def length_off(inputs: MetricInput) -> Value:
    """
    Return 1.0 for speech that cannot be its text, by its length alone; 0.0 for any other.

    Its mean is the share of utterances that ran away or ended early, however pace varies.
    """
    ratio = length_ratio(inputs)
    if isinstance(ratio, Missing):
        return ratio
    return float(not SHORTEST_RATIO <= ratio <= LONGEST_RATIO)


STEP_S = 0.005
TAIL = 2  # steps at the end of the sound: a period of a low voice
ENDED_DB = -50.0  # of the speech level; what follows the last step above it is padding
ABOVE_FLOOR_DB = 10.0  # the same where noise is louder than that
# How loud a natural end may be, of the speech level. Engines die away further; people whose
# recordings were trimmed tightly end 24 dB above their own floor at the most, and where noise goes
# on behind the speech the last that stands out of it is louder (docs/evidence/detectors.md).
NATURAL_END_DB, TRIMMED_END_DB, OVER_FLOOR_DB, IN_NOISE_DB = -30.0, -22.0, 24.0, 8.0
HIDDEN_DB = -42.0  # of the speech level: where steady noise is louder, an end may be a cut or not
STEADY_DB, STEADY_SHARE = 5.0, 0.03  # noise: so much of the time lies so near the floor
USUAL = 2  # stops within the speech are no accident
FLOOR = 4  # steps: 20 ms, in which noise keeps its level and speech seldom does
DEAD_DB = -100.0  # digital silence is no floor


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundEnd:
    """The end of a recording's sound beside its own floor, in dB of the speech level."""

    tail_db: float
    """The louder of the last steps of sound."""
    floor_db: float
    noisy: bool
    """Whether the floor is steady noise, and not the softest moment of continuous speech."""
    within_noise: bool
    """Whether the noise goes on behind the sound."""

    @property
    def natural_db(self) -> float:
        """How loud a natural end may be."""
        trimmed_db = min(max(self.floor_db + OVER_FLOOR_DB, NATURAL_END_DB), TRIMMED_END_DB)
        return trimmed_db + (IN_NOISE_DB if self.within_noise else 0.0)


def leading_silence(inputs: MetricInput) -> Value:
    """Return the seconds before the speech begins."""
    speech = check_valid(inputs.audio) or inputs.audio.once(activity.segments)
    return speech if isinstance(speech, Missing) else speech.start_s


def trailing_silence(inputs: MetricInput) -> Value:
    """Return the seconds after the speech has ended."""
    speech = check_valid(inputs.audio) or inputs.audio.once(activity.segments)
    return (
        speech if isinstance(speech, Missing) else max(inputs.audio.duration_s - speech.end_s, 0.0)
    )


def cut_tail(inputs: MetricInput) -> Value:
    """
    Return by how many dB the recording's end is too loud to be natural; 0.0 for a natural one.

    The measure is the RMS of the last 10 ms of sound (the louder 5 ms), relative to the speech
    level. Missing of the kind HIDDEN where steady noise is too loud to tell, and where sounds stop
    as suddenly within the speech: then an end that does so is the engine's way.
    """
    end = inputs.audio.once(ending)
    if isinstance(end, Missing):
        return end
    if end.noisy and end.floor_db > HIDDEN_DB:
        reason = (
            f"the noise is {-end.floor_db:.0f} dB below the speech, and hides how it ends; "
            f"{-HIDDEN_DB:.0f} dB are needed"
        )
        return Missing(reason, MissingKind.HIDDEN)
    if len(inputs.audio.once(stop_times_s)) >= USUAL:
        return Missing("sounds stop as suddenly within the speech", MissingKind.HIDDEN)
    return max(end.tail_db - end.natural_db, 0.0)


def ending(recording: Recording) -> SoundEnd | Missing:
    """Measure how a recording ends; Missing for NaN and for silence."""
    fault = check_valid(recording)
    if fault is not None:
        return fault
    level = speech_level(recording)
    if level == 0.0:
        return Missing("the audio is silent")
    steps_db = _steps_db(recording.samples / level, max(round(STEP_S * recording.rate_hz), 1))
    softest_db = _softest_db(steps_db)
    floor_db = float(softest_db.min(initial=0.0)) if softest_db.size else 2.0 * ENDED_DB
    sounding = np.flatnonzero(steps_db > max(ENDED_DB, floor_db + ABOVE_FLOOR_DB))
    end = int(sounding[-1]) + 1 if sounding.size else len(steps_db)
    near = float(np.mean(softest_db < floor_db + STEADY_DB)) if softest_db.size else 0.0
    return SoundEnd(
        tail_db=float(steps_db[max(end - TAIL, 0) : end].max(initial=2.0 * ENDED_DB)),
        floor_db=floor_db,
        noisy=near > STEADY_SHARE,
        within_noise=end + 1 < len(steps_db) and floor_db > ENDED_DB,
    )


def _steps_db(samples: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """
    Return the level of each step in dB, shape [steps], the last of which ends with the last sample
    that is not zero. A beginning that fills none is left out.
    """
    heard = samples[: int(np.flatnonzero(samples)[-1]) + 1]
    steps = heard[len(heard) % width :].reshape(-1, width)
    return np.asarray(10.0 * np.log10(np.maximum(np.mean(steps**2, axis=1), 1e-12)))


def _softest_db(steps_db: NDArray[np.float64]) -> NDArray[np.float64]:
    """
    Return the level of each FLOOR successive steps, shape [k], but for those in or beside digital
    silence.
    """
    if len(steps_db) < FLOOR + 2:
        return np.zeros(0)
    alive = sliding_window_view(steps_db > DEAD_DB, FLOOR + 2).all(axis=1)
    power = sliding_window_view(10.0 ** (steps_db / 10.0), FLOOR).mean(axis=1)[1:-1]
    return np.asarray(10.0 * np.log10(power[alive]), dtype=np.float64)


METRICS = (
    AudioMetric(
        metric=Metric(name="duration", unit="s", better="neither", version="1"), score=duration_s
    ),
    AudioMetric(
        metric=Metric(name="chars_per_s", unit="1/s", better="neither", version="2"),
        score=chars_per_s,
        reads_text=True,
    ),
    AudioMetric(
        metric=Metric(name="length_ratio", unit="1", better="neither", version="2"),
        score=length_ratio,
        reads_text=True,
    ),
    AudioMetric(
        metric=Metric(name="length_off", unit="1", better="lower", version="2"),
        score=length_off,
        reads_text=True,
    ),
    AudioMetric(
        metric=Metric(name="leading_silence", unit="s", better="neither", version="1"),
        score=leading_silence,
    ),
    AudioMetric(
        metric=Metric(name="trailing_silence", unit="s", better="neither", version="1"),
        score=trailing_silence,
    ),
    AudioMetric(
        metric=Metric(name="cut_tail", unit="dB", better="lower", version="2"), score=cut_tail
    ),
)
