"""Metrics by networks of the user's own: their names, their values, and what leaves them alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.harness.metrics.speech import RATE_HZ, speech, with_noise
from tests.harness.own_networks import brightness, voiceprint
from voxgate.harness.audio.recording import Recording
from voxgate.harness.errors import HarnessError
from voxgate.harness.metrics.metric import MetricInput, Need
from voxgate.harness.metrics.registry import (
    base_name,
    check_selection,
    entries,
    entry,
    family_of,
    full_version,
    own_model,
    select_metrics,
)
from voxgate.harness.models.own_model import ModelFile, files_of
from voxgate.harness.records.measurement import Missing, Value
from voxgate.harness.records.own_model import ModelKind, OwnModel, model_entries

SCORE = OwnModel(sha256="a" * 64, kind=ModelKind.MOS, rate_hz=16_000)
VOICE = OwnModel(sha256="b" * 64, kind=ModelKind.EMBEDDING, rate_hz=16_000)
MODELS = {"utmos": SCORE, "wavlm": VOICE}
NAMES = {"mos_utmos", "similarity_wavlm", "golden_similarity_wavlm", "voice_similarity_wavlm"}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def judge(tmp_path: Path) -> ModelFile:
    (file,) = files_of(model_entries({"utmos": brightness(tmp_path / "score.onnx")}))
    return file


@pytest.fixture
def listener(tmp_path: Path) -> ModelFile:
    named = {"wavlm": {"path": voiceprint(tmp_path / "voice.onnx"), "kind": "embedding"}}
    (file,) = files_of(model_entries(named))
    return file


def value(name: str, model: ModelFile, audio: np.ndarray, **inputs: Any) -> Value:
    source = entry(name).source
    assert source is not None
    return source.score(MetricInput(audio=Recording(audio, RATE_HZ), model=model, **inputs))


def test_they_are_found_by_name_and_not_listed() -> None:
    assert not NAMES & set(entries())
    assert {name for name in NAMES if name in entries()} >= NAMES
    assert "golden_mos_utmos" not in entries()
    assert "mos_" not in entries()
    assert entry("phone_similarity_wavlm").condition is not None
    assert base_name("golden_similarity_wavlm") == "similarity_wavlm"
    assert [own_model(name) for name in ("phone_mos_utmos", "wer")] == ["utmos", ""]
    assert [family_of(name) for name in ("mos_x", "similarity_x")] == ["naturalness", "voice"]
    assert entry("voice_similarity_x").source.need is Need.VOICE  # type: ignore[union-attr]


def test_a_suite_that_names_them_has_them_scored() -> None:
    own = {each.name for each in select_metrics(("wer",), (), MODELS)}
    assert own - {each.name for each in select_metrics(("wer",), ())} == NAMES
    heard = {each.name for each in select_metrics(("wer",), ("telephone",), MODELS)}
    assert {f"phone_{name}" for name in NAMES if not name.startswith("golden_")} <= heard


def test_a_name_without_a_file_and_a_name_that_is_taken_are_refused() -> None:
    check_selection(("mos_utmos",), (), MODELS)
    with pytest.raises(HarnessError, match="network of your own"):
        check_selection(("mos_utmos",), ())
    with pytest.raises(HarnessError, match="'similarity_margin' already"):
        check_selection(None, (), {"margin": VOICE})


def test_the_file_is_part_of_the_version() -> None:
    assert full_version("mos_utmos", MODELS) == f"1; model {'a' * 16} at 16000 Hz"
    assert full_version("mos_utmos") == "1"
    assert full_version("wer", MODELS) == full_version("wer")


def test_level_and_polarity_are_not_seen_and_noise_is(
    judge: ModelFile, listener: ModelFile
) -> None:
    clean, noisy = speech(), with_noise(speech(), 20.0)
    reference = Recording(clean, RATE_HZ)
    for name, model, least in (("mos_utmos", judge, 0.01), ("similarity_wavlm", listener, 5e-6)):
        plain = value(name, model, noisy, reference=reference)
        assert isinstance(plain, float)
        for level in (0.5, -1.0):
            again = value(name, model, level * noisy, reference=reference)
            assert again == pytest.approx(plain, rel=1e-3)
        assert abs(plain - value(name, model, clean, reference=reference)) > least  # type: ignore[operator]


def test_a_voice_is_most_like_itself(listener: ModelFile) -> None:
    inputs = {"reference": Recording(speech(), RATE_HZ), "voice": Recording(speech(), RATE_HZ)}
    for name in ("similarity_wavlm", "voice_similarity_wavlm"):
        assert value(name, listener, speech(), **inputs) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("audio", "reason"),
    [
        (np.zeros(0), "empty"),
        (np.zeros(RATE_HZ), "silent"),
        (np.full(RATE_HZ, np.nan), "NaN"),
        (speech()[: RATE_HZ // 20], "too short"),
    ],
)
def test_what_cannot_be_judged_is_missing(
    audio: np.ndarray, reason: str, judge: ModelFile, listener: ModelFile
) -> None:
    usual = Recording(speech(), RATE_HZ)
    for found in (
        value("mos_utmos", judge, audio),
        value("similarity_wavlm", listener, audio, reference=usual),
        value("similarity_wavlm", listener, speech(), reference=Recording(audio, RATE_HZ)),
    ):
        assert isinstance(found, Missing)
        assert reason in found.reason
