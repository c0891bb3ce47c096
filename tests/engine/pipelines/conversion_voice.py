"""A tiny voice of conversion with random weights: noise, for tests alone."""

from pathlib import Path

import torch

from tests.engine.conftest import TINY_VOCODER
from voxgate.engine.alphabet import PHONES
from voxgate.engine.conversion.content_encoder import ContentEncoder, ContentEncoderShape
from voxgate.engine.conversion.mel_decoder import (
    MelDecoder,
    MelDecoderShape,
    ReferenceEncoder,
    ReferenceEncoderShape,
)
from voxgate.engine.vocoder.vocos import Vocos
from voxgate.engine.weights.conversion_voice import TARGETS, TargetVoices, TargetVoicesShape
from voxgate.engine.weights.voice import save_model

TINY_ENCODER = ContentEncoderShape(phones=len(PHONES), width=24, hidden=32, blocks=2, classifier=16)
TINY_DECODER = MelDecoderShape(width=24, hidden=32, blocks=2, voice=8)
TINY_REFERENCE = ReferenceEncoderShape(width=16, hidden=24, blocks=1, voice=8)


def write_conversion_voice(folder: Path, *, least_likeness: float = 0.0) -> Path:
    """Write every file of a voice of conversion, with seeded random weights."""
    torch.manual_seed(5)
    folder.mkdir(parents=True, exist_ok=True)
    models = {
        "content_encoder": ContentEncoder(TINY_ENCODER),
        "mel_decoder": MelDecoder(TINY_DECODER),
        "reference_encoder": ReferenceEncoder(TINY_REFERENCE),
        "vocoder": Vocos(TINY_VOCODER),
        "targets": TargetVoices(TargetVoicesShape(targets=len(TARGETS), voice=8)),
    }
    torch.nn.init.normal_(models["targets"].embedding)
    torch.nn.init.constant_(models["targets"].log_f0, 5.0)
    about = {
        "mel_decoder": {"mel_mean": "-3.0", "mel_std": "2.0"},
        "content_encoder": {"least_likeness": str(least_likeness)},
    }
    for name, model in models.items():
        save_model(folder / f"{name}.safetensors", model, model.shape, **about.get(name, {}))
    return folder
