"""
The vocoder, in the manner of Vocos (Siuzdak 2023): ConvNeXt backbone, then a head that gives magnitude and phase.

Three slots: log-mel features, backbone, head. Parameter names are those of published Vocos checkpoints. The inverse
STFT is a function of its own (`waveform`), because compilers have no code for complex numbers.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.layers.convnext import ConvNeXtBlock
from engine.layers.convolution import convolve
from engine.layers.linear import Linear
from engine.layers.mel import BANDS, HOP, N_FFT

MAX_MAGNITUDE = 1e2


@dataclass(frozen=True, slots=True, kw_only=True)
class VocosShape:
    """The sizes of a vocoder."""

    bands: int = BANDS
    width: int = 192
    hidden: int = 576
    blocks: int = 6
    n_fft: int = N_FFT
    hop: int = HOP


class Backbone(nn.Module):
    """(B, T, bands) -> (B, T, width)."""

    def __init__(self, shape: VocosShape) -> None:
        super().__init__()
        self.embed = nn.Conv1d(shape.bands, shape.width, 7, padding=3)
        self.norm = nn.LayerNorm(shape.width, eps=1e-6)
        blocks = [ConvNeXtBlock(shape.width, shape.hidden, gamma=1.0 / shape.blocks) for _ in range(shape.blocks)]
        self.convnext = nn.ModuleList(blocks)
        self.final_layer_norm = nn.LayerNorm(shape.width, eps=1e-6)

    def forward(self, mel: Tensor) -> Tensor:
        """Read the mel frames."""
        x = self.norm(convolve(self.embed, mel))
        for block in self.convnext:
            x = block(x)
        normed: Tensor = self.final_layer_norm(x)
        return normed


class Head(nn.Module):
    """(B, T, width) -> (B, T, n_fft + 2): log-magnitudes, then phases."""

    def __init__(self, shape: VocosShape) -> None:
        super().__init__()
        self.out = Linear(shape.width, shape.n_fft + 2)

    def forward(self, x: Tensor) -> Tensor:
        """Project to log-magnitude and phase."""
        projected: Tensor = self.out(x)
        return projected


class Vocos(nn.Module):
    """(B, T, bands) log-mel -> (B, T, n_fft + 2); `waveform` turns that into audio."""

    def __init__(self, shape: VocosShape) -> None:
        super().__init__()
        self.shape = shape
        self.backbone = Backbone(shape)
        self.head = Head(shape)

    def forward(self, mel: Tensor) -> Tensor:
        """Predict log-magnitude and phase for every frame."""
        projected: Tensor = self.head(self.backbone(mel))
        return projected


def waveform(projected: Tensor, shape: VocosShape) -> Tensor:
    """
    Invert the predicted spectrum.

    Args:
        projected: (B, T, n_fft + 2), any floating dtype; computed in fp32 from here on.
        shape: gives n_fft and hop.

    Returns: (B, (T - 1) * hop) float32.
    """
    log_magnitude, phase = projected.float().transpose(1, 2).chunk(2, dim=1)
    spectrum = torch.polar(log_magnitude.exp().clamp(max=MAX_MAGNITUDE), phase)
    window = torch.hann_window(shape.n_fft, device=projected.device)
    return torch.istft(spectrum, shape.n_fft, shape.hop, window=window, center=True)
