"""Damage is what its name says, of the size that it says, and the same every time."""

import numpy as np
import pytest

from tests.harness.metrics.speech import speech
from voxgate.harness.audio.recording import Recording
from voxgate.harness.selftest import fault_effects
from voxgate.harness.selftest.fault_effects import SpokenUtterance
from voxgate.harness.selftest.faults import FAULTS

RATE_HZ = 16_000
VOCODER = ("resynthesis", "vocoder")
"""Tested by themselves."""
PURE = [
    fault
    for fault in FAULTS
    if fault.change is not None and not fault.change.__module__.endswith(VOCODER)
]


@pytest.fixture(scope="module", name="voice")
def _voice() -> np.ndarray:
    """A second of tone between silences, as float32."""
    time_s = np.arange(RATE_HZ) / RATE_HZ
    tone = 0.3 * np.sin(2 * np.pi * 200 * time_s) * np.sin(np.pi * time_s)
    return np.concatenate([np.zeros(1600), tone, np.zeros(1600)]).astype(np.float32)


@pytest.fixture(scope="module", name="spoken")
def _read(voice: np.ndarray) -> SpokenUtterance:
    """The same as two chunks in a known voice."""
    return SpokenUtterance(
        audio=voice, rate_hz=RATE_HZ, text="Is it?", joins_s=(0.5,), voice=voice[::-1]
    )


def unrounded() -> np.ndarray:
    """Real speech that is not rounded to 16 bits."""
    return (0.9 * speech()).astype(np.float32)


@pytest.mark.parametrize("fault", PURE, ids=lambda fault: f"{fault.name} {fault.strength}")
def test_damage_is_the_same_every_time_and_leaves_the_speech_it_was_given(fault) -> None:
    voice = unrounded()
    spoken = SpokenUtterance(
        audio=voice,
        rate_hz=RATE_HZ,
        text="Is it?",
        joins_s=(0.5,),
        voice=voice[::-1],
        other=voice[::-1],
    )
    before = voice.copy()
    first, second = fault.change(spoken), fault.change(spoken)
    assert np.array_equal(first, second, equal_nan=True)
    assert np.array_equal(voice, before)
    assert not np.array_equal(first, voice)
    assert first.dtype == np.float32
    assert np.nanmax(np.abs(first)) <= 1.0


def test_a_click_is_one_frame_in_the_speech(spoken, voice) -> None:
    (place,) = np.flatnonzero(fault_effects.click(1.0)(spoken) != voice)
    assert place == pytest.approx(1600 + RATE_HZ / 2, abs=80)


def test_clicks_come_every_second(spoken, voice) -> None:
    long = SpokenUtterance(audio=np.tile(voice, 3), rate_hz=RATE_HZ)
    places = np.flatnonzero(fault_effects.clicks(0.3)(long) != long.audio)
    assert places.tolist() == [8_000, 24_000, 40_000, 56_000]


def test_a_seam_steps_at_every_join_and_is_gone_soon(spoken, voice) -> None:
    stepped = fault_effects.seam(0.3)(spoken) - voice
    assert np.flatnonzero(stepped)[0] == 8_000
    assert stepped[8_000] == pytest.approx(0.3 * np.abs(voice).max(), rel=1e-5)
    assert abs(stepped[8_000 + 320]) < 1e-4
    assert fault_effects.seam(0.3)(SpokenUtterance(audio=voice, rate_hz=RATE_HZ)) is None


def test_a_dropout_is_as_long_as_it_says(spoken, voice) -> None:
    gone = np.flatnonzero(fault_effects.dropout(0.02)(spoken) != voice)
    assert gone[-1] - gone[0] + 1 == pytest.approx(0.02 * RATE_HZ, abs=2)


def test_a_cut_tail_takes_the_silence_and_so_much_speech(spoken, voice) -> None:
    speech_ends = np.flatnonzero(np.abs(voice) > 0.003)[-1] + 1
    assert len(fault_effects.cut_tail(0.08)(spoken)) == speech_ends - 0.08 * RATE_HZ


def test_a_cut_head_takes_the_silence_and_so_much_speech(spoken, voice) -> None:
    begins = np.flatnonzero(np.abs(voice) > 0.003)[0]
    left = fault_effects.cut_head(0.04)(spoken)
    assert np.array_equal(left, voice[begins + 640 :])


def test_a_skipped_stretch_is_missing_and_the_rest_is_there() -> None:
    audio = speech().astype(np.float32)
    skipped = fault_effects.skip(0.3)(SpokenUtterance(audio=audio, rate_hz=RATE_HZ))
    assert len(skipped) == len(audio) - 4_800
    assert np.array_equal(skipped[:8_000], audio[:8_000])
    assert np.array_equal(skipped[-8_000:], audio[-8_000:])
    assert fault_effects.skip(0.3)(SpokenUtterance(audio=audio[:4_000], rate_hz=RATE_HZ)) is None


def test_a_muted_tail_leaves_the_audio_as_long_as_it_was(spoken, voice) -> None:
    muted = fault_effects.mute_tail(0.08)(spoken)
    assert len(muted) == len(voice)
    speech_ends = np.flatnonzero(np.abs(voice) > 0.003)[-1] + 1
    assert np.flatnonzero(muted)[-1] == speech_ends - 0.08 * RATE_HZ - 1


def test_a_repeated_stretch_is_heard_twice() -> None:
    audio = speech().astype(np.float32)
    twice = fault_effects.repeat(0.2)(SpokenUtterance(audio=audio, rate_hz=RATE_HZ))
    assert len(twice) == len(audio) + 3_200
    middle = int(np.flatnonzero(twice[: len(audio)] != audio)[0])
    fade = round(fault_effects.FADE_S * RATE_HZ)
    assert np.array_equal(
        twice[middle + fade : middle + 3_200], audio[middle - 3_200 + fade : middle]
    )
    assert np.array_equal(twice[middle + 3_200 + fade :], audio[middle + fade :])


def test_another_word_stands_in_the_middle_and_nothing_else_changes() -> None:
    audio = speech().astype(np.float32)
    swapped = fault_effects.swap_word(0.4)(SpokenUtterance(audio=audio, rate_hz=RATE_HZ))
    other = np.flatnonzero(swapped != audio)
    assert len(swapped) == len(audio)
    assert other[-1] - other[0] == pytest.approx(
        0.4 * RATE_HZ, abs=fault_effects.FADE_S * RATE_HZ + 1
    )
    assert (
        fault_effects.swap_word(0.4)(SpokenUtterance(audio=audio[:8_000], rate_hz=RATE_HZ)) is None
    )


@pytest.mark.parametrize(
    "make", [fault_effects.silence_before, fault_effects.silence_after, fault_effects.pause]
)
def test_silence_is_added_and_nothing_lost(make, spoken, voice) -> None:
    longer = make(1.0)(spoken)
    assert len(longer) == len(voice) + RATE_HZ
    assert np.array_equal(longer[longer != 0], voice[voice != 0])


def test_a_pause_falls_where_it_is_quietest() -> None:
    audio = np.full(RATE_HZ, 0.5, dtype=np.float32)
    audio[9_000:9_400] = 0.01
    paused = fault_effects.pause(0.1)(SpokenUtterance(audio=audio, rate_hz=RATE_HZ))
    assert 9_000 <= np.flatnonzero(paused == 0)[0] < 9_400


def test_a_spill_is_the_end_of_the_voices_recording(spoken, voice) -> None:
    spilt = fault_effects.spill(0.3)(spoken)
    assert len(spilt) == len(voice) + 4_800
    ends = np.flatnonzero(np.abs(spoken.voice) > 0.003)[-1] + 1
    assert np.array_equal(spilt[:4_800], spoken.voice[ends - 4_800 : ends])
    assert fault_effects.spill(0.3)(SpokenUtterance(audio=voice, rate_hz=RATE_HZ)) is None


def test_the_greatest_click_is_one_that_a_detector_hears() -> None:
    from voxgate.harness.metrics.clicks import METRICS
    from voxgate.harness.metrics.metric import MetricInput

    (clicks,) = (each for each in METRICS if each.metric.name == "clicks")
    audio = speech().astype(np.float32)
    faulty = fault_effects.click(1.0)(SpokenUtterance(audio=audio, rate_hz=RATE_HZ))
    assert clicks.score(MetricInput(audio=Recording(audio, RATE_HZ))) == 0.0
    assert clicks.score(MetricInput(audio=Recording(faulty, RATE_HZ))) > 0.0
