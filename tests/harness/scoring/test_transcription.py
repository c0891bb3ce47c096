"""Who has to listen to what, without anybody listening."""

from pathlib import Path

import numpy as np
import pytest

from voxgate.harness.audio.files import write_wav
from voxgate.harness.errors import HarnessError
from voxgate.harness.models.whisper_weights import WeightsFile
from voxgate.harness.records.measurement import Missing, not_installed
from voxgate.harness.records.run import OPENAI
from voxgate.harness.scoring import transcription
from voxgate.harness.scoring.tasks import AudioJob
from voxgate.harness.scoring.transcription import (
    FASTER,
    RecognizerOptions,
    Transcript,
    TranscriptionPlan,
    TranscriptionTask,
    transcribe,
)

WEIGHTS = {
    language: WeightsFile(path=Path(f"whisper {language}"), sha256=language * 32)
    for language in ("en", "es")
}


@pytest.fixture
def weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        transcription, "locate_weights", lambda own, download, language: WEIGHTS[language]
    )


def job(
    folder: Path, name: str, text: str = "Hello.", language: str = "en", level: float = 0.1
) -> AudioJob:
    path = folder / f"{name}.wav"
    write_wav(path, np.full(1600, level, np.float32), 16_000)
    return AudioJob(key=name, utterance=name, path=path, text=text, language=language)


def make(
    jobs: list[AudioJob], metrics: tuple[str, ...] = ("wer", "cer"), **options: object
) -> TranscriptionPlan:
    digests = {each.path: each.path.read_bytes().hex()[-64:] for each in jobs}
    return TranscriptionPlan(jobs, metrics, RecognizerOptions(**options), digests)


def test_each_language_has_its_judge_and_each_audio_is_heard_once(
    weights: None, tmp_path: Path
) -> None:
    jobs = [
        job(tmp_path, "a"),
        job(tmp_path, "b"),
        job(tmp_path, "c", level=0.2),
        job(tmp_path, "d", language="es-MX"),
    ]
    heard = make(jobs)
    tasks = [piece for batch in heard.batches(list(heard.files)) for piece in batch.pieces]
    assert [
        (task.language, task.weights, sorted(path.stem for path in task.files)) for task in tasks
    ] == [
        ("en", (Path("whisper en"),), ["a", "c"]),
        ("es", (Path("whisper es"),), ["d"]),
    ]


def test_a_condition_is_another_hearing_and_another_engine_another_key(
    weights: None, tmp_path: Path
) -> None:
    jobs = [job(tmp_path, "a")]
    plain, phone = make(jobs), make(jobs, ("wer", "phone_wer"))
    assert len(plain.files) == 1 and set(plain.files) < set(phone.files)
    assert [
        piece.condition for batch in phone.batches(list(phone.files)) for piece in batch.pieces
    ] == ["", "telephone"]
    assert not set(make(jobs, engine=FASTER).files) & set(plain.files)
    assert make(jobs, ("snr",)).files == {}


def test_words_are_counted_in_the_language_of_the_text(weights: None, tmp_path: Path) -> None:
    one = job(tmp_path, "a", text="Quiero dos cafés.", language="es")
    heard = make([one])
    (key,) = heard.files
    found = heard.errors_of(one, {key: Transcript(text="quiero tres cafés", judge="a parrot")})
    assert found.values == {"wer": pytest.approx(1 / 3), "cer": pytest.approx(3 / 16)}


def test_a_recogniser_that_fails_costs_the_files_of_its_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = TranscriptionTask(files=(Path("a"), Path("b")), weights=(Path("w"),))

    def fail(_: TranscriptionTask) -> list[Transcript]:
        raise MemoryError("no room")

    monkeypatch.setattr(transcription, "transcribe_files", fail)
    failed = Missing("the speech recogniser failed: MemoryError: no room")
    assert list(transcribe([task])) == [[Transcript(text=failed, judge="")] * 2]


def test_without_torch_the_other_judge_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    lost = transcription._recognizer.__wrapped__(OPENAI, (Path("model.bin"),))

    assert lost == not_installed(OPENAI, transcription.WITHOUT_TORCH)
    assert "voxgate[whisper], or pip install voxgate[words]" in lost.reason


def test_weights_that_are_not_whispers_stop_the_scoring(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: TranscriptionTask) -> list[Transcript]:
        raise HarnessError("ASR weights w do not fit Whisper")

    monkeypatch.setattr(transcription, "transcribe_files", refuse)
    with pytest.raises(HarnessError, match="do not fit Whisper"):
        list(transcribe([TranscriptionTask(files=(), weights=())]))
