"""The pipeline flow with a Spanish voice: its own phones and speakers, regions by the request."""

import numpy as np
import pytest

from voxgate.engine.alphabet import SPANISH_PHONE_IDS
from voxgate.engine.config import Language
from voxgate.engine.errors import EngineError
from voxgate.engine.pipelines import flow
from voxgate.engine.pipelines.flow import FlowPipeline
from voxgate.engine.pipelines.reel import speak_reel
from voxgate.engine.text.reel_script import ReelSegment
from voxgate.engine.weights.voice import DEFAULT_VOICE, load_voice

TEXT = "La llave de Zaragoza."


@pytest.fixture(name="spanish", scope="module")
def _spanish(spanish_folder):
    return FlowPipeline.load({"language": "es", "threads": 1, "nfe_steps": 2}, spanish_folder)


def _given(spanish, monkeypatch, **options):
    """Return the phones, speaker and speed that one synthesis gives to the duration model."""
    told = []
    predict = flow.predict_alignment

    def note(model, ids, **how):
        told.append((ids, how["speaker"], how["speed"]))
        return predict(model, ids, **how)

    with monkeypatch.context() as patch:
        patch.setattr(flow, "predict_alignment", note)
        audio = spanish.synthesize(TEXT, options)
    assert np.isfinite(audio).all()
    return told[0]


def test_a_region_changes_phones_pace_and_pitch_range(spanish, monkeypatch):
    castilian, lola, speed = _given(spanish, monkeypatch)
    river, wide, slow = _given(spanish, monkeypatch, region="rioplatense")

    assert (lola, speed, wide, slow) == (0, 1.0, 2, 0.75)
    theta, sh = SPANISH_PHONE_IDS["th"], SPANISH_PHONE_IDS["sh"]
    assert theta in castilian
    assert sh not in castilian
    assert theta not in river
    assert sh in river
    assert _given(spanish, monkeypatch, speaker="hugo", region="rioplatense")[1] == 3


def test_a_request_cannot_change_the_language(spanish):
    with pytest.raises(EngineError, match="option language cannot be set for one request"):
        spanish.synthesize(TEXT, {"language": "en"})
    with pytest.raises(EngineError, match="speaker slt speaks en, and language is es"):
        spanish.synthesize(TEXT, {"speaker": "slt"})


def test_an_english_voice_takes_no_region(make_pipeline):
    with pytest.raises(EngineError, match="region=mexico is an accent of Spanish"):
        make_pipeline().synthesize("Hello.", {"region": "mexico"})


def test_a_reel_has_the_speakers_of_its_language(spanish):
    told = [ReelSegment(speaker="lola", text="Hola."), ReelSegment(speaker="hugo", text="¿Sí?")]

    assert len(speak_reel(spanish, told, {"region": "mexico"}).captions) == 2
    with pytest.raises(EngineError, match="segment 1: speaker slt speaks en"):
        speak_reel(spanish, [ReelSegment(speaker="slt", text="Hola.")])


def test_a_voice_of_another_language_is_refused(spanish_folder, voice_folder):
    with pytest.raises(
        EngineError, match=r"know 35 phones and 4 speakers.*language=en has 50 and 3"
    ):
        load_voice(spanish_folder)
    with pytest.raises(EngineError, match="language=es has 35 and 4"):
        load_voice(voice_folder, Language.ES)


def test_a_spanish_voice_may_share_the_english_vocoder(spanish_folder, tmp_path):
    for name in ("acoustic", "durations"):
        (tmp_path / f"{name}.safetensors").symlink_to(spanish_folder / f"{name}.safetensors")

    shared = load_voice(tmp_path, Language.ES).vocoder.shape

    assert shared == load_voice(DEFAULT_VOICE).vocoder.shape
