"""
Reels: each fault is planted into a reel of flite's voices and seen by its metric: captions that are
late, speakers exchanged, a voice that drifts, a level that jumps, a click at a join.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest

from voxgate.harness.audio.recording import Recording, read_recording
from voxgate.harness.metrics import reels
from voxgate.harness.metrics.clicks import boundary_clicks_per_s
from voxgate.harness.metrics.metric import MetricInput, SpokenSegment
from voxgate.harness.metrics.reels import (
    caption_drift,
    caption_drift_worst,
    join_level_jump,
    speaker_confusion,
    speaker_drift,
    windows,
)
from voxgate.harness.metrics.registry import entry
from voxgate.harness.records.measurement import Missing

VOICES = Path(reels.__file__).parents[1] / "workloads" / "voices"
RATE_HZ = 16_000
PAUSE = RATE_HZ // 4
SENTENCES = (
    "Every autumn the geese fly over our valley on their way to the south.",
    "We hear them long before we see them, and the whole village goes outside to watch.",
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def voice(name: str) -> Recording:
    recording = read_recording(VOICES / f"{name}.flac")
    assert recording.rate_hz == RATE_HZ
    return recording


def parts(name: str, count: int = 4, length_s: float = 1.8) -> list[np.ndarray]:
    """Cut a voice's recording into parts that are long enough to tell it."""
    samples, length = voice(name).samples, int(length_s * RATE_HZ)
    return [samples[number * length : (number + 1) * length] for number in range(count)]


def reel_of(spoken: list[tuple[str, str, np.ndarray]]) -> MetricInput:
    """Join (speaker of the script, text, audio) with pauses, and caption them."""
    joined = [np.pad(audio, (0, PAUSE)) for *_, audio in spoken]
    starts = [0, *accumulate(len(audio) for audio in joined)]
    segments = tuple(
        SpokenSegment(
            speaker=speaker,
            text=text,
            start_s=start / RATE_HZ,
            end_s=(start + len(audio)) / RATE_HZ,
        )
        for (speaker, text, audio), start in zip(spoken, starts, strict=False)
    )
    return MetricInput(audio=Recording(np.concatenate(joined), RATE_HZ), segments=segments)


def taking_turns(**voices_of: list[np.ndarray]) -> list[tuple[str, str, np.ndarray]]:
    turns = zip(*voices_of.values(), strict=True)
    return [
        (who, "text", part) for turn in turns for who, part in zip(voices_of, turn, strict=True)
    ]


@pytest.fixture(scope="module")
def evening() -> MetricInput:
    return reel_of(taking_turns(slt=parts("slt"), rms=parts("rms")))


def quietest(samples: np.ndarray) -> int:
    """Return the middle of the quietest 80 ms in the middle third: between the two sentences."""
    third, width = len(samples) // 3, RATE_HZ * 8 // 100
    power = np.convolve(samples[third:-third] ** 2, np.ones(width), "valid")
    return third + int(np.argmin(power)) + width // 2


def sentences() -> MetricInput:
    """Two sentences by each of two voices."""
    spoken = []
    for name in ("slt", "rms"):
        recording = voice(name)
        cut = quietest(recording.samples)
        halves = (recording.samples[:cut], recording.samples[cut:])
        spoken += [(name, text, half) for text, half in zip(SENTENCES, halves, strict=True)]
    return reel_of(spoken)


def moved(inputs: MetricInput, by_s: float) -> MetricInput:
    segments = tuple(
        replace(each, start_s=max(0.0, each.start_s + by_s), end_s=each.end_s + by_s)
        for each in inputs.segments
    )
    return replace(inputs, segments=segments)


@pytest.mark.slow  # loads and runs the real recogniser
def test_captions_that_are_late_drift_by_as_much() -> None:
    good = sentences()
    # the silence at a segment's ends need not be equally long
    assert caption_drift(good) < 0.12
    for by_s in (0.3, -0.3):
        assert caption_drift(moved(good, by_s)) == pytest.approx(0.3, abs=0.12)
    exchanged = good.segments[0], good.segments[1]
    first, second = (
        replace(exchanged[0], text=exchanged[1].text),
        replace(exchanged[1], text=exchanged[0].text),
    )
    wrong = replace(good, segments=(first, second, *good.segments[2:]))
    assert caption_drift_worst(wrong) > 0.5


def test_two_segments_with_exchanged_speakers_are_counted(evening: MetricInput) -> None:
    recorded = {name: voice(name) for name in ("slt", "rms")}
    names = [segment.speaker for segment in evening.segments]
    names[2], names[3] = names[3], names[2]
    wrong = replace(
        evening,
        segments=tuple(
            replace(each, speaker=name) for each, name in zip(evening.segments, names, strict=True)
        ),
    )

    for known in ({}, recorded):
        assert speaker_confusion(replace(evening, voices=known)) == 0.0
        assert speaker_confusion(replace(wrong, voices=known)) == 2 / 8


def test_exchanged_everywhere_is_seen_with_recordings_of_the_speakers(evening: MetricInput) -> None:
    recorded = {"slt": voice("rms"), "rms": voice("slt")}

    assert speaker_confusion(replace(evening, voices=recorded)) == 1.0


def test_a_voice_that_turns_into_another_drifts(evening: MetricInput) -> None:
    turning = [*parts("slt", 2), *parts("awb", 4)[2:]]
    drifting = reel_of(taking_turns(slt=turning, rms=parts("rms")))

    steady = speaker_drift(evening)

    assert steady < 0.15
    assert speaker_drift(drifting) > steady + 0.1


def test_a_segment_that_is_louder_jumps(evening: MetricInput) -> None:
    third = evening.segments[2]
    samples = evening.audio.samples.copy()
    samples[round(third.start_s * RATE_HZ) : round(third.end_s * RATE_HZ)] *= 2.0

    louder = join_level_jump(replace(evening, audio=Recording(samples, RATE_HZ)))

    assert louder > join_level_jump(evening) + 3.0


def test_a_click_at_a_join_is_counted(evening: MetricInput) -> None:
    joins_s = tuple(segment.end_s for segment in evening.segments[:-1])
    samples = evening.audio.samples.copy()
    samples[round(joins_s[3] * RATE_HZ)] += 0.5

    faulty = replace(evening, audio=Recording(samples, RATE_HZ), joins_s=joins_s)
    clean = replace(evening, joins_s=joins_s)

    assert boundary_clicks_per_s(faulty) * evening.audio.duration_s == pytest.approx(
        boundary_clicks_per_s(clean) * evening.audio.duration_s + 1
    )


def test_what_cannot_be_told_is_missing() -> None:
    part = parts("slt", 1)[0]
    alone = reel_of([("slt", "text", part)])
    silent = reel_of([("slt", "a", np.zeros(RATE_HZ)), ("rms", "b", np.zeros(RATE_HZ))])
    short = reel_of([("slt", "a", part[:4000]), ("rms", "b", part[:4000])])
    broken = replace(alone, audio=Recording(np.full(100, np.nan), RATE_HZ))

    for inputs, metric in (
        (alone, speaker_confusion),
        (alone, speaker_drift),
        (alone, join_level_jump),
        (silent, join_level_jump),
        (silent, speaker_confusion),
        (silent, caption_drift),
        (short, speaker_confusion),
        (broken, caption_drift),
        (broken, join_level_jump),
        (broken, speaker_drift),
    ):
        assert isinstance(metric(inputs), Missing), metric


def captioned(*lengths_s: float) -> list[SpokenSegment]:
    starts = [0.0, *accumulate(lengths_s)]
    return [
        SpokenSegment(speaker="slt", text="text", start_s=start, end_s=start + length)
        for start, length in zip(starts, lengths_s, strict=False)
    ]


@pytest.mark.parametrize(
    "lengths_s", [[2.0] * 3, [2.0] * 15, [9.0] * 20, [20.0] * 5, [27.0, 5.0, 27.0], [40.0, 2.0]]
)
def test_windows_read_every_segment_once_and_fit(lengths_s: list[float]) -> None:
    segments = captioned(*lengths_s)
    found = list(windows(segments))

    read = [n for each in found for n in range(each.read_first, each.read_last + 1)]
    assert read == list(range(len(segments)))
    for each in found:
        assert each.first <= each.read_first <= each.read_last <= each.last
        length_s = segments[each.last].end_s - segments[each.first].start_s
        assert each.first == each.last or length_s <= reels.WINDOW_S


def test_the_registry_has_them_for_reels_only() -> None:
    for name in ("caption_drift", "speaker_confusion", "speaker_drift", "join_level_jump"):
        source = entry(name).source
        assert source is not None and source.need == "segments"
