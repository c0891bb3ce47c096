"""
Train the speech tokeniser together with the states that the DiT is conditioned on.

Two losses, both from flite's exact phone times. The phones of both halves of a token are read off
its code alone, without its neighbours; that makes the codes mean phones. And the states reproduce
those of the DiT's text embedding, for a speaker drawn at random, so that any source can be spoken
by any of the voices.

The encoder hears warped spectra and noise; a token is not to depend on the voice.
"""

from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from voxgate.engine.acoustic.dit import DiT
from voxgate.engine.acoustic.token_states import TokenStates, TokenStatesShape
from voxgate.engine.alphabet import PHONES, SPEAKERS
from voxgate.engine.duration.frames import FrameConditioning
from voxgate.engine.tokens.speech_tokenizer import LEVELS, SpeechTokenizer, TokenizerShape
from voxgate.engine.training.loop import TrainingSchedule, train
from voxgate.engine.training.token_data import TokenCorpus

Trained = TypeVar("Trained", bound=nn.Module)
CROP_TOKENS = 64
BATCH = 16
EDGE_FRAMES = 10
"""Decoder frames at a cut through speech whose true context the states cannot know."""
PHONE_WEIGHT = 0.5
WARP_SPREAD = 0.12
NOISE_SHARE = 0.5


class TokenizerTraining(nn.Module):
    """The tokeniser, its phone classifier, and the states."""

    def __init__(self) -> None:
        super().__init__()
        self.tokenizer = SpeechTokenizer(TokenizerShape())
        self.states = TokenStates(TokenStatesShape(speakers=len(SPEAKERS)))
        self.classifier = nn.Sequential(
            nn.Linear(len(LEVELS), 256), nn.GELU(), nn.Linear(256, 256), nn.GELU(),
            nn.Linear(256, 2 * len(PHONES)),
        )  # fmt: skip

    def forward(self, mel: Tensor, speaker: Tensor, question: Tensor) -> tuple[Tensor, Tensor]:
        """Return phone logits (B, F, phones) and states (B, G, text_width)."""
        vectors = self.tokenizer.quantizer(self.tokenizer(mel))
        logits = self.classifier(vectors)
        return (
            logits.reshape(mel.shape[0], mel.shape[1], len(PHONES)),
            self.states.from_vectors(vectors, speaker, question),
        )


class Crops:
    """Makes the batch of any step from the seed and the step alone."""

    def __init__(self, corpus: TokenCorpus, seed: int) -> None:
        self.corpus = corpus
        self.seed = seed
        rows = corpus.rows[: corpus.training]
        self.long = torch.nonzero(rows[:, 1] - rows[:, 0] >= 2 * CROP_TOKENS).squeeze(1)

    def __call__(self, step: int) -> tuple[Tensor, Tensor, FrameConditioning, Tensor]:
        """
        Return augmented mel (B, F, bands), phone (B, F), the decoder's conditioning (B, G) by
        another speaker, and a mask (B, G) of frames whose context is whole.
        """
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        picks = self.long[torch.randint(self.long.numel(), (BATCH,), generator=generator)]
        share = torch.rand((BATCH,), generator=generator)
        rows = self.corpus.rows[picks]
        slack = (rows[:, 1] - rows[:, 0]) // 4 - CROP_TOKENS // 2
        # a tenth on either side, so that the beginning and the end of utterances are frequent
        start = ((share * 1.2 - 0.1).clamp(0, 1) * slack).round().long()
        mel, phone, mel_phone, mel_place, whole = zip(
            *(
                self._crop(row, int(s), int(e))
                for row, s, e in zip(rows.tolist(), start, slack, strict=True)
            ),
            strict=True,
        )
        speaker = torch.randint(1, len(SPEAKERS) + 1, (BATCH, 1), generator=generator)
        conditioning = FrameConditioning(
            phone=torch.stack(mel_phone).long(),
            place=torch.stack(mel_place).long(),
            speaker=speaker.expand(-1, CROP_TOKENS * 5 // 2),
            question=rows[:, 7:8].expand(-1, CROP_TOKENS * 5 // 2),
        )
        heard = augment(torch.stack(mel).float(), generator)
        return heard, torch.stack(phone).long(), conditioning, torch.stack(whole)

    def _crop(self, row: list[int], pairs: int, last: int) -> tuple[Tensor, ...]:
        """Cut CROP_TOKENS from an utterance, beginning at an even token."""
        first = row[0] + 4 * pairs
        mel_first = row[2] + 5 * pairs
        frames = slice(first, first + 2 * CROP_TOKENS)
        mel_frames = slice(mel_first, mel_first + CROP_TOKENS * 5 // 2)
        whole = torch.ones(CROP_TOKENS * 5 // 2, dtype=torch.bool)
        if pairs > 0:
            whole[:EDGE_FRAMES] = False
        if pairs < last:
            whole[-EDGE_FRAMES:] = False
        corpus = self.corpus
        return (
            corpus.mel[frames], corpus.phone[frames], corpus.mel_phone[mel_frames],
            corpus.mel_place[mel_frames], whole,
        )  # fmt: skip


def augment(mel: Tensor, generator: torch.Generator) -> Tensor:
    """
    Warp the frequency axis of each item by a factor of exp(0.12 N), and add noise to some.

    Vocal tract length perturbation (Jaitly & Hinton 2013), on mel bands.
    """
    count, _, bands = mel.shape
    factor = torch.exp(WARP_SPREAD * torch.randn((count, 1), generator=generator))
    at = (torch.arange(bands) * factor).clamp(max=bands - 1.001)
    left = at.long()
    share = (at - left)[:, None].expand_as(mel)
    index = left[:, None].expand(-1, mel.shape[1], -1)
    warped = torch.lerp(mel.gather(2, index), mel.gather(2, index + 1), share)
    noisy = torch.rand((count, 1, 1), generator=generator) < NOISE_SHARE
    spread = 0.4 * torch.rand((count, 1, 1), generator=generator) * noisy
    return warped + spread * torch.randn(mel.shape, generator=generator)


def distillation_error(states: Tensor, target: Tensor, whole: Tensor) -> Tensor:
    """Return the squared error relative to the target's power, over frames of whole context."""
    error = (states - target).square().mean(-1) * whole
    power = target.square().mean(-1) * whole
    relative: Tensor = error.sum() / power.sum()
    return relative


def run(corpus: TokenCorpus, dit: DiT, folder: Path, *, steps: int, seed: int) -> nn.Module:
    """Train and return the averaged TokenizerTraining; `dit` is frozen."""
    torch.manual_seed(seed)
    model = TokenizerTraining()
    embed = dit.text_embed
    crops = Crops(corpus, seed)

    def loss_of(step: int) -> Tensor:
        heard, phone, conditioning, whole = crops(step)
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                target = embed(conditioning).float()
            logits, states = model(heard, conditioning.speaker[:, 0], conditioning.question[:, 0])
        phones = nn.functional.cross_entropy(logits.float().flatten(0, 1), phone.flatten())
        return PHONE_WEIGHT * phones + distillation_error(states.float(), target, whole)

    schedule = TrainingSchedule(steps=steps, learning_rate=3e-3, warmup=40, ema=0.998, seed=seed)
    return train("tokenizer", model, loss_of, schedule, folder)
