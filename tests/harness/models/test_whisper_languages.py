"""
The real multilingual Whisper on a real Spanish recording, from the weights' place to the word error
rate.
"""

from pathlib import Path

import numpy as np
import pytest
import soxr
import whisper

from tests.harness.metrics.speech import PATH, TEXT, speech
from voxgate.harness.audio.files import read_audio
from voxgate.harness.metrics.word_errors import ErrorCounts, word_errors
from voxgate.harness.models import whisper as asr
from voxgate.harness.models.whisper import (
    MOST_TOKENS,
    RATE_HZ,
    WHOLE,
    WhisperRecognizer,
    most_tokens,
)
from voxgate.harness.models.whisper_weights import BASE, WeightsFile, locate_weights, packaged_paths
from voxgate.harness.scoring.scorer import AudioJob, score_quality
from voxgate.harness.scoring.transcription import FASTER, OPENAI, RecognizerOptions

SPANISH_PATH = PATH.with_name("es.flac")
SPANISH_TEXT = "Quiero aprender a tocar la guitarra."

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not packaged_paths(BASE), reason=f"{' and '.join(BASE.packages)} are not installed"
    ),
]


@pytest.fixture(scope="module")
def weights() -> WeightsFile:
    found = locate_weights(None, language="es")
    assert isinstance(found, WeightsFile)
    return found


@pytest.fixture(scope="module")
def judge(weights: WeightsFile) -> WhisperRecognizer:
    return asr.load_recognizer(weights.path, *weights.more)


@pytest.fixture(scope="module")
def spanish() -> np.ndarray:
    frames, rate_hz = read_audio(SPANISH_PATH)
    return np.asarray(soxr.resample(frames, rate_hz, RATE_HZ, quality="HQ"), dtype=np.float32)


def test_spanish_is_understood_and_english_is_too(judge: WhisperRecognizer, spanish: np.ndarray):
    (heard,) = judge.transcribe([spanish], "es")
    assert word_errors(SPANISH_TEXT, heard, "es") == ErrorCounts(
        errors=0, reference_words=len(SPANISH_TEXT.split())
    )
    assert judge.transcribe([speech().astype(np.float32)], "en") == [TEXT]


def test_outside_english_the_whole_window_is_encoded(
    judge: WhisperRecognizer, spanish: np.ndarray, monkeypatch: pytest.MonkeyPatch
):
    encoded = []
    features = WhisperRecognizer.features

    def note(self: WhisperRecognizer, pieces: list[np.ndarray], seconds: int):
        encoded.append(seconds)
        return features(self, pieces, seconds)

    monkeypatch.setattr(WhisperRecognizer, "features", note)
    judge.transcribe([spanish], "es")
    judge.transcribe([speech().astype(np.float32)], "en")
    assert encoded == [30, 5]
    assert judge.name_in("es") == f"{judge.name}, {WHOLE}" != judge.name_in("en")


def test_the_language_is_told_and_not_guessed(
    judge: WhisperRecognizer, spanish: np.ndarray, monkeypatch: pytest.MonkeyPatch
):
    asked = []
    decode = whisper.decode
    monkeypatch.setattr(
        "whisper.decode", lambda *given: asked.append(given[-1].language) or decode(*given)
    )
    monkeypatch.setattr("whisper.model.Whisper.detect_language", lambda *_: pytest.fail("guessed"))
    judge.transcribe([spanish[:RATE_HZ]], "es")
    assert asked == ["es"]


def test_it_knows_many_languages_by_their_codes(judge: WhisperRecognizer):
    assert [judge.knows(each) for each in ("en", "es", "ja")] == [True] * 3
    assert [judge.knows(each) for each in ("spanish", "tlh", "yue")] == [False] * 3


def test_a_loop_is_bounded_by_the_length_of_the_audio_and_not_by_the_window():
    assert most_tokens(5, "es") == most_tokens(5, "en") == 70 < most_tokens(5, "hi") < MOST_TOKENS
    assert {most_tokens(30, language) for language in ("en", "es", "hi", "ja")} == {MOST_TOKENS}


@pytest.mark.parametrize("engine", [OPENAI, FASTER])
def test_the_scorer_counts_spanish_errors(tmp_path: Path, engine: str):
    if engine == FASTER:
        pytest.importorskip("faster_whisper")
    job = AudioJob(
        key="es", utterance="es", path=SPANISH_PATH, text=SPANISH_TEXT + " ¿Sí?", language="es-MX"
    )
    options = RecognizerOptions(engine=engine)
    scored = score_quality(
        [job], cache_dir=tmp_path, judge=options, metrics=("wer", "cer", "wer_macro"), workers=1
    )["es"]
    assert scored.values == {"wer": 1 / 7, "cer": 3 / 38, "wer_macro": 1 / 7}
    assert f"; {engine} base " in scored.versions["wer"]
    assert ", language es, numbers as words" in scored.versions["wer"]
