"""
A recording as a published F5-TTS model is told of it: 24 kHz, loud enough, its log-mel and its text.

Level, trimming and the text's ending are those of the published command. One frame differs: the package lets the last,
half empty frame of the recording's mel be known, too, and gives it back as the first of the new speech.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.audio.reference_recording import speech_of
from engine.duration.byte_rate import Pace
from engine.layers.mel import HOP, log_mel, mel_filterbank

SAMPLE_RATE_HZ = 24_000
FRAMES_PER_S = SAMPLE_RATE_HZ / HOP
LOG_FLOOR = 1e-5
LEAST_RMS = 0.1
"""A quieter recording is raised to this, and what is spoken is lowered as much again."""
CLOSING_FRAMES = 5
"""Silence behind the recording: about 50 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InfillPrompt:
    """`mel` (R, bands) of the recording, R = 0 without one; its `text`, closed; the `gain` of what is spoken."""

    mel: Tensor
    text: str
    gain: float

    @property
    def pace(self) -> Pace:
        """Give how fast the recording speaks."""
        return Pace(frames=len(self.mel), text_bytes=len(self.text.encode()), frames_per_s=FRAMES_PER_S)


def no_prompt(bands: int) -> InfillPrompt:
    """Give what the model is told when there is no recording: nothing to copy from, no text before the new one."""
    return InfillPrompt(mel=torch.zeros(0, bands), text="", gain=1.0)


def encode_infill(bands: int, content: bytes, text: str, _speaker: str) -> InfillPrompt:
    """Make a prompt of a recording and its text. Raises EngineError for what cannot be used."""
    speech = speech_of(content, SAMPLE_RATE_HZ, HOP)
    gain = max(1.0, LEAST_RMS / float(np.sqrt(np.square(speech, dtype=np.float64).mean())))
    audio = np.pad(speech * np.float32(gain), (0, CLOSING_FRAMES * HOP))
    mel = log_mel(torch.from_numpy(audio)[None], mel_filterbank(SAMPLE_RATE_HZ, bands=bands), floor=LOG_FLOOR)[0]
    prompt = InfillPrompt(mel=mel[: audio.size // HOP], text=closed(text), gain=1.0 / gain)
    prompt.pace.check()
    return prompt


def closed(text: str) -> str:
    """End the text as a sentence, and with the space that the next one needs."""
    return f"{text} " if text.endswith((".", "!", "?")) else f"{text}. "
