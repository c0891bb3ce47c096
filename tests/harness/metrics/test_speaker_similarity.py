"""
Speaker similarity: Resemblyzer's embedding, one for the same voice, less for another, and what it
cannot judge.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.harness.metrics.speech import speech
from voxgate.harness.audio.recording import Recording, read_recording
from voxgate.harness.metrics import speaker_similarity as voice
from voxgate.harness.metrics.metric import MetricInput
from voxgate.harness.metrics.speaker_similarity import (
    RATE_HZ,
    embedding,
    partial_starts,
    partial_utterances,
    speaker_similarity,
    voice_similarity,
)
from voxgate.harness.records.measurement import Missing, not_installed

VOICES = Path(voice.__file__).parents[1] / "workloads" / "voices"
SPEAKERS = ("slt", "rms", "awb")
GOLDEN_PLACES = [2, 20, 134, 160, 224, 205]
GOLDEN = [0.2322602, 0.2242897, 0.2186454, 0.2123301, 0.2037903, 0.1986906]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """
    As in the scorer's children; threads that wait for each other would make the test slow beside
    other work.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def recording(frames: np.ndarray | None = None) -> Recording:
    return Recording(speech() if frames is None else frames, RATE_HZ)


def similarity(heard: Recording, wanted: Recording) -> object:
    return speaker_similarity(MetricInput(audio=heard, reference=wanted))


def test_the_same_audio_is_the_same_voice():
    assert similarity(recording(), recording()) == pytest.approx(1.0, abs=1e-9)


def test_both_metrics_are_the_same_cosine_to_different_recordings():
    wanted = read_recording(VOICES / "slt.flac")
    both = MetricInput(audio=recording(), reference=wanted, voice=wanted)
    assert speaker_similarity(both) == voice_similarity(both)


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_the_shipped_recordings_are_long_enough(speaker: str):
    shipped = read_recording(VOICES / f"{speaker}.flac")
    assert shipped.rate_hz == RATE_HZ
    assert 7.0 < shipped.duration_s < 12.0


def test_the_right_speaker_is_nearer_than_any_other():
    found = {
        each: voice_similarity(
            MetricInput(audio=recording(), voice=read_recording(VOICES / f"{each}.flac"))
        )
        for each in SPEAKERS
    }
    assert found["slt"] > 0.85
    assert found["slt"] - max(found["rms"], found["awb"]) > 0.1


def test_the_embedding_is_resemblyzers(monkeypatch: pytest.MonkeyPatch):
    """
    Resemblyzer 0.1.4's `embed_utterance` on the same trimmed speech, computed by the package
    itself, at the recording's own level.
    """
    monkeypatch.setattr(voice.activity, "network_gain", lambda recording: 1.0)
    values = embedding(recording())
    assert isinstance(values, np.ndarray)
    assert values.shape == (256,)
    assert values[GOLDEN_PLACES] == pytest.approx(GOLDEN, abs=1e-6)


@pytest.mark.parametrize("gain_db", [-30.0, -6.0, 6.0])
def test_the_level_plays_no_part(gain_db: float):
    """6 dB alone cost 0.039 once, where 0.03 blocks."""
    other = recording(10 ** (gain_db / 20) * speech())
    assert similarity(other, recording()) == pytest.approx(1.0, abs=1e-5)


def test_silence_around_and_within_changes_little():
    gap, audio = np.zeros(RATE_HZ), speech()
    half = len(audio) // 2
    spaced = np.concatenate([gap, audio[:half], gap, audio[half:], gap])
    assert similarity(recording(spaced), recording()) > 0.97


def test_the_sign_of_the_audio_plays_no_part():
    assert similarity(recording(-speech()), recording()) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("rate_hz", [22_050, 24_000, 48_000])
def test_the_rate_of_the_file_plays_no_part(rate_hz: int):
    import soxr

    other = Recording(soxr.resample(speech(), RATE_HZ, rate_hz), rate_hz)
    assert similarity(other, recording()) > 0.99


@pytest.mark.parametrize(
    ("length", "starts"),
    [
        (1, [0]),
        (25_600, [0]),
        (31_519, [0]),
        (31_520, [0, 77]),
        (50_000, [0, 77, 154]),
        (160_000, list(range(0, 848, 77))),
    ],
)
def test_partial_utterances_begin_each_770_ms_and_the_last_is_mostly_audio(
    length: int, starts: list[int]
):
    assert partial_starts(length) == starts


@pytest.mark.parametrize("length", [4_000, 25_600, 41_000, 100_000])
def test_partial_utterances_have_the_encoders_shape(length: int):
    assert partial_utterances(np.ones(length)).shape == (len(partial_starts(length)), 160, 40)


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros(0),
        np.zeros(RATE_HZ),
        np.full(RATE_HZ, np.nan),
        np.ones(1),
        speech()[: RATE_HZ // 20],
    ],
    ids=["empty", "silent", "nan", "one frame", "50 ms"],
)
def test_what_is_no_voice_is_missing_on_either_side(frames: np.ndarray):
    assert isinstance(similarity(recording(frames), recording()), Missing)
    missing = similarity(recording(), recording(frames))
    assert isinstance(missing, Missing)
    assert "to compare with" in missing.reason


def test_without_the_package_there_is_advice(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(voice, "IMPORT_NAME", "no_such_package")
    voice._encoder.cache_clear()
    try:
        assert similarity(recording(), recording()) == not_installed(
            "no_such_package", "pip install no_such_package"
        )
    finally:
        voice._encoder.cache_clear()


def test_loading_the_encoder_draws_no_random_numbers():
    import torch

    before = torch.random.get_rng_state()
    assert not isinstance(voice._encoder.__wrapped__(), Missing)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_make_installs_the_weights_that_the_extra_names():
    """`make` leaves out what they ask for, so that their versions stand in three files."""
    root = Path(__file__).parents[3]
    stated = (root / "pyproject.toml").read_text()
    wanted = re.findall(r'"((?:Resemblyzer|resemble-perth)==[^"]+)"', stated)
    assert f" --no-deps {' '.join(wanted)}\n" in (root / "Makefile").read_text()
    assert set(wanted) <= set((root / "constraints.txt").read_text().split())
    assert len(wanted) == 2
