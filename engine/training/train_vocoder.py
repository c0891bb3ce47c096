"""
Train the vocoder on the corpus: random crops, log-mel in, waveform out, a spectral loss at four
resolutions.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from voxgate.engine.alphabet import SAMPLE_RATE_HZ
from voxgate.engine.layers.mel import HOP, log_mel, mel_filterbank
from voxgate.engine.training.data import Corpus
from voxgate.engine.training.loop import TrainingSchedule, train
from voxgate.engine.vocoder.vocos import Vocos, VocosShape, waveform

CROP_FRAMES = 48
BATCH = 16
RESOLUTIONS = (256, 512, 1024, 2048)
MEL_WEIGHT = 1.0
INPUT_NOISE = 0.1


def spectral_loss(generated: Tensor, target: Tensor) -> Tensor:
    """
    Return spectral convergence plus log-magnitude distance, mean over four window lengths; (B, T)
    each.

    Yamamoto et al. 2020.
    """
    total = generated.new_zeros(())
    for n_fft in RESOLUTIONS:
        window = torch.hann_window(n_fft)
        a, b = (
            torch.stft(x, n_fft, n_fft // 4, window=window, return_complex=True).abs()
            for x in (generated, target)
        )
        convergence = (a - b).norm() / b.norm().clamp(min=1e-5)
        distance = (a.clamp(min=1e-4).log() - b.clamp(min=1e-4).log()).abs().mean()
        total = total + convergence + distance
    return total / len(RESOLUTIONS)


def crops(corpus: Corpus, starts: Tensor) -> Tensor:
    """Return (B, CROP_FRAMES * HOP) float audio at the given positions."""
    index = starts[:, None] + torch.arange(CROP_FRAMES * HOP)
    return corpus.audio[index].float() / 32768.0


def run(corpus: Corpus, folder: Path, *, steps: int, seed: int) -> nn.Module:
    """Train and return the averaged vocoder."""
    torch.manual_seed(seed)
    model = Vocos(VocosShape())
    forward = torch.compile(model, dynamic=False)
    filterbank = mel_filterbank(SAMPLE_RATE_HZ)

    def loss_of(step: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        starts = torch.randint(
            corpus.audio.numel() - CROP_FRAMES * HOP, (BATCH,), generator=generator
        )
        target = crops(corpus, starts)
        mel = log_mel(target, filterbank)
        noise = (
            torch.randn(mel.shape, generator=generator)
            * torch.rand((BATCH, 1, 1), generator=generator)
            * INPUT_NOISE
        )
        with torch.autocast("cpu", torch.bfloat16):
            projected = forward(mel + noise)
        generated = waveform(projected, model.shape)
        return (
            spectral_loss(generated, target)
            + MEL_WEIGHT * (log_mel(generated, filterbank) - mel).abs().mean()
        )

    return train(
        "vocoder",
        model,
        loss_of,
        TrainingSchedule(steps=steps, learning_rate=2e-3, flat=0.1, seed=seed),
        folder,
    )
