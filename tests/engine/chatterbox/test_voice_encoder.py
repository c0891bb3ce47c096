"""voxgate.engine.chatterbox.voice_encoder: windows, silence, Resemblyzer's weights."""

import importlib.util
from pathlib import Path

import pytest
import soundfile
import soxr
import torch
from safetensors.torch import save_file

from voxgate.engine.chatterbox.voice_encoder import (
    BANDS,
    STEP_FRAMES,
    WINDOW_FRAMES,
    VoiceEncoder,
    embed_speaker,
    load_voice_encoder,
    mel_power,
    split_windows,
    trim_silence,
)
from voxgate.engine.errors import EngineError

DATA = Path(__file__).parents[2] / "data"


def _recording(name="slt.flac"):
    audio, rate_hz = soundfile.read(DATA / name, dtype="float32")
    return torch.from_numpy(soxr.resample(audio, rate_hz, 16_000))


@pytest.mark.parametrize(
    ("frames", "count"), [(1, 1), (160, 1), (204, 1), (205, 2), (237, 2), (400, 4)]
)
def test_the_last_window_counts_if_it_is_four_fifths_full(frames, count):
    windows = split_windows(torch.arange(1.0, frames + 1)[:, None])

    assert windows.shape == (count, WINDOW_FRAMES, 1)
    assert float(windows[-1, 0, 0]) == 1.0 + STEP_FRAMES * (count - 1)


def test_silence_around_speech_changes_little_and_is_cut():
    speech = _recording()
    around = torch.cat((torch.zeros(16_000), speech, torch.zeros(16_000)))

    assert len(trim_silence(around)) < len(speech) + 2048
    assert len(trim_silence(torch.zeros(5000))) == 0


def test_a_silent_recording_is_refused():
    with pytest.raises(EngineError, match="the recording is silent"):
        embed_speaker(VoiceEncoder(), torch.zeros(16_000))


def test_the_published_weights_give_the_vector_that_the_package_gives():
    found = importlib.util.find_spec("resemblyzer")
    if found is None:
        pytest.skip("the package Resemblyzer, which carries the weights, is not installed")
    encoder = load_voice_encoder(Path(found.origin).with_name("pretrained.pt"))

    vector = embed_speaker(encoder, _recording())

    # chatterbox-tts 0.1.7, the same weights and recording, to four places
    assert float(vector[2]) == pytest.approx(0.2291, abs=1e-4)
    assert float(vector.norm()) == pytest.approx(1.0, abs=1e-6)
    assert [float(vector[place]) for place in (0, 1, 3, 4)] == [0.0] * 4


def test_a_missing_or_unknown_tensor_is_named(tmp_path):
    path = tmp_path / "ve.safetensors"
    tensors = VoiceEncoder().state_dict()
    save_file({**tensors, "extra": torch.zeros(1)}, path)
    with pytest.raises(EngineError, match="unknown tensors extra"):
        load_voice_encoder(path)

    tensors.pop("similarity_bias")
    save_file(tensors, path)
    with pytest.raises(EngineError, match="missing tensors similarity_bias"):
        load_voice_encoder(path)

    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(EngineError, match="not a voice encoder of Chatterbox"):
        load_voice_encoder(path)


def test_a_tone_has_its_power_in_one_band():
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(16_000) / 16_000)
    mel = mel_power(tone)

    assert mel.shape == (101, BANDS)
    assert float(mel[50].max() / mel[50].sum()) > 0.5
