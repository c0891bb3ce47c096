"""
From content to the mel of a voice, and from a recording to the embedding of its voice.

The decoder is a regression: content, pitch and voice determine the mel, so nothing is drawn and one
pass is enough. The pitch is given relative to the middle of the voice's own range, since the same
octave is high in one voice and low in another.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from voxgate.engine.layers.convolution import ConvNeXtBlock
from voxgate.engine.layers.linear import Linear
from voxgate.engine.layers.mel import BANDS

KERNEL = 7
PITCH_SCALE = 4.0
"""Brings log F0, less the voice's median, to about unit variance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MelDecoderShape:
    """The hyperparameters of a MelDecoder."""

    content: int = 16
    voice: int = 64
    bands: int = BANDS
    width: int = 224
    hidden: int = 640
    blocks: int = 4


class MelDecoder(nn.Module):
    """Content, pitch and a voice's embedding -> mel, normalised as the DiT's."""

    def __init__(self, shape: MelDecoderShape) -> None:
        super().__init__()
        self.shape = shape
        self.frame_in = Linear(3 * (shape.content + 2), shape.width)
        self.voice_in = Linear(shape.voice, shape.width)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(shape.width, shape.hidden, gamma=0.5, kernel=KERNEL)
            for _ in range(shape.blocks)
        )
        self.norm = nn.LayerNorm(shape.width, eps=1e-6)
        self.out = Linear(shape.width, shape.bands)

    @property
    def context_frames(self) -> int:
        """Frames before and behind a frame that its mel depends on."""
        return 1 + len(self.blocks) * (KERNEL // 2)

    def forward(self, content: Tensor, pitch: Tensor, voiced: Tensor, voice: Tensor) -> Tensor:
        """
        Compute the mel.

        Args:
            content: (B, F, content) from the encoder.
            pitch: (B, F), natural logarithm of F0 less that of the voice's median; 0 if unvoiced.
            voiced: (B, F), 1 where voiced, else 0.
            voice: (B, voice), from `ReferenceEncoder`.

        Returns: (B, F, bands).
        """
        voiced = voiced.to(content.dtype)
        tone = torch.stack((pitch.to(content.dtype) * voiced * PITCH_SCALE, voiced), dim=-1)
        frames = torch.cat((content, tone), dim=-1)
        padded = nn.functional.pad(frames, (0, 0, 1, 1))
        x: Tensor = self.frame_in(torch.cat((padded[:, :-2], frames, padded[:, 2:]), dim=-1))
        x = x + self.voice_in(voice)[:, None]
        for block in self.blocks:
            x = block(x)
        mel: Tensor = self.out(self.norm(x))
        return mel


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceEncoderShape:
    """The hyperparameters of a ReferenceEncoder."""

    bands: int = BANDS
    width: int = 96
    hidden: int = 192
    blocks: int = 2
    voice: int = 64


class ReferenceEncoder(nn.Module):
    """Mel of a recording -> the embedding of its voice, a mean over time."""

    def __init__(self, shape: ReferenceEncoderShape) -> None:
        super().__init__()
        self.shape = shape
        self.frame_in = Linear(shape.bands, shape.width)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(shape.width, shape.hidden, gamma=0.5, kernel=KERNEL)
            for _ in range(shape.blocks)
        )
        self.norm = nn.LayerNorm(2 * shape.width, eps=1e-6)
        self.out = Linear(2 * shape.width, shape.voice)

    def forward(self, mel: Tensor) -> Tensor:
        """Embed a recording: mel (B, F, bands), normalised as the DiT's -> (B, voice)."""
        x: Tensor = self.frame_in(mel)
        for block in self.blocks:
            x = block(x)
        pooled = torch.cat((x.mean(dim=1), x.std(dim=1, correction=0)), dim=-1)
        embedding: Tensor = self.out(self.norm(pooled)).tanh()
        return embedding
