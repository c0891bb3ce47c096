"""
Voice cloning by infilling (Le et al. 2023, Voicebox; Chen et al. 2024, F5-TTS).

The prompt's mel stands at the beginning, noise behind it.
The text input is the prompt's transcript and then the new text; the model fills in the rest of the
mel.
The cost grows with both lengths, because the prompt takes part in every forward pass.

The prompt as a published F5-TTS model expects it: 24 kHz, a minimum level, its log-mel and its
transcript.
Level, trimming and the end of the transcript are those of the published command.
One frame differs: the package also conditions on the last, half empty frame of the prompt's mel,
and returns it as the first of the new speech.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from voxgate.engine.acoustic.f5_dit import F5DiT
from voxgate.engine.acoustic.guidance import CFGVelocity
from voxgate.engine.acoustic.solver import integrate
from voxgate.engine.audio.reference_recording import load_speech
from voxgate.engine.config import Solver
from voxgate.engine.duration.byte_rate import ByteRate
from voxgate.engine.layers.mel import HOP, log_mel, mel_filterbank

Forward = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class InfillInput:
    """
    The input of one infilling.

    prompt_mel: (R, bands) fp32, R = 0 without a prompt.
    characters: (N,) int64, the prompt's transcript and then the new text.
    frames: mel frames of the prompt and the new speech together, more than R.
    """

    prompt_mel: Tensor
    characters: Tensor
    frames: int


def infill_velocity(
    dit: F5DiT, forward: Forward, infill_input: InfillInput, strength: float
) -> CFGVelocity:
    """
    Return the CFG velocity; text and prompt are embedded once for all steps.

    With `strength` 0 (no guidance) the unconditional row is left out.
    """
    prompt_mel = torch.zeros(
        infill_input.frames, dit.shape.bands, device=infill_input.prompt_mel.device
    )
    prompt_mel[: len(infill_input.prompt_mel)] = infill_input.prompt_mel
    row_kinds = [True, False] if strength > 0 else [True]
    text = torch.cat(
        [
            dit.text_embed(
                infill_input.characters[None], infill_input.frames, conditional=is_conditional
            )
            for is_conditional in row_kinds
        ]
    )
    prompt_rows = torch.stack(
        [
            prompt_mel if is_conditional else torch.zeros_like(prompt_mel)
            for is_conditional in row_kinds
        ]
    )
    return CFGVelocity(
        forward=forward, text=text, prompt_mel=prompt_rows.to(text.dtype), strength=strength
    )


def infill_mel(
    velocity: CFGVelocity,
    noise: Tensor,
    times: tuple[float, ...],
    solver: Solver,
    prompt_frames: int,
) -> Tensor:
    """
    Integrate the flow from `noise` (frames, bands) and return the new speech's mel alone.

    Returns: (frames - prompt_frames, bands).
    """
    return integrate(velocity, noise[None], times, solver)[0, prompt_frames:]


SAMPLE_RATE_HZ = 24_000
FRAMES_PER_S = SAMPLE_RATE_HZ / HOP
LOG_FLOOR = 1e-5
MIN_RMS = 0.1
"""A quieter prompt is raised to this level, and the new speech is lowered by the same factor."""
CLOSING_FRAMES = 5
"""Silence behind the prompt: about 50 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InfillPrompt:
    """
    A prompt as the model is conditioned on it.

    mel: (R, bands), R = 0 without a prompt.
    text: the transcript, ended as a sentence.
    gain: factor on the new speech, which undoes the raised level.
    """

    mel: Tensor
    text: str
    gain: float

    @property
    def byte_rate(self) -> ByteRate:
        """The speaking rate of the prompt."""
        return ByteRate(
            frames=len(self.mel), text_bytes=len(self.text.encode()), frames_per_s=FRAMES_PER_S
        )


def empty_prompt(bands: int) -> InfillPrompt:
    """Return the prompt of a synthesis without one: no mel, no text before the new text."""
    return InfillPrompt(mel=torch.zeros(0, bands), text="", gain=1.0)


def encode_infill(bands: int, content: bytes, text: str, _speaker: str) -> InfillPrompt:
    """
    Encode a recording and its transcript as a prompt.

    Raises: EngineError for a recording that cannot be used.
    """
    speech = load_speech(content, SAMPLE_RATE_HZ, HOP)
    gain = max(1.0, MIN_RMS / float(np.sqrt(np.square(speech, dtype=np.float64).mean())))
    audio = np.pad(speech * np.float32(gain), (0, CLOSING_FRAMES * HOP))
    mel = log_mel(
        torch.from_numpy(audio)[None], mel_filterbank(SAMPLE_RATE_HZ, bands=bands), floor=LOG_FLOOR
    )[0]
    prompt = InfillPrompt(mel=mel[: audio.size // HOP], text=as_sentence(text), gain=1.0 / gain)
    prompt.byte_rate.check()
    return prompt


def as_sentence(text: str) -> str:
    """End the text as a sentence, and with a space before the next one."""
    return f"{text} " if text.endswith((".", "!", "?")) else f"{text}. "
