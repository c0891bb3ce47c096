"""
S3Gen: speech tokens and a prompt to mel and audio; a recording to a prompt.

Noise and source are drawn by the caller, so that equal draws give equal audio.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxgate.engine.acoustic.solver import integrate
from voxgate.engine.chatterbox.campplus import XVECTOR, CAMPPlus
from voxgate.engine.chatterbox.hift import HiFT
from voxgate.engine.chatterbox.s3_tokenizer import VOCABULARY, S3Tokenizer, S3TokenizerShape
from voxgate.engine.chatterbox.s3gen_encoder import UPSAMPLING, WIDTH, UpsamplingEncoder
from voxgate.engine.chatterbox.s3gen_flow import (
    BANDS,
    Conditions,
    EstimatorShape,
    FlowEstimator,
)
from voxgate.engine.config import Solver
from voxgate.engine.errors import EngineError
from voxgate.engine.layers.linear import Linear
from voxgate.engine.layers.mel import slaney_filterbank

STEPS, CFG_RATE = 10, 0.7
"""The published defaults."""
RATE_HZ, N_FFT, HOP, TOP_HZ = 24_000, 1920, 480, 8000.0
MEL_FLOOR, POWER_EPSILON = 1e-5, 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class S3GenShape:
    """Sizes of the four models; the published ones are the defaults."""

    tokenizer: S3TokenizerShape = field(default_factory=S3TokenizerShape)
    layers: int = 6
    """Of the flow's encoder, before it doubles the rate."""
    up_layers: int = 4
    estimator: EstimatorShape = field(default_factory=EstimatorShape)
    hift_width: int = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Prompt:
    """
    A recording as S3Gen reads it.

    tokens: (N,), at most half as many as the mel has frames.
    mel: (R, 80).
    speaker: the x-vector, (192,).
    """

    tokens: Tensor
    mel: Tensor
    speaker: Tensor


class S3Flow(nn.Module):
    """Tokens to the conditions of a velocity, and the estimator of that velocity."""

    def __init__(self, shape: S3GenShape) -> None:
        super().__init__()
        self.input_embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.spk_embed_affine_layer = nn.Linear(XVECTOR, BANDS)
        self.encoder = UpsamplingEncoder(shape.layers, shape.up_layers)
        self.encoder_proj = Linear(WIDTH, BANDS)
        self.decoder = nn.ModuleDict({"estimator": FlowEstimator(shape.estimator)})

    @property
    def estimator(self) -> FlowEstimator:
        """Return the velocity's model."""
        return cast(FlowEstimator, self.decoder["estimator"])

    def encode(self, tokens: Tensor) -> Tensor:
        """Return the mean of the mel, (1, 2 N, 80), of the prompt's and new tokens (N,)."""
        mean: Tensor = self.encoder_proj(self.encoder(self.input_embedding(tokens[None])))
        return mean


class S3Gen(nn.Module):
    """The four models of `s3gen.safetensors`, under their published names."""

    def __init__(self, shape: S3GenShape) -> None:
        super().__init__()
        self.shape = shape
        self.tokenizer = S3Tokenizer(shape.tokenizer)
        self.speaker_encoder = CAMPPlus()
        self.flow = S3Flow(shape)
        self.mel2wav = HiFT(shape.hift_width)

    def read_prompt(self, audio_24khz: Tensor, audio_16khz: Tensor) -> S3Prompt:
        """Return a recording's prompt; both (T,) are the same audio, at two rates."""
        mel = prompt_mel(audio_24khz)
        tokens = self.tokenizer.tokenize(audio_16khz)[: len(mel) // UPSAMPLING]
        return S3Prompt(tokens=tokens, mel=mel, speaker=self.speaker_encoder.embed(audio_16khz))


def prompt_mel(audio: Tensor) -> Tensor:
    """Compute the flow's log-mel spectrogram, (T // 480, 80), of 24 kHz audio (T,)."""
    window = torch.hann_window(N_FFT, device=audio.device)
    padding = (N_FFT - HOP) // 2
    padded = F.pad(audio[None], (padding, padding), mode="reflect")
    spectrum = torch.stft(padded, N_FFT, HOP, window=window, center=False, return_complex=True)
    magnitude = (torch.view_as_real(spectrum).square().sum(dim=-1) + POWER_EPSILON).sqrt()
    filters = slaney_filterbank(RATE_HZ, n_fft=N_FFT, bands=BANDS, top_hz=TOP_HZ)
    return (filters.to(audio.device) @ magnitude[0]).clamp(min=MEL_FLOOR).log().T


def cosine_times(steps: int = STEPS) -> tuple[float, ...]:
    """Return steps + 1 times, 1 - cos(pi t / 2) for even t, in fp32 as published."""
    even = torch.linspace(0.0, 1.0, steps + 1)
    return tuple((1.0 - torch.cos(even * 0.5 * torch.pi)).tolist())


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowVelocity:
    """
    The guided velocity of one utterance, whatever does not depend on the noise computed before.

    forward: the estimator, or what a pass made of it.
    conditions: of both rows, or of one without guidance.
    times: every stage's projection of each time of the grid.
    embed: computes it for another time, which solvers of higher order ask for.
    cfg_rate: the strength of guidance.
    """

    forward: Callable[[Tensor, Tensor, Conditions], Tensor]
    conditions: Conditions
    times: dict[float, Tensor]
    embed: Callable[[Sequence[float]], Tensor]
    cfg_rate: float

    def __call__(self, state: Tensor, t: float) -> Tensor:
        """Return the velocity (1, T, 80) in fp32 at time t."""
        if t not in self.times:
            self.times[t] = self.embed([t])[0]
        noisy = state.to(self.conditions.convolved.dtype)
        velocity = self.forward(noisy, self.times[t], self.conditions).float()
        if velocity.shape[0] == 1:
            return velocity
        cond, uncond = velocity.chunk(2)
        return torch.lerp(uncond, cond, 1.0 + self.cfg_rate)


def flow_velocity(
    flow: S3Flow,
    tokens: Tensor,
    prompt: S3Prompt,
    times: Sequence[float],
    *,
    cfg_rate: float = CFG_RATE,
    forward: Callable[[Tensor, Tensor, Conditions], Tensor] | None = None,
) -> FlowVelocity:
    """
    Return the velocity of new tokens (N,) after a prompt.

    Args:
        flow: the models.
        tokens: of the speech that is wanted.
        prompt: of the voice.
        times: the grid that will be integrated.
        cfg_rate: strength of guidance; 0 leaves the unconditional row out.
        forward: what a pass made of the estimator; itself by default.

    Raises: EngineError for tokens that are no speech.
    """
    every = torch.cat((prompt.tokens, tokens))
    if every.numel() and not 0 <= int(every.min()) <= int(every.max()) < VOCABULARY:
        raise EngineError(
            f"speech tokens reach from {int(every.min())} to {int(every.max())}, the flow reads "
            f"0 to {VOCABULARY - 1}; drop the marks of start and end"
        )
    mean = flow.encode(every)
    shown = torch.zeros_like(mean)
    shown[:, : len(prompt.mel)] = prompt.mel.to(mean)
    speaker = flow.spk_embed_affine_layer(F.normalize(prompt.speaker.to(mean)[None], dim=1))
    estimator, rows = flow.estimator, 2 if cfg_rate > 0 else 1
    return FlowVelocity(
        forward=estimator if forward is None else forward,
        conditions=estimator.condition(mean, speaker, shown, rows=rows),
        times=dict(zip(times[:-1], estimator.embed_times(times[:-1]), strict=True)),
        embed=estimator.embed_times,
        cfg_rate=cfg_rate,
    )


def draw_noise(frames: int, generator: torch.Generator | None = None) -> Tensor:
    """Draw the flow's start, (1, frames, 80), in the published order: band by band."""
    return torch.randn(1, BANDS, frames, generator=generator).transpose(1, 2).contiguous()


def speech_mel(
    velocity: FlowVelocity,
    noise: Tensor,
    times: tuple[float, ...],
    prompt: S3Prompt,
    solver: Solver = Solver.EULER,
) -> Tensor:
    """
    Return the mel (1, T, 80) of the new tokens, without the prompt's frames.

    Args:
        velocity: from `flow_velocity`.
        noise: (1, frames of prompt and speech, 80).
        times: the grid, from `cosine_times` or of the solver.
        prompt: whose frames are cut off.
        solver: of the flow.
    """
    return integrate(velocity, noise, times, solver)[:, len(prompt.mel) :]
