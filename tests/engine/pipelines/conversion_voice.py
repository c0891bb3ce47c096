"""A tiny voice of conversion with random weights: noise, for tests alone."""

import json
from pathlib import Path

import torch

from tests.engine.conftest import TINY_VOCODER
from voxgate.engine.alphabet import PHONES
from voxgate.engine.config.conversion import TARGET_SPEAKERS
from voxgate.engine.conversion.content_encoder import ContentEncoder, ContentEncoderShape
from voxgate.engine.conversion.mel_decoder import (
    MelDecoder,
    MelDecoderShape,
    VoiceEncoder,
    VoiceEncoderShape,
)
from voxgate.engine.conversion.speakers import SpeakerTable, SpeakerTableShape
from voxgate.engine.vocoder.vocos import Vocos
from voxgate.engine.weights.voice import save_model

TINY_ENCODER = ContentEncoderShape(phones=len(PHONES), width=24, hidden=32, blocks=2, classifier=16)
TINY_DECODER = MelDecoderShape(width=24, hidden=32, blocks=2, voice=8)
TINY_VOICE_ENCODER = VoiceEncoderShape(width=16, hidden=24, blocks=1, voice=8)
TABLE = SpeakerTableShape(speakers=len(TARGET_SPEAKERS), voice=8)


def write_conversion_voice(folder: Path, *, least_likeness: float = 0.0) -> Path:
    """Write every file of a voice of conversion, with seeded random weights."""
    torch.manual_seed(5)
    folder.mkdir(parents=True, exist_ok=True)
    models = {
        "content_encoder": ContentEncoder(TINY_ENCODER),
        "mel_decoder": MelDecoder(TINY_DECODER),
        "voice_encoder": VoiceEncoder(TINY_VOICE_ENCODER),
        "vocoder": Vocos(TINY_VOCODER),
        "speakers": SpeakerTable(TABLE),
    }
    torch.nn.init.normal_(models["speakers"].embedding)
    about = {
        "mel_decoder": {"mel_mean": "-3.0", "mel_std": "2.0"},
        "speakers": {
            "speakers": json.dumps(TARGET_SPEAKERS),
            "least_likeness": str(least_likeness),
        },
    }
    for name, model in models.items():
        save_model(folder / f"{name}.safetensors", model, model.shape, **about.get(name, {}))
    return folder
