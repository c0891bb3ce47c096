"""
Load the voice that converts recordings: content encoder, mel decoder, voice encoder, the voices
that it can speak, and the states by which the DiT of another voice refines a mel. The DiT and the
vocoder are those of the voice `arctic`.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from voxgate.engine.acoustic.dit import DiT, DiTShape
from voxgate.engine.conversion.content_encoder import ContentEncoder, ContentEncoderShape
from voxgate.engine.conversion.mel_decoder import (
    MelDecoder,
    MelDecoderShape,
    ReferenceEncoder,
    ReferenceEncoderShape,
)
from voxgate.engine.conversion.refinement import FlowStates, FlowStatesShape
from voxgate.engine.errors import EngineError
from voxgate.engine.vocoder.vocos import Vocos, VocosShape
from voxgate.engine.weights.voice import DEFAULT_VOICE, load_model, parse_number

CONVERSION_VOICE = DEFAULT_VOICE.parent / "arctic-conversion"
TARGETS = ("slt", "rms", "awb", "kal16")
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
    The models, fp32 on the CPU, and the mean and deviation of the normalised mel.
    """

    encoder: ContentEncoder
    decoder: MelDecoder
    reference_encoder: ReferenceEncoder
    targets: TargetVoices
    states: FlowStates
    dit: DiT
    vocoder: Vocos
    mel_mean: float
    mel_std: float


def load_conversion_voice(folder: Path = CONVERSION_VOICE) -> ConversionVoice:
    """
    Load `content_encoder`, `mel_decoder`, `reference_encoder`, `targets` and `flow_states`
    (.safetensors) from a folder, and `acoustic` and `vocoder` from there if it has them, else from
    the voice `arctic`.

    Raises: EngineError as `load_voice`, and for models that do not fit together.
    """
    base = folder if (folder / "acoustic.safetensors").exists() else DEFAULT_VOICE
    encoder, _ = load_model(
        folder / "content_encoder.safetensors",
        lambda shape: ContentEncoder(ContentEncoderShape(**shape)),
    )
    decoder, _ = load_model(
        folder / "mel_decoder.safetensors", lambda shape: MelDecoder(MelDecoderShape(**shape))
    )
    reference_encoder, _ = load_model(
        folder / "reference_encoder.safetensors",
        lambda shape: ReferenceEncoder(ReferenceEncoderShape(**shape)),
    )
    targets, _ = load_model(
        folder / "targets.safetensors", lambda shape: TargetVoices(TargetVoicesShape(**shape))
    )
    states, _ = load_model(
        folder / "flow_states.safetensors", lambda shape: FlowStates(FlowStatesShape(**shape))
    )
    dit, metadata = load_model(base / "acoustic.safetensors", lambda shape: DiT(DiTShape(**shape)))
    vocoder, _ = load_model(base / "vocoder.safetensors", lambda shape: Vocos(VocosShape(**shape)))
    voice = ConversionVoice(
        encoder=encoder,
        decoder=decoder,
        reference_encoder=reference_encoder,
        targets=targets,
        states=states,
        dit=dit,
        vocoder=vocoder,
        mel_mean=parse_number(base, metadata, "mel_mean"),
        mel_std=parse_number(base, metadata, "mel_std"),
    )
    _check_fit(folder, voice)
    return voice


def _check_fit(folder: Path, voice: ConversionVoice) -> None:
    content = voice.encoder.shape.content
    pairs = {
        "mel_decoder's content": (voice.decoder.shape.content, content),
        "flow_states' content": (voice.states.shape.content, content),
        "mel_decoder's voice": (voice.decoder.shape.voice, voice.reference_encoder.shape.voice),
        "targets' voice": (voice.targets.shape.voice, voice.reference_encoder.shape.voice),
        "targets": (voice.targets.shape.targets, len(TARGETS)),
        "flow_states' text_width": (voice.states.shape.text_width, voice.dit.shape.text_width),
        "mel_decoder's bands": (voice.decoder.shape.bands, voice.vocoder.shape.bands),
    }
    for name, (found, needed) in pairs.items():
        if found != needed:
            raise EngineError(
                f"weights {folder}: {name} are {found} and the other models need {needed}; restore "
                "the files"
            )
