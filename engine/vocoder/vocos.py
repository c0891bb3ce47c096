"""
The vocoder, after Vocos (Siuzdak 2023): a ConvNeXt backbone and a head that predicts the STFT.

Three stages: log-mel features, backbone, head.
Parameter names are those of published Vocos checkpoints.
The inverse STFT is a separate function (`waveform`), because compilers cannot generate code for
complex numbers.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from voxgate.engine.errors import EngineError
from voxgate.engine.layers.convolution import ConvNeXtBlock, convolve
from voxgate.engine.layers.linear import Linear
from voxgate.engine.layers.mel import BANDS, HOP, N_FFT

MAX_MAGNITUDE = 1e2


@dataclass(frozen=True, slots=True, kw_only=True)
class VocosShape:
    """The hyperparameters of a vocoder."""

    bands: int = BANDS
    width: int = 192
    hidden: int = 576
    blocks: int = 6
    n_fft: int = N_FFT
    hop: int = HOP

    def __post_init__(self) -> None:
        if self.n_fft % self.hop:
            raise EngineError(
                f"a vocoder of frames of {self.n_fft} needs a hop that divides them, not "
                f"{self.hop}; check its weights"
            )


class Backbone(nn.Module):
    """(B, T, bands) -> (B, T, width)."""

    def __init__(self, shape: VocosShape) -> None:
        super().__init__()
        self.embed = nn.Conv1d(shape.bands, shape.width, 7, padding=3)
        self.norm = nn.LayerNorm(shape.width, eps=1e-6)
        blocks = [
            ConvNeXtBlock(shape.width, shape.hidden, gamma=1.0 / shape.blocks)
            for _ in range(shape.blocks)
        ]
        self.convnext = nn.ModuleList(blocks)
        self.final_layer_norm = nn.LayerNorm(shape.width, eps=1e-6)

    def forward(self, mel: Tensor, mask: Tensor | None = None) -> Tensor:
        """
        Encode the mel frames.

        Where `mask` is False every convolution sees zeros, as behind the end of an utterance.
        """
        x = self.norm(convolve(self.embed, _masked(mel, mask)))
        for block in self.convnext:
            x = block(_masked(x, mask))
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

    def forward(self, mel: Tensor, mask: Tensor | None = None) -> Tensor:
        """
        Predict log-magnitude and phase of every frame, (B, T, n_fft + 2).

        `mask` (B, T, 1) bool is True for real frames, None if no frame is padding.
        """
        projected: Tensor = self.head(self.backbone(mel, mask))
        return projected


def _masked(x: Tensor, mask: Tensor | None) -> Tensor:
    return x if mask is None else x * mask


def waveform(projected: Tensor, shape: VocosShape) -> Tensor:
    """
    Compute the inverse STFT: windowed frames, overlap-added and divided by the sum of the squared
    windows.

    Args:
        projected: (B, T, n_fft + 2), any floating dtype; computed in fp32 from here on.
        shape: of the vocoder, for n_fft and hop.

    Returns: (B, (T - 1) * hop) float32; half a frame at both ends, where too few windows overlap,
    is dropped.
    """
    log_magnitude, phase = projected.float().chunk(2, dim=-1)
    magnitude = log_magnitude.exp().clamp(max=MAX_MAGNITUDE)
    spectrum = torch.view_as_complex(
        torch.stack((magnitude * phase.cos(), magnitude * phase.sin()), dim=-1)
    )
    window = torch.hann_window(shape.n_fft, device=projected.device)
    frames = torch.fft.irfft(spectrum, shape.n_fft) * window
    inner = slice(shape.n_fft // 2, shape.n_fft // 2 + (frames.shape[1] - 1) * shape.hop)
    weight = window.square().expand(1, frames.shape[1], -1)
    return _overlap_add(frames, shape.hop)[:, inner] / _overlap_add(weight, shape.hop)[:, inner]


def _overlap_add(frames: Tensor, hop: int) -> Tensor:
    """Add frames (B, T, n_fft), each one hop later than the frame before."""
    parts = frames.reshape(*frames.shape[:2], -1, hop)
    count, hops = parts.shape[1:3]
    overlapped = frames.new_zeros(frames.shape[0], count + hops - 1, hop)
    for delay in range(hops):
        overlapped[:, delay : delay + count] += parts[:, :, delay]
    return overlapped.flatten(1)
