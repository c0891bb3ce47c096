"""
Load the voice that converts recordings: content encoder, mel decoder, reference encoder, and the
voices that it can speak. The vocoder is that of the voice `arctic`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from voxgate.engine.config import F0Method
from voxgate.engine.config.conversion import TARGET_SPEAKERS
from voxgate.engine.conversion.content_encoder import ContentEncoder, ContentEncoderShape
from voxgate.engine.conversion.mel_decoder import (
    MelDecoder,
    MelDecoderShape,
    ReferenceEncoder,
    ReferenceEncoderShape,
)
from voxgate.engine.conversion.speakers import TargetVoice, encode_reference
from voxgate.engine.errors import EngineError
from voxgate.engine.vocoder.vocos import Vocos, VocosShape
from voxgate.engine.weights.voice import DEFAULT_VOICE, load_model, parse_number

CONVERSION_VOICE = DEFAULT_VOICE.parent / "arctic-conversion"
TARGETS = TARGET_SPEAKERS
"""Voices that a recording can be converted to, in the order of the stored embeddings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetVoicesShape:
    """The sizes of TargetVoices."""

    targets: int
    voice: int


class TargetVoices(nn.Module):
    """embedding (targets, voice) of each voice, and log_f0 (targets,), its median in log Hz."""

    def __init__(self, shape: TargetVoicesShape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Parameter(torch.zeros(shape.targets, shape.voice))
        self.log_f0 = nn.Parameter(torch.zeros(shape.targets))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionVoice:
    """
    The models, fp32 on the CPU, the mean and deviation of the normalised mel, and the likeness of a
    source to the training voices below which its words are often lost.
    """

    encoder: ContentEncoder
    decoder: MelDecoder
    reference_encoder: ReferenceEncoder
    targets: TargetVoices
    vocoder: Vocos
    mel_mean: float
    mel_std: float
    least_likeness: float

    def target(self, speaker: str) -> TargetVoice:
        """Return one of TARGETS."""
        row = TARGETS.index(speaker)
        return TargetVoice(
            embedding=self.targets.embedding[row].detach(),
            f0_median_hz=math.exp(float(self.targets.log_f0[row])),
        )

    def normalised(self, mel: Tensor) -> Tensor:
        """Return a log-mel in the decoder's scale."""
        return (mel - self.mel_mean) / self.mel_std

    def vocoder_mel(self, mel: Tensor) -> Tensor:
        """Return the decoder's mel in the vocoder's scale, fp32."""
        return mel.float() * self.mel_std + self.mel_mean

    def encode_reference(
        self, method: F0Method, content: bytes, transcript: str, speaker: str
    ) -> TargetVoice:
        """
        Encode a recording as a voice to convert into; nothing reads its transcript.

        Raises: EngineError for a recording that cannot be used.
        """
        with torch.inference_mode():
            return encode_reference(self.reference_encoder, self.normalised, method, content)


def load_conversion_voice(folder: Path = CONVERSION_VOICE) -> ConversionVoice:
    """
    Load `content_encoder`, `mel_decoder`, `reference_encoder` and `targets` (.safetensors) from a
    folder, and `vocoder` from there if it has one, else from the voice `arctic`.

    Raises: EngineError as `load_voice`, and for models that do not fit together.
    """
    base = folder if (folder / "vocoder.safetensors").exists() else DEFAULT_VOICE
    encoder, about = load_model(
        folder / "content_encoder.safetensors",
        lambda shape: ContentEncoder(ContentEncoderShape(**shape)),
    )
    decoder, scale = load_model(
        folder / "mel_decoder.safetensors", lambda shape: MelDecoder(MelDecoderShape(**shape))
    )
    reference_encoder, _ = load_model(
        folder / "reference_encoder.safetensors",
        lambda shape: ReferenceEncoder(ReferenceEncoderShape(**shape)),
    )
    targets, _ = load_model(
        folder / "targets.safetensors", lambda shape: TargetVoices(TargetVoicesShape(**shape))
    )
    vocoder, _ = load_model(base / "vocoder.safetensors", lambda shape: Vocos(VocosShape(**shape)))
    voice = ConversionVoice(
        encoder=encoder,
        decoder=decoder,
        reference_encoder=reference_encoder,
        targets=targets,
        vocoder=vocoder,
        mel_mean=parse_number(folder, scale, "mel_mean", "mel_decoder.safetensors"),
        mel_std=parse_number(folder, scale, "mel_std", "mel_decoder.safetensors"),
        least_likeness=_least_likeness(folder, about),
    )
    _check_fit(folder, voice)
    return voice


def _least_likeness(folder: Path, about: Mapping[str, str]) -> float:
    """
    Read the threshold from the encoder's metadata, 0 without one. Raises EngineError for other than
    a number from 0 to 1.
    """
    try:
        value = float(about.get("least_likeness", "0"))
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 1.0:
        raise EngineError(
            f"weights {folder / 'content_encoder.safetensors'}: least_likeness in the file's "
            "metadata is no number from 0 to 1; restore the file"
        )
    return value


def _check_fit(folder: Path, voice: ConversionVoice) -> None:
    content = voice.encoder.shape.content
    pairs = {
        "mel_decoder's content": (voice.decoder.shape.content, content),
        "mel_decoder's voice": (voice.decoder.shape.voice, voice.reference_encoder.shape.voice),
        "targets' voice": (voice.targets.shape.voice, voice.reference_encoder.shape.voice),
        "targets": (voice.targets.shape.targets, len(TARGETS)),
        "mel_decoder's bands": (voice.decoder.shape.bands, voice.vocoder.shape.bands),
    }
    for name, (found, needed) in pairs.items():
        if found != needed:
            raise EngineError(
                f"weights {folder}: {name} are {found} and the other models need {needed}; restore "
                "the files"
            )
