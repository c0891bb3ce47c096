"""
Train the DiT by conditional flow matching on whole utterances, with infilling as in F5-TTS.

Whole utterances, not crops, so that training has the same structure as synthesis: silence, speech,
silence.
For a share of the utterances (PROMPT_SHARE) the first part of the mel is a prompt.
Conditions are dropped at random, which guidance requires.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from voxgate.engine.acoustic.dit import DiT, DiTShape
from voxgate.engine.alphabet import PHONES, SPEAKERS
from voxgate.engine.duration.frames import FrameConditioning
from voxgate.engine.training.data import Corpus
from voxgate.engine.training.loop import TrainingSchedule, train

BUCKET_FRAMES = 64
FRAMES_PER_BATCH = 4096
MAX_FRAMES = 448
MAX_PAIR_FRAMES = 576
PAIR_SHARE = 0.1
SPEAKER_SHARES = (0.4, 0.4, 0.2)
PROMPT_SHARE = 0.3
DROP_PROMPT = 0.25
DROP_TEXT = 0.12
END_FRAMES = 40
"""Of a question, 0.64 s: where its pitch rises."""
RISING = 2
"""Of `FrameConditioning.question`."""


class Batches:
    """Makes the batch of any step from the seed and the step alone."""

    def __init__(self, corpus: Corpus, seed: int, shares: Sequence[float]) -> None:
        self.corpus = corpus
        self.seed = seed
        self.shares = torch.tensor(shares)
        self.lengths = corpus.rows[:, 3] - corpus.rows[:, 2]
        self.by_speaker = [
            torch.nonzero(corpus.rows[:, 6] == s + 1).squeeze(1) for s in range(len(shares))
        ]

    def _spans(self, generator: torch.Generator) -> list[list[int]]:
        """Choose utterances of similar length, some of them as two in a row by one speaker."""
        if torch.rand((), generator=generator) < PAIR_SHARE:
            own = self.by_speaker[int(torch.multinomial(self.shares, 1, generator=generator))]
            picks = own[
                torch.randint(
                    own.numel(), (FRAMES_PER_BATCH // MAX_PAIR_FRAMES, 2), generator=generator
                )
            ]
            pairs: list[list[int]] = picks.tolist()
            return pairs
        centre = int(self.lengths[torch.randint(self.lengths.numel(), (1,), generator=generator)])
        longest = min(-(-centre // BUCKET_FRAMES) * BUCKET_FRAMES, MAX_FRAMES)
        near = torch.nonzero(
            (self.lengths <= longest) & (self.lengths > longest - BUCKET_FRAMES)
        ).squeeze(1)
        picks = near[
            torch.randint(near.numel(), (max(1, FRAMES_PER_BATCH // longest),), generator=generator)
        ]
        return [[pick] for pick in picks.tolist()]

    def _columns(self, span: list[int]) -> tuple[Tensor, ...]:
        rows = self.corpus.rows[span].tolist()
        parts = [slice(row[2], row[3]) for row in rows]
        mel = torch.cat([self.corpus.mel[part] for part in parts]).float()
        phone = torch.cat([self.corpus.phone[part] for part in parts]).long()
        place = torch.cat([self.corpus.place[part] for part in parts]).long()
        question = torch.cat([torch.full((row[3] - row[2],), row[7]) for row in rows])
        columns = (mel, phone, place, torch.full_like(phone, rows[0][6]), question)
        return tuple(column[:MAX_PAIR_FRAMES] for column in columns)

    def __call__(self, step: int) -> tuple[Tensor, FrameConditioning, Tensor, torch.Generator]:
        """
        Return mel (B, T, bands) normalised, frames, mask (B, T) of real frames, and the step's
        generator.
        """
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        columns = [self._columns(span) for span in self._spans(generator)]
        longest = -(-max(c[0].shape[0] for c in columns) // BUCKET_FRAMES) * BUCKET_FRAMES
        longest = longest if longest <= MAX_FRAMES else MAX_PAIR_FRAMES
        mel, phone, place, speaker, question = (
            _stack_padded(column, longest) for column in zip(*columns, strict=True)
        )
        mask = phone > 0
        mel = (mel - self.corpus.mean) / self.corpus.std * mask[..., None]
        return (
            mel,
            FrameConditioning(phone=phone, place=place, speaker=speaker, question=question),
            mask,
            generator,
        )


def _stack_padded(tensors: Sequence[Tensor], length: int) -> Tensor:
    """Stack (T, ...) tensors of several lengths into (B, length, ...), zero-padded at the end."""
    return torch.stack(
        [nn.functional.pad(x, (0, 0) * (x.ndim - 1) + (0, length - x.shape[0])) for x in tensors]
    )


def infill_mask(mask: Tensor, generator: torch.Generator) -> Tensor:
    """Choose the frames to synthesise, (B, T): all, or all after a prompt of 10-50 %."""
    count, longest = mask.shape
    share = 0.1 + 0.4 * torch.rand((count, 1), generator=generator)
    prompted = torch.rand((count, 1), generator=generator) < PROMPT_SHARE
    prompt_end = torch.where(prompted, share * mask.sum(1, keepdim=True), torch.zeros(count, 1))
    return mask & (torch.arange(longest)[None] >= prompt_end)


def drop_conditions(frames: FrameConditioning, dropped: Tensor) -> FrameConditioning:
    """Set the conditioning to "none" where `dropped` (B,) is true."""
    keep = (~dropped)[:, None].long()
    return FrameConditioning(
        phone=frames.phone * keep,
        place=frames.place * keep,
        speaker=frames.speaker * keep,
        question=frames.question * keep,
    )


def flow_loss(
    model: nn.Module,
    mel: Tensor,
    frames: FrameConditioning,
    mask: Tensor,
    generator: torch.Generator,
    end_weight: float = 1.0,
) -> Tensor:
    """
    Return the mean squared error of the velocity on the synthesised frames.

    Straight paths (Lipman et al. 2023). The last END_FRAMES of a question count `end_weight` times.
    """
    invented = infill_mask(mask, generator)
    prompt_mel = mel * (~invented)[..., None]
    dropped_text = torch.rand((mel.shape[0],), generator=generator) < DROP_TEXT
    dropped_prompt = (torch.rand((mel.shape[0],), generator=generator) < DROP_PROMPT) | dropped_text
    prompt_mel = prompt_mel * (~dropped_prompt)[:, None, None]
    noise = torch.randn(mel.shape, generator=generator)
    t = torch.rand((mel.shape[0],), generator=generator)
    noisy = noise + t[:, None, None] * (mel - noise)
    with torch.autocast("cpu", torch.bfloat16):
        velocity = model(
            noisy, prompt_mel, drop_conditions(frames, dropped_text), t, mask[:, None, None]
        )
    error = (velocity.float() - (mel - noise)).square().mean(-1)
    from_end = mask.sum(1, keepdim=True) - torch.arange(mask.shape[1])[None]
    risen = (from_end <= END_FRAMES) & (frames.question == RISING)
    weight = invented * (1.0 + (end_weight - 1.0) * risen)
    mean: Tensor = (error * weight).sum() / weight.sum()
    return mean


class _EmbedAndPredict(nn.Module):
    """Text embedding and velocity in one forward pass, so that one compiled graph holds both."""

    def __init__(self, dit: DiT) -> None:
        super().__init__()
        self.dit = dit

    def forward(
        self, noisy: Tensor, prompt_mel: Tensor, frames: FrameConditioning, t: Tensor, mask: Tensor
    ) -> Tensor:
        velocity: Tensor = self.dit(noisy, prompt_mel, self.dit.text_embed(frames), t, mask)
        return velocity


def run(
    corpus: Corpus,
    folder: Path,
    *,
    steps: int,
    seed: int,
    model: DiT | None = None,
    shares: Sequence[float] = SPEAKER_SHARES,
) -> nn.Module:
    """
    Train and return the averaged DiT.

    Args:
        corpus: the utterances.
        folder: where checkpoints are kept.
        steps: of the optimiser.
        seed: of the initialisation, the batches and the noise.
        model: the initial one; None: random, for the English voice.
        shares: how often each speaker speaks in pairs of utterances.
    """
    torch.manual_seed(seed)
    model = model or DiT(DiTShape(phones=len(PHONES), speakers=len(SPEAKERS)))
    forward: nn.Module = _EmbedAndPredict(model)
    batches = Batches(corpus, seed, shares)

    def loss_of(step: int) -> Tensor:
        return flow_loss(forward, *batches(step))

    return train(
        "acoustic",
        model,
        loss_of,
        TrainingSchedule(steps=steps, learning_rate=2e-3, seed=seed),
        folder,
    )


def run_questions(
    corpus: Corpus,
    folder: Path,
    model: nn.Module,
    *,
    steps: int,
    seed: int,
    shares: Sequence[float],
    end_weight: float,
) -> nn.Module:
    """
    Train a trained DiT further on a corpus of many questions, whose ends count `end_weight` times.
    Return the averaged DiT.
    """
    assert isinstance(model, DiT)
    forward = _EmbedAndPredict(model.requires_grad_(True))
    batches = Batches(corpus, seed, shares)

    def loss_of(step: int) -> Tensor:
        return flow_loss(forward, *batches(step), end_weight=end_weight)

    return train(
        "questions",
        model,
        loss_of,
        TrainingSchedule(steps=steps, learning_rate=1.5e-3, warmup=40, seed=seed, ema=0.997),
        folder,
    )
