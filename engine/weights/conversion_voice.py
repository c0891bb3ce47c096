"""
Load the voice that recordings are converted into: encoders, decoder and table of speakers. The
vocoder is that of the voice `arctic`.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from voxgate.engine.config import F0Method
from voxgate.engine.conversion.content_encoder import ContentEncoder, ContentEncoderShape
from voxgate.engine.conversion.mel_decoder import (
    MelDecoder,
    MelDecoderShape,
    VoiceEncoder,
    VoiceEncoderShape,
)
from voxgate.engine.conversion.speakers import (
    SpeakerTable,
    SpeakerTableShape,
    TargetVoice,
    encode_reference,
)
from voxgate.engine.errors import EngineError
from voxgate.engine.vocoder.vocos import Vocos, VocosShape
from voxgate.engine.weights.voice import DEFAULT_VOICE, load_model, parse_number

CONVERSION_VOICE = DEFAULT_VOICE.parent / "arctic-conversion"
DECODER_FILE = "mel_decoder.safetensors"
SPEAKERS_FILE = "speakers.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionVoice:
    """
    The models, fp32 on the CPU; the names of the speakers; the mean and deviation of the mel; and
    the likeness of a source below which its words are often lost.
    """

    encoder: ContentEncoder
    decoder: MelDecoder
    voice_encoder: VoiceEncoder
    table: SpeakerTable
    speakers: tuple[str, ...]
    vocoder: Vocos
    mel_mean: float
    mel_std: float
    least_likeness: float

    def target(self, speaker: str) -> TargetVoice:
        """Return a voice of the table. Raises EngineError for one that the weights lack."""
        if speaker not in self.speakers:
            raise EngineError(
                f"speaker {speaker} is not in these weights; choose from {', '.join(self.speakers)}"
            )
        return self.table.target(self.speakers.index(speaker))

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
            return encode_reference(self.voice_encoder, self.normalised, method, content)


def load_conversion_voice(folder: Path = CONVERSION_VOICE) -> ConversionVoice:
    """
    Load `content_encoder`, `mel_decoder`, `voice_encoder` and `speakers` (.safetensors) from a
    folder, and `vocoder` from there if it has one, else from the voice `arctic`. The decoder's file
    holds the scale of its mel.

    Raises: EngineError as `load_voice`, and for models that do not fit each other.
    """
    base = folder if (folder / "vocoder.safetensors").exists() else DEFAULT_VOICE
    encoder, _ = load_model(
        folder / "content_encoder.safetensors",
        lambda shape: ContentEncoder(ContentEncoderShape(**shape)),
    )
    decoder, scale = load_model(
        folder / DECODER_FILE, lambda shape: MelDecoder(MelDecoderShape(**shape))
    )
    voice_encoder, _ = load_model(
        folder / "voice_encoder.safetensors", lambda shape: VoiceEncoder(VoiceEncoderShape(**shape))
    )
    table, about = load_model(
        folder / SPEAKERS_FILE, lambda shape: SpeakerTable(SpeakerTableShape(**shape))
    )
    vocoder, _ = load_model(base / "vocoder.safetensors", lambda shape: Vocos(VocosShape(**shape)))
    voice = ConversionVoice(
        encoder=encoder,
        decoder=decoder,
        voice_encoder=voice_encoder,
        table=table,
        speakers=_speakers(folder, about, table.shape.speakers),
        vocoder=vocoder,
        mel_mean=parse_number(folder, scale, "mel_mean", DECODER_FILE),
        mel_std=parse_number(folder, scale, "mel_std", DECODER_FILE),
        least_likeness=_least_likeness(folder, about),
    )
    _check_fit(folder, voice)
    return voice


def _check_fit(folder: Path, voice: ConversionVoice) -> None:
    """Raise EngineError for models whose outputs and inputs have other sizes."""
    decoder = voice.decoder.shape
    sizes = {
        "content": (voice.encoder.shape.content, decoder.content),
        "voice embedding": (voice.voice_encoder.shape.voice, decoder.voice),
        "embedding of speakers": (voice.table.shape.voice, decoder.voice),
        "mel of speakers": (voice.table.shape.bands, decoder.bands),
        "mel of references": (voice.voice_encoder.shape.bands, decoder.bands),
        "vocoder's mel": (voice.vocoder.shape.bands, decoder.bands),
    }
    for name, (given, needed) in sizes.items():
        if given != needed:
            raise EngineError(
                f"weights {folder}: {name} has {given} channels, and the decoder {needed}; restore "
                "the files"
            )


def _speakers(folder: Path, about: Mapping[str, str], count: int) -> tuple[str, ...]:
    """Read the names of the table's rows. Raises EngineError for other than so many names."""
    try:
        names = json.loads(about.get("speakers", ""))
    except (ValueError, RecursionError):
        names = None
    if (
        not isinstance(names, list)
        or len(names) != count
        or len(set(map(str, names))) != count
        or not all(isinstance(name, str) and name.isidentifier() for name in names)
    ):
        raise EngineError(
            f"weights {folder / SPEAKERS_FILE}: speakers in the file's metadata is no list of "
            f"{count} names; restore the file"
        )
    return tuple(names)


def _least_likeness(folder: Path, about: Mapping[str, str]) -> float:
    """Read the threshold. Raises EngineError for other than a number from 0 to 1."""
    try:
        value = float(about.get("least_likeness", ""))
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 1.0:
        raise EngineError(
            f"weights {folder / SPEAKERS_FILE}: least_likeness in the file's metadata is no number "
            "from 0 to 1; restore the file"
        )
    return value
