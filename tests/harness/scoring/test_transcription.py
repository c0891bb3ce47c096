"""Who has to listen to what, without anybody listening."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from voxgate.harness.audio.files import write_wav
from voxgate.harness.errors import HarnessError
from voxgate.harness.metrics.word_errors import ErrorCounts
from voxgate.harness.models.whisper_weights import WeightsFile, model_files
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
    recognizer_options,
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


def test_words_are_held_against_those_to_be_heard(weights: None, tmp_path: Path) -> None:
    asked = replace(
        job(tmp_path, "a", text="[sighs] Call 1407."), spoken="Call one four zero seven."
    )
    metrics = ("wer", "wer_verbatim", "deletions")
    heard = make([asked], metrics)
    (key,) = heard.files
    transcript = Transcript(text="Call 1407.", judge="a parrot", spelled="call fourteen oh seven")
    found = heard.errors_of(asked, {key: transcript})
    assert found.values == {"wer": 0.0, "wer_verbatim": 3 / 5, "deletions": 0.0}
    assert found.errors.verbatim == ErrorCounts(errors=3, reference_words=5)
    unspoken = heard.errors_of(replace(asked, spoken=""), {key: transcript})
    assert unspoken.values == {"wer": 1 / 3, "wer_verbatim": 1 / 3, "deletions": 1 / 3}


def test_a_judge_is_an_engine_or_the_path_of_a_model(tmp_path: Path) -> None:
    assert recognizer_options(OPENAI) == RecognizerOptions()
    assert recognizer_options(FASTER) == RecognizerOptions(engine=FASTER)
    converted = tmp_path / "converted"
    converted.mkdir()
    (converted / "model.bin").write_bytes(b"\x06\0\0\0\x0c\0WhisperSpec\0")
    assert recognizer_options(str(converted)) == RecognizerOptions(weights=converted, engine=FASTER)
    mine = tmp_path / "mine.safetensors"
    save_file({"encoder.conv1.weight": np.zeros((1, 1), np.float32)}, mine)
    assert recognizer_options(str(mine)) == RecognizerOptions(weights=mine)
    with pytest.raises(HarnessError, match=r"unknown judge 'whisper\.cpp'; known are"):
        recognizer_options("whisper.cpp")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.pt", None, "absent.pt do not exist; give a file ending in"),
        ("folder/", None, "folder hold no model; give a file ending in"),
        ("mine.onnx", b"x", "mine.onnx have an unknown ending; known are"),
        ("mine.pt", b"x" * 100, "mine.pt are no torch file of this format"),
        ("mine.bin", b"PK\x03\x04", "mine.bin are no CTranslate2 file of Whisper"),
        ("mine.safetensors", b"x" * 100, "mine.safetensors are no safetensors file"),
        ("mine.safetensors", b"\x02" + bytes(7) + b"[]", "mine.safetensors hold no Whisper"),
        ("mine.safetensors", b"\x08" + bytes(7) + b'{"a":{}}', "mine.safetensors hold no Whisper"),
        ("x" * 5000 + ".pt", None, "do not exist"),
    ],
)
def test_a_path_without_a_whisper_is_told_in_words(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if name.endswith("/"):
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(HarnessError, match=message):
        recognizer_options(str(path))


def test_a_folder_of_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    config = {"model_type": "bert", "d_model": 384, "encoder_attention_heads": 6}
    for changed, message in (
        ({}, "describes no Whisper"),
        ({"model_type": "whisper", "encoder_attention_heads": 8}, "has 8 heads for a width of 384"),
        ({"model_type": "whisper"}, "are no safetensors file"),
    ):
        (tmp_path / "config.json").write_text(json.dumps({**config, **changed}))
        with pytest.raises(HarnessError, match=message):
            recognizer_options(str(tmp_path))


def test_a_model_in_several_files_is_all_of_them(tmp_path: Path) -> None:
    parts = [tmp_path / f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    for path in parts:
        save_file({"model.encoder.conv1.weight": np.zeros((1, 1), np.float32)}, path)
    assert model_files(tmp_path) == tuple(parts)
    parts[0].unlink()
    with pytest.raises(HarnessError, match="hold no model"):
        recognizer_options(str(tmp_path))


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
