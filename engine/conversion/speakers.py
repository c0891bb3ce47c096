"""The voices that the embedded models convert into: their embeddings and pitches."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from voxgate.engine.alphabet import SAMPLE_RATE_HZ
from voxgate.engine.audio.postprocess import PEAK_LIMIT, active_rms
from voxgate.engine.audio.reference_recording import load_speech
from voxgate.engine.config import F0Method
from voxgate.engine.conversion.f0 import estimate_f0
from voxgate.engine.layers.mel import HOP, log_mel, mel_filterbank

VOICE_RMS = 0.12
"""Level at which a recording of a voice is encoded, that of the training voices."""
USUAL_HZ = 150.0
"""Pitch of a reference in which none is found: whispered, for example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetVoice:
    """A voice to convert into."""

    embedding: Tensor
    """(voice,) fp32."""
    f0_median_hz: float


def encode_reference(
    embed: Callable[[Tensor], Tensor],
    normalise: Callable[[Tensor], Tensor],
    method: F0Method,
    content: bytes,
) -> TargetVoice:
    """
    Encode a recording as a voice to convert into.

    Args:
        embed: normalised mel (1, F, bands) -> (1, voice).
        normalise: log-mel -> the decoder's scale.
        method: estimator of its F0.
        content: bytes of an audio file.

    Raises: EngineError for a recording that cannot be used.
    """
    speech = load_speech(content, SAMPLE_RATE_HZ, HOP)
    mel = normalise(voice_mel(torch.from_numpy(levelled_voice(speech))))
    return TargetVoice(
        embedding=embed(mel[None])[0].float(),
        f0_median_hz=estimate_f0(speech, method).median_hz(USUAL_HZ),
    )


def levelled_voice(speech: np.ndarray) -> np.ndarray:
    """Return speech (T,) at VOICE_RMS, less if a peak would exceed full scale."""
    gain = min(VOICE_RMS / max(active_rms(speech), 1e-6), PEAK_LIMIT / float(np.abs(speech).max()))
    return np.asarray(speech * np.float32(gain))


def voice_mel(audio: Tensor) -> Tensor:
    """Return the log-mel (F, bands) of audio (T,), of the vocoder's kind."""
    return log_mel(audio[None], mel_filterbank(SAMPLE_RATE_HZ))[0]
