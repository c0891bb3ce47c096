"""
Duration predictor: mel frames per phone, from phones, speaker and question flag.

A small convolutional network.
"""

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class DurationShape:
    """The hyperparameters of a duration model."""

    phones: int
    speakers: int
    width: int = 96
    layers: int = 3


class DurationModel(nn.Module):
    """Predicts the log of the number of frames per phone, at a stretch of 1."""

    def __init__(self, shape: DurationShape) -> None:
        super().__init__()
        self.shape = shape
        self.phone = nn.Embedding(shape.phones, shape.width)
        self.speaker = nn.Embedding(shape.speakers + 1, shape.width)
        self.question = nn.Embedding(3, shape.width)
        self.convs = nn.ModuleList(
            nn.Conv1d(shape.width, shape.width, 5, padding=2) for _ in range(shape.layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(shape.width) for _ in range(shape.layers))
        self.out = nn.Linear(shape.width, 1)

    def forward(self, phones: Tensor, speaker: Tensor, question: Tensor) -> Tensor:
        """
        Predict log-durations.

        Args:
            phones: (B, P) ids.
            speaker: (B,) index, counted from 1.
            question: (B,) 1 for a statement, 2 for a question.

        Returns: (B, P) log of frames.
        """
        x = self.phone(phones) + (self.speaker(speaker) + self.question(question))[:, None]
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(x + nn.functional.gelu(conv(x.transpose(1, 2)).transpose(1, 2)))
        log_frames: Tensor = self.out(x).squeeze(-1)
        return log_frames
