"""What a child does that listens, with the judge replaced; and who is asked in which language."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from voxgate.harness.audio.files import write_wav
from voxgate.harness.errors import HarnessError
from voxgate.harness.models import faster_whisper, whisper
from voxgate.harness.records.measurement import Missing
from voxgate.harness.scoring import transcription
from voxgate.harness.scoring.transcription import (
    FASTER,
    OPENAI,
    Transcript,
    TranscriptionTask,
    recipe,
    transcribe_files,
    transcription_tasks,
)

PARROT = (Path("parrot"),)


class Parrot:
    """Says how much it was given, in which language."""

    name = "a parrot"

    def name_in(self, language: str) -> str:
        return self.name

    def knows(self, language: str) -> bool:
        return language in ("en", "es")

    def transcribe(
        self, batch: Sequence[np.ndarray], language: str = "en", *, digits: bool = True
    ) -> list[str]:
        if not digits:
            return ["no digits" for _ in batch]
        return [f"{language} {len(audio)}" if len(audio) > 1 else "short" for audio in batch]


@pytest.fixture
def parrot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcription, "_recognizer", lambda engine, weights: Parrot())


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, ...]:
    """One second at 16 kHz, one at 48 kHz, no audio, NaN."""
    write_wav(tmp_path / "low.wav", np.ones(16_000, np.float32), 16_000)
    write_wav(tmp_path / "high.wav", np.ones(48_000, np.float32), 48_000)
    (tmp_path / "broken.wav").write_text("not audio")
    write_wav(tmp_path / "nan.wav", np.full(16_000, np.nan, np.float32), 16_000)
    return tuple(tmp_path / f"{name}.wav" for name in ("low", "high", "broken", "nan"))


def test_every_file_is_heard_at_the_judges_rate_or_says_why_not(
    parrot: None, files: tuple[Path, ...]
):
    low, high, broken, nan = transcribe_files(TranscriptionTask(files=files, weights=PARROT))
    assert low == high == Transcript(text="en 16000", judge="a parrot", spelled="no digits")
    assert isinstance(broken.text, Missing)
    assert nan.text == Missing("the audio holds NaN or infinity")


def test_another_language_stands_in_the_judges_name(parrot: None, files: tuple[Path, ...]):
    (heard,) = transcribe_files(TranscriptionTask(files=files[:1], weights=PARROT, language="es"))
    assert (heard.text, heard.judge) == ("es 16000", "a parrot, language es, numbers as words r1")


def test_only_what_was_written_with_digits_is_heard_without(parrot: None, tmp_path: Path):
    for name, length in (("long", 16_000), ("short", 1)):
        write_wav(tmp_path / f"{name}.wav", np.ones(length, np.float32), 16_000)
    files = tuple(tmp_path / f"{name}.wav" for name in ("short", "long"))
    short, long = transcribe_files(TranscriptionTask(files=files, weights=PARROT))
    assert (short.text, short.spelled) == ("short", "")
    assert (long.text, long.spelled) == ("en 16000", "no digits")


def test_a_language_that_the_judge_does_not_know_is_missing_and_not_guessed(
    parrot: None, files: tuple[Path, ...]
):
    heard = transcribe_files(TranscriptionTask(files=files, weights=PARROT, language="tlh"))
    assert {each.text for each in heard} == {
        Missing("a parrot does not know the language 'tlh'; give other weights")
    }


def test_a_judge_that_is_not_installed_is_missing(
    monkeypatch: pytest.MonkeyPatch, files: tuple[Path, ...]
):
    monkeypatch.setattr(
        transcription, "_recognizer", lambda engine, weights: Missing("not installed")
    )
    heard = transcribe_files(TranscriptionTask(files=files, weights=PARROT, engine=FASTER))
    assert heard == [Transcript(text=Missing("not installed"), judge="")] * 4


def test_tasks_hold_like_lengths_in_one_language_without_its_region(files: tuple[Path, ...]):
    many = [*files, *files] * 9
    tasks = transcription_tasks(many, PARROT, "es-MX", FASTER)
    assert [len(task.files) for task in tasks] == [32, 32, 8]
    assert sorted(path for task in tasks for path in task.files) == sorted(many)
    sizes = [path.stat().st_size for task in tasks for path in task.files]
    assert sizes == sorted(sizes)
    assert {(task.language, task.weights, task.engine) for task in tasks} == {
        ("es", PARROT, FASTER)
    }


def test_an_unknown_engine_is_an_error_that_lists_the_known_ones():
    with pytest.raises(
        HarnessError,
        match=r"unknown judge 'whisper\.cpp'; known are openai-whisper, faster-whisper",
    ):
        recipe("whisper.cpp")


def test_what_decides_a_transcript_tells_engines_and_languages_apart_but_not_regions():
    assert recipe() == recipe(OPENAI, "en-GB") == whisper.DECODING
    assert recipe(OPENAI, "es") == recipe(OPENAI, "es-MX")
    assert (
        len(
            {
                recipe(engine, language)
                for engine in (OPENAI, FASTER)
                for language in ("en", "es", "de")
            }
        )
        == 6
    )
    assert faster_whisper.DECODING in recipe(FASTER)
