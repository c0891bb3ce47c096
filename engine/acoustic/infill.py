"""
Speaks in the voice of a recording by infilling (Le et al. 2023, Voicebox; Chen et al. 2024,
F5-TTS).

The mel of the recording stands at the beginning, noise behind it; the model is told the recording's
text and the new text, and fills in the rest. What it costs is the length of both: the recording
takes part in every forward pass.

A recording as a published F5-TTS model is told of it: 24 kHz, loud enough, its log-mel and its
text.

Level, trimming and the text's ending are those of the published command. One frame differs: the
package lets the last, half empty frame of the recording's mel be known, too, and gives it back as
the first of the new speech.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.acoustic.f5_dit import F5DiT
from engine.acoustic.guidance import CFGVelocity
from engine.acoustic.solver import integrate
from engine.audio.reference_recording import speech_of
from engine.config import Solver
from engine.duration.byte_rate import ByteRate
from engine.layers.mel import HOP, log_mel, mel_filterbank

Forward = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """
    What to fill in.

    reference: (R, bands) fp32 mel of the recording; R = 0 without one.
    characters: (N,) int64 of the recording's text and then the new one.
    frames: length of the recording and the gap together, more than R.
    """

    reference: Tensor
    characters: Tensor
    frames: int


def velocity_of(dit: F5DiT, forward: Forward, gap: Gap, strength: float) -> CFGVelocity:
    """
    Embed text and recording once for all steps; without guidance (`strength` 0) the unconditional
    half is left out.
    """
    known = torch.zeros(gap.frames, dit.shape.bands, device=gap.reference.device)
    known[: len(gap.reference)] = gap.reference
    told = [True, False] if strength > 0 else [True]
    text = torch.cat([dit.text_embed(gap.characters[None], gap.frames, told=each) for each in told])
    heard = torch.stack([known if each else torch.zeros_like(known) for each in told])
    return CFGVelocity(forward=forward, text=text, known=heard.to(text.dtype), strength=strength)


def fill_in(
    velocity: CFGVelocity,
    noise: Tensor,
    times: tuple[float, ...],
    solver: Solver,
    reference_frames: int,
) -> Tensor:
    """
    Follow the flow from `noise` (frames, bands) to the mel of the gap alone, (frames -
    reference_frames, bands).
    """
    return integrate(velocity, noise[None], times, solver)[0, reference_frames:]


SAMPLE_RATE_HZ = 24_000
FRAMES_PER_S = SAMPLE_RATE_HZ / HOP
LOG_FLOOR = 1e-5
LEAST_RMS = 0.1
"""A quieter recording is raised to this, and what is spoken is lowered as much again."""
CLOSING_FRAMES = 5
"""Silence behind the recording: about 50 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InfillPrompt:
    """
    `mel` (R, bands) of the recording, R = 0 without one; its `text`, closed; the `gain` of what is
    spoken.
    """

    mel: Tensor
    text: str
    gain: float

    @property
    def pace(self) -> ByteRate:
        """Give how fast the recording speaks."""
        return ByteRate(
            frames=len(self.mel), text_bytes=len(self.text.encode()), frames_per_s=FRAMES_PER_S
        )


def no_prompt(bands: int) -> InfillPrompt:
    """
    Give what the model is told when there is no recording: nothing to copy from, no text before the
    new one.
    """
    return InfillPrompt(mel=torch.zeros(0, bands), text="", gain=1.0)


def encode_infill(bands: int, content: bytes, text: str, _speaker: str) -> InfillPrompt:
    """Make a prompt of a recording and its text. Raises EngineError for what cannot be used."""
    speech = speech_of(content, SAMPLE_RATE_HZ, HOP)
    gain = max(1.0, LEAST_RMS / float(np.sqrt(np.square(speech, dtype=np.float64).mean())))
    audio = np.pad(speech * np.float32(gain), (0, CLOSING_FRAMES * HOP))
    mel = log_mel(
        torch.from_numpy(audio)[None], mel_filterbank(SAMPLE_RATE_HZ, bands=bands), floor=LOG_FLOOR
    )[0]
    prompt = InfillPrompt(mel=mel[: audio.size // HOP], text=closed(text), gain=1.0 / gain)
    prompt.pace.check()
    return prompt


def closed(text: str) -> str:
    """End the text as a sentence, and with the space that the next one needs."""
    return f"{text} " if text.endswith((".", "!", "?")) else f"{text}. "
