"""
Speaks in the voice of a recording by infilling (Le et al. 2023, Voicebox; Chen et al. 2024, F5-TTS).

The mel of the recording stands at the beginning, noise behind it; the model is told the recording's text and the new text,
and fills in the rest. What it costs is the length of both: the recording takes part in every forward pass.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.acoustic.f5_dit import F5DiT
from engine.acoustic.guidance import Guided
from engine.acoustic.solver import integrate
from engine.config import Solver

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


def velocity_of(dit: F5DiT, forward: Forward, gap: Gap, strength: float) -> Guided:
    """Embed text and recording once for all steps; without guidance (`strength` 0) the unconditional half is left out."""
    known = torch.zeros(gap.frames, dit.shape.bands, device=gap.reference.device)
    known[: len(gap.reference)] = gap.reference
    told = [True, False] if strength > 0 else [True]
    text = torch.cat([dit.text_embed(gap.characters[None], gap.frames, told=each) for each in told])
    heard = torch.stack([known if each else torch.zeros_like(known) for each in told])
    return Guided(forward=forward, text=text, known=heard.to(text.dtype), strength=strength)


def fill_in(velocity: Guided, noise: Tensor, times: tuple[float, ...], solver: Solver, reference_frames: int) -> Tensor:
    """Follow the flow from `noise` (frames, bands) to the mel of the gap alone, (frames - reference_frames, bands)."""
    return integrate(velocity, noise[None], times, solver)[0, reference_frames:]
