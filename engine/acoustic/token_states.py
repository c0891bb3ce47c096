"""
Conditioning of the DiT by speech tokens: codes at 25 Hz -> states at the mel's 62.5 frames/s.

The states take the place of `TextEmbedding`'s output, so the DiT and its weights are the same
whether a text or speech tokens are spoken. Trained to reproduce that output (distillation), then on
the flow itself with the DiT frozen: `voxgate.engine.training.train_token_states`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from voxgate.engine.layers.convolution import ConvNeXtBlock
from voxgate.engine.layers.linear import Linear
from voxgate.engine.layers.mel import HOP
from voxgate.engine.tokens.speech_tokenizer import LEVELS, TOKEN_SAMPLES, FiniteScalarQuantizer


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenStatesShape:
    """The hyperparameters of a TokenStates."""

    speakers: int
    width: int = 160
    hidden: int = 448
    blocks: int = 3
    text_width: int = 128
    text_blocks: int = 2


def frames_of(tokens: int) -> int:
    """Return how many mel frames so many tokens last, rounded down."""
    return tokens * TOKEN_SAMPLES // HOP


class TokenStates(nn.Module):
    """Codes (B, T) -> (B, F, text_width), F = `frames_of(T)`."""

    def __init__(self, shape: TokenStatesShape) -> None:
        super().__init__()
        self.shape = shape
        self.quantizer = FiniteScalarQuantizer()
        self.vector_in = Linear(len(LEVELS), shape.width)
        self.code = nn.Embedding(sum(LEVELS), shape.width)
        self.speaker = nn.Embedding(shape.speakers + 1, shape.width)
        self.question = nn.Embedding(3, shape.width)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(shape.width, shape.hidden, gamma=0.5) for _ in range(shape.blocks)
        )
        self.project = Linear(shape.width, shape.text_width)
        self.frame_blocks = nn.ModuleList(
            ConvNeXtBlock(shape.text_width, 2 * shape.text_width, gamma=0.5)
            for _ in range(shape.text_blocks)
        )

    def forward(self, codes: Tensor, speaker: Tensor, question: Tensor) -> Tensor:
        """
        Compute the states.

        Args:
            codes: int64 (B, T).
            speaker: (B,), from 1.
            question: (B,), 1 for a statement, 2 for a question.
        """
        return self.from_vectors(self.quantizer.vectors(codes), speaker, question)

    def from_vectors(self, vectors: Tensor, speaker: Tensor, question: Tensor) -> Tensor:
        """Compute the states from quantised vectors (B, T, dimensions), differentiably."""
        x: Tensor = self.vector_in(vectors.to(self.vector_in.weight.dtype))
        x = x + self._digits(vectors)
        x = x + (self.speaker(speaker) + self.question(question))[:, None]
        for block in self.blocks:
            x = block(x)
        x = upsample(self.project(x))
        for block in self.frame_blocks:
            x = block(x)
        return x

    def _digits(self, vectors: Tensor) -> Tensor:
        """Embed every dimension's level by a table: more than a linear map can tell apart."""
        steps = self.quantizer.steps
        digits = torch.round((vectors.float() + 1.0) / 2.0 * steps).long()
        starts = torch.tensor([0, *LEVELS[:-1]], device=vectors.device).cumsum(0)
        summed: Tensor = self.code(digits + starts).sum(dim=-2)
        return summed


def upsample(x: Tensor) -> Tensor:
    """
    Interpolate (B, T, C) at 25 Hz linearly to mel frames, (B, `frames_of(T)`, C).

    Token k is centred on sample (k + 1/4) * TOKEN_SAMPLES, mel frame j on j * HOP.
    """
    tokens = x.shape[1]
    frames = torch.arange(frames_of(tokens), device=x.device)
    at = (frames * (HOP / TOKEN_SAMPLES) - 0.25).clamp(0, tokens - 1)
    left = at.floor().long().clamp(max=max(tokens - 2, 0))
    share = (at - left).to(x.dtype)[:, None]
    right = (left + 1).clamp(max=tokens - 1)
    return torch.lerp(x[:, left], x[:, right], share)
