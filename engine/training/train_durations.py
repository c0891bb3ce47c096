"""Train the duration model on flite's own phone durations, divided by each utterance's stretch."""

from pathlib import Path

import torch
from torch import Tensor, nn

from voxgate.engine.alphabet import PHONES, SPEAKERS
from voxgate.engine.duration.predictor import DurationModel, DurationShape
from voxgate.engine.training.data import Corpus
from voxgate.engine.training.loop import TrainingSchedule, train

BATCH = 64
SHORTEST_FRAMES = 0.5
"""A phone rounded to no frame counts as half of one, so that its logarithm exists."""


def batch(corpus: Corpus, picks: list[int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """
    Return phones (B, P), target log-frames (B, P), speaker (B,) and question (B,); phone 0 is
    padding.
    """
    rows = corpus.rows[picks].tolist()
    phones = nn.utils.rnn.pad_sequence(
        [corpus.phones[row[4] : row[5]].long() for row in rows], batch_first=True
    )
    targets = [
        (
            corpus.frames[row[4] : row[5]].float().clamp(min=SHORTEST_FRAMES) / corpus.stretch[pick]
        ).log()
        for row, pick in zip(rows, picks, strict=True)
    ]
    labels = corpus.rows[picks]
    return phones, nn.utils.rnn.pad_sequence(targets, batch_first=True), labels[:, 6], labels[:, 7]


ENGLISH = DurationShape(phones=len(PHONES), speakers=len(SPEAKERS))


def run(
    corpus: Corpus, folder: Path, *, steps: int, seed: int, shape: DurationShape = ENGLISH
) -> nn.Module:
    """Train and return the averaged duration model."""
    torch.manual_seed(seed)
    model = DurationModel(shape)

    def loss_of(step: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        picks = torch.randint(corpus.rows.shape[0], (BATCH,), generator=generator).tolist()
        phones, targets, speaker, question = batch(corpus, picks)
        is_phone = phones > 0
        return nn.functional.smooth_l1_loss(
            model(phones, speaker, question)[is_phone], targets[is_phone], beta=0.3
        )

    return train(
        "durations",
        model,
        loss_of,
        TrainingSchedule(steps=steps, learning_rate=2e-3, seed=seed),
        folder,
    )
