"""
A voice as both halves of Chatterbox are told of it: from a recording, or from the checkpoint's own
`conds.pt`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import soxr
import torch
from torch import Tensor

from voxgate.engine.audio.reference_recording import load_speech
from voxgate.engine.chatterbox.s3gen import HOP, S3Gen, S3Prompt
from voxgate.engine.chatterbox.s3gen import RATE_HZ as S3GEN_HZ
from voxgate.engine.chatterbox.t3 import PROMPT_TOKENS, SPEECH_CODES, TOKENS_PER_SECOND
from voxgate.engine.chatterbox.voice_encoder import RATE_HZ as SPEAKER_HZ
from voxgate.engine.chatterbox.voice_encoder import VoiceEncoder, embed_speaker
from voxgate.engine.errors import EngineError
from voxgate.engine.weights.tensor_file import Unwrap, read_tensors

LONGEST_S = 10
"""Of the recording, for S3Gen."""
STORED = "conds.pt"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatterboxVoice:
    """
    The `speaker` (256,) and `prompt` (n,) of T3, and the prompt of S3Gen.
    """

    speaker: Tensor
    prompt: Tensor
    acoustic: S3Prompt


@torch.inference_mode()
def voice_of_recording(
    encoder: VoiceEncoder, s3gen: S3Gen, device: torch.device, content: bytes
) -> ChatterboxVoice:
    """
    Read a recording.

    Raises: EngineError for bytes that are no audio, and for audio that is silent, too short or too
    long.
    """
    high = load_speech(content, S3GEN_HZ, HOP)
    low = torch.from_numpy(soxr.resample(high, S3GEN_HZ, SPEAKER_HZ)).to(device)
    said = low[: PROMPT_TOKENS * SPEAKER_HZ // TOKENS_PER_SECOND]
    heard = torch.from_numpy(high[: LONGEST_S * S3GEN_HZ]).to(device)
    return ChatterboxVoice(
        speaker=embed_speaker(encoder, low),
        prompt=s3gen.tokenizer.tokenize(said, limit=PROMPT_TOKENS),
        acoustic=s3gen.read_prompt(heard, low[: LONGEST_S * SPEAKER_HZ]),
    )


def stored_voice(folder: Path) -> ChatterboxVoice | None:
    """
    Read the voice that a checkpoint comes with; None if it has none.

    Raises: EngineError for a file that is unreadable, or lacks a part.
    """
    path = folder / STORED
    if not path.exists():
        return None
    said, heard = (read_tensors(path, part) for part in (_part("t3"), _part("gen")))
    try:
        prompt = said["cond_prompt_speech_tokens"][0]
        acoustic = S3Prompt(
            tokens=heard["prompt_token"][0].long(),
            mel=heard["prompt_feat"][0].float(),
            speaker=heard["embedding"][0].float(),
        )
        voice = ChatterboxVoice(
            speaker=said["speaker_emb"].reshape(-1).float(), prompt=prompt.long(), acoustic=acoustic
        )
    except (KeyError, IndexError) as error:
        raise EngineError(
            f"weights {path}: missing or misshapen {error.args[0]}; give the checkpoint's own, or "
            "a reference"
        ) from None
    _check(path, voice)
    return voice


def _part(name: str) -> Unwrap:
    def unwrap(content: Mapping[object, object]) -> object:
        return content.get(name, content)

    return unwrap


def _check(path: Path, voice: ChatterboxVoice) -> None:
    heard = voice.acoustic
    tokens = torch.cat((voice.prompt.reshape(-1), heard.tokens.reshape(-1)))
    shapes = (voice.prompt.ndim, heard.tokens.ndim, heard.mel.ndim, heard.speaker.ndim)
    known = tokens.numel() and 0 <= int(tokens.min()) <= int(tokens.max()) < SPEECH_CODES
    if shapes != (1, 1, 2, 1) or not known or 2 * len(heard.tokens) > len(heard.mel):
        raise EngineError(
            f"weights {path}: no voice of Chatterbox (tokens beyond {SPEECH_CODES - 1}, or sizes "
            "that do not belong together); give the checkpoint's own, or a reference"
        )
