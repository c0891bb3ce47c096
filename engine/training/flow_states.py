"""
States of content for the DiT's text embedding: a task of the training alone.

The content encoder learns phones and their times better where it also has to tell what the DiT
would be given for them.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from voxgate.engine.layers.convolution import ConvNeXtBlock
from voxgate.engine.layers.linear import Linear


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowStatesShape:
    """The hyperparameters of a FlowStates."""

    speakers: int
    content: int = 16
    width: int = 128
    hidden: int = 320
    blocks: int = 3
    text_width: int = 128


class FlowStates(nn.Module):
    """Content (B, F, content) and speaker (B,) -> (B, F, text_width)."""

    def __init__(self, shape: FlowStatesShape) -> None:
        super().__init__()
        self.shape = shape
        self.content_in = Linear(shape.content, shape.width)
        self.speaker = nn.Embedding(shape.speakers + 1, shape.width)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(shape.width, shape.hidden, gamma=0.5) for _ in range(shape.blocks)
        )
        self.project = Linear(shape.width, shape.text_width)

    def forward(self, content: Tensor, speaker: Tensor) -> Tensor:
        """Compute the states that stand for the DiT's text embedding; `speaker` from 1."""
        x: Tensor = self.content_in(content) + self.speaker(speaker)[:, None]
        for block in self.blocks:
            x = block(x)
        states: Tensor = self.project(x)
        return states
