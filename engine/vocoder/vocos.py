"""
The vocoder, in the manner of Vocos (Siuzdak 2023): ConvNeXt backbone, then a head that gives
magnitude and phase.

Three slots: log-mel features, backbone, head. Parameter names are those of published Vocos
checkpoints. The inverse STFT is a function of its own (`waveform`), because compilers have no code
for complex numbers.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from engine.errors import EngineError
from engine.layers.convolution import ConvNeXtBlock, convolve
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
        Read the mel frames; where `mask` says padding, every convolution sees zeros, as behind the
        end of an utterance.
        """
        x = self.norm(convolve(self.embed, _shown(mel, mask)))
        for block in self.convnext:
            x = block(_shown(x, mask))
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
        Predict log-magnitude and phase for every frame; `mask` (B, T, 1) bool, True for real
        frames, None for all.
        """
        projected: Tensor = self.head(self.backbone(mel, mask))
        return projected


def _shown(x: Tensor, mask: Tensor | None) -> Tensor:
    return x if mask is None else x * mask


def waveform(projected: Tensor, shape: VocosShape) -> Tensor:
    """
    Invert the predicted spectrum: frames back in time, windowed, added up, and divided by what
    their windows add up to.

    Args:
        projected: (B, T, n_fft + 2), any floating dtype; computed in fp32 from here on.
        shape: gives n_fft and hop.

    Returns: (B, (T - 1) * hop) float32; half a frame at both ends, where too few windows overlap,
    is left out.
    """
    log_magnitude, phase = projected.float().chunk(2, dim=-1)
    magnitude = log_magnitude.exp().clamp(max=MAX_MAGNITUDE)
    spectrum = torch.view_as_complex(
        torch.stack((magnitude * phase.cos(), magnitude * phase.sin()), dim=-1)
    )
    window = torch.hann_window(shape.n_fft, device=projected.device)
    frames = torch.fft.irfft(spectrum, shape.n_fft) * window
    whole = slice(shape.n_fft // 2, shape.n_fft // 2 + (frames.shape[1] - 1) * shape.hop)
    worth = window.square().expand(1, frames.shape[1], -1)
    return _added_up(frames, shape.hop)[:, whole] / _added_up(worth, shape.hop)[:, whole]


def _added_up(frames: Tensor, hop: int) -> Tensor:
    """Add frames (B, T, n_fft) up, each a hop later than the one before."""
    parts = frames.reshape(*frames.shape[:2], -1, hop)
    count, hops = parts.shape[1:3]
    added = frames.new_zeros(frames.shape[0], count + hops - 1, hop)
    for late in range(hops):
        added[:, late : late + count] += parts[:, :, late]
    return added.flatten(1)
