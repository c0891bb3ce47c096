"""What the models read off a recording, before any of them runs: its spectra, and its pitch."""

import numpy as np
import torch
from torch import Tensor

from voxgate.engine.conversion.content_encoder import content_filterbank, content_mel
from voxgate.engine.conversion.f0 import F0Track
from voxgate.engine.conversion.speakers import levelled_voice, voice_mel
from voxgate.engine.layers.mel import HOP

SEMITONES = 12.0
LARGEST_PITCH = 1.0
"""Of the logarithm of F0 less its median, as in training."""


def whole_frames(audio: np.ndarray) -> np.ndarray:
    """Return audio (T,) with silence to whole frames."""
    return np.pad(audio, (0, -audio.size % HOP))


def encoder_input(audio: np.ndarray) -> Tensor:
    """Return the content encoder's input (F, bands) of whole frames."""
    return content_mel(torch.from_numpy(audio)[None], content_filterbank())[0]


def own_mel(audio: np.ndarray) -> Tensor:
    """Return the recording's own log-mel (F, bands), of the vocoder's kind, at a voice's level."""
    return voice_mel(torch.from_numpy(levelled_voice(audio)))


def relative_pitch(track: F0Track, median_hz: float, shift: float) -> Tensor:
    """
    Return log F0 (F,) less that of `median_hz`, raised by `shift` semitones; 0 where unvoiced.

    The decoder's pitch is relative to the median of its voice, so relative to the source's own
    median it is the automatic shift.
    """
    raised = track.log - np.log(max(median_hz, 1.0)) + shift * np.log(2.0) / SEMITONES
    raised = raised.clip(-LARGEST_PITCH, LARGEST_PITCH)
    return torch.from_numpy(np.where(track.voiced, raised, 0.0).astype(np.float32))


def protected(converted: Tensor, moved: Tensor, voiced: Tensor, share: float) -> Tensor:
    """
    Return the mel with a part of the source's in frames without pitch.

    Args:
        converted: (F, bands).
        moved: (F, bands), the recording's own, moved to the mean of the voice's.
        voiced: (F,), 1 where voiced.
        share: of the converted mel.
    """
    return torch.where(voiced[:, None] > 0.5, converted, torch.lerp(moved, converted, share))
