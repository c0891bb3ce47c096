"""
The synthesiser of RVC in front of its vocoder: content, pitch and speaker to latents.

A Transformer with relative positions reads content and pitch at 100 Hz and predicts a normal
distribution of latents per frame (VITS, Kim et al. 2021); a draw from it passes four affine
couplings backwards.
Frames are (B, T, C) throughout.
Parameter names are those of the published checkpoint with its weight normalisation folded in.
"""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxgate.engine.layers.convolution import convolve_image
from voxgate.engine.layers.linear import project
from voxgate.engine.rvc.nsf_decoder import LEAK, NsfShape

PITCHES = 256
FLOWS, FLOW_LAYERS, FLOW_KERNEL = 4, 3, 5
NOISE_SCALE = 0.66666
EPSILON = 1e-5
CONTENT_WIDTHS = {"v1": 256, "v2": 768}
FRAME_RATE_HZ = 100
LOWEST_HZ, HIGHEST_HZ = 50.0, 1100.0
"""Of the F0 that the pitch numbers divide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesizerShape:
    """Sizes; the defaults are RVC v2 at 48 kHz."""

    content: int = 768
    latent: int = 192
    width: int = 192
    hidden: int = 768
    heads: int = 2
    layers: int = 6
    kernel: int = 3
    window: int = 10
    """Frames to each side that have a relative position."""
    speakers: int = 109
    decoder: NsfShape = field(default_factory=NsfShape)


class Pointwise(nn.Conv1d):
    """A convolution of kernel 1 over frames (B, T, C)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each frame."""
        return project(x, self.weight[..., 0], self.bias)


class NormedPointwise(Pointwise):
    """Published with weight normalisation."""


class PriorConv(nn.Conv1d):
    """A convolution over frames (B, T, C) that keeps their number."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve."""
        kernel = self.kernel_size[0]
        padded = F.pad(x, (0, 0, (kernel - 1) // 2, kernel // 2))
        return convolve_image(padded, self.weight, self.bias)


class GatedConv(PriorConv):
    """Published with weight normalisation."""


class Norm(nn.Module):
    """Layer normalisation under the published names."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))
        self.beta = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise each frame."""
        return F.layer_norm(x, (x.shape[-1],), self.gamma, self.beta, EPSILON)


class NearAttention(nn.Module):
    """Self-attention with a learned key and value for each near distance (Shaw et al. 2018)."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.conv_q, self.conv_k = Pointwise(width, width), Pointwise(width, width)
        self.conv_v, self.conv_o = Pointwise(width, width), Pointwise(width, width)
        distances = (1, 2 * window + 1, width // heads)
        self.emb_rel_k = nn.Parameter(torch.zeros(distances))
        self.emb_rel_v = nn.Parameter(torch.zeros(distances))

    def forward(self, x: Tensor) -> Tensor:
        """Attend to all frames."""
        q, k, v = (
            conv(x).view(*x.shape[:2], self.heads, -1).transpose(1, 2)
            for conv in (self.conv_q, self.conv_k, self.conv_v)
        )
        q = q * q.shape[-1] ** -0.5
        scores = F.pad(q @ k.transpose(-1, -2), (self.window, self.window))
        self._near(scores).add_(q @ self.emb_rel_k.transpose(-1, -2))
        length = x.shape[1]
        weights = scores[..., self.window : self.window + length].softmax(dim=-1)
        near = self._near(F.pad(weights, (self.window, self.window)))
        mixed = weights @ v + near @ self.emb_rel_v
        projected: Tensor = self.conv_o(mixed.transpose(1, 2).flatten(2))
        return projected

    def _near(self, padded: Tensor) -> Tensor:
        """Return the band (B, heads, T, 2 window + 1) of padded scores as a view of them."""
        batch, heads, length, columns = padded.shape
        return padded.as_strided(
            (batch, heads, length, 2 * self.window + 1),
            (heads * length * columns, length * columns, columns + 1, 1),
        )


class PriorFeedForward(nn.Module):
    """Two convolutions."""

    def __init__(self, width: int, hidden: int, kernel: int) -> None:
        super().__init__()
        self.conv_1 = PriorConv(width, hidden, kernel)
        self.conv_2 = PriorConv(hidden, width, kernel)

    def forward(self, x: Tensor) -> Tensor:
        """Transform."""
        moved: Tensor = self.conv_2(self.conv_1(x).relu_())
        return moved


class ContentTransformer(nn.Module):
    """Layers with normalisation behind each half."""

    def __init__(self, shape: SynthesizerShape) -> None:
        super().__init__()
        count = range(shape.layers)
        self.attn_layers = nn.ModuleList(
            NearAttention(shape.width, shape.heads, shape.window) for _ in count
        )
        self.norm_layers_1 = nn.ModuleList(Norm(shape.width) for _ in count)
        self.ffn_layers = nn.ModuleList(
            PriorFeedForward(shape.width, shape.hidden, shape.kernel) for _ in count
        )
        self.norm_layers_2 = nn.ModuleList(Norm(shape.width) for _ in count)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, width)."""
        layers = zip(
            self.attn_layers, self.norm_layers_1, self.ffn_layers, self.norm_layers_2, strict=True
        )
        for attention, first, feed_forward, second in layers:
            x = first(x + attention(x))
            x = second(x + feed_forward(x))
        return x


class PriorEncoder(nn.Module):
    """Content and pitch to the mean and log deviation of the latents."""

    def __init__(self, shape: SynthesizerShape) -> None:
        super().__init__()
        self.emb_phone = nn.Linear(shape.content, shape.width)
        self.emb_pitch = nn.Embedding(PITCHES, shape.width)
        self.encoder = ContentTransformer(shape)
        self.proj = Pointwise(shape.width, 2 * shape.latent)

    def forward(self, content: Tensor, pitch: Tensor) -> tuple[Tensor, Tensor]:
        """Return two (B, T, latent)."""
        x = self.emb_phone(content) + self.emb_pitch(pitch)
        x = F.leaky_relu(x * math.sqrt(x.shape[-1]), LEAK)
        mean, log_deviation = self.proj(self.encoder(x)).chunk(2, dim=-1)
        return mean, log_deviation


class WaveNet(nn.Module):
    """Gated convolutions, with the speaker added at each."""

    def __init__(self, width: int, speaker_width: int) -> None:
        super().__init__()
        self.width = width
        self.in_layers = nn.ModuleList(
            GatedConv(width, 2 * width, FLOW_KERNEL) for _ in range(FLOW_LAYERS)
        )
        self.res_skip_layers = nn.ModuleList(
            NormedPointwise(width, width if index == FLOW_LAYERS - 1 else 2 * width)
            for index in range(FLOW_LAYERS)
        )
        self.cond_layer = NormedPointwise(speaker_width, 2 * width * FLOW_LAYERS)

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        """Return (B, T, width); `speaker` is (B, 1, speaker_width)."""
        conditions = self.cond_layer(speaker).chunk(FLOW_LAYERS, dim=-1)
        total = torch.zeros_like(x)
        for index, (conv, condition) in enumerate(zip(self.in_layers, conditions, strict=True)):
            value, gate = (conv(x) + condition).chunk(2, dim=-1)
            moved = self.res_skip_layers[index](value.tanh() * gate.sigmoid())
            if index < FLOW_LAYERS - 1:
                x = x + moved[..., : self.width]
                total = total + moved[..., self.width :]
            else:
                total = total + moved
        return total


class Coupling(nn.Module):
    """Shifts one half of the channels by what the other half says."""

    def __init__(self, shape: SynthesizerShape) -> None:
        super().__init__()
        half = shape.latent // 2
        self.pre = Pointwise(half, shape.width)
        self.enc = WaveNet(shape.width, shape.decoder.speaker_width)
        self.post = Pointwise(shape.width, half)

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        """Undo the shift of (B, T, latent)."""
        kept, moved = x.chunk(2, dim=-1)
        shift = self.post(self.enc(self.pre(kept), speaker))
        return torch.cat((kept, moved - shift), dim=-1)


class ReverseFlow(nn.Module):
    """The couplings backwards, with the channels in reverse order before each."""

    def __init__(self, shape: SynthesizerShape) -> None:
        super().__init__()
        self.flows = nn.ModuleDict(
            {str(2 * index): Coupling(shape) for index in range(FLOWS)}  # a flip between two
        )

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        """Return the latents of the vocoder."""
        for index in reversed(range(FLOWS)):
            x = self.flows[str(2 * index)](x.flip(-1), speaker)
        return x


class Synthesizer(nn.Module):
    """Content, pitch and speaker to the vocoder's latents."""

    def __init__(self, shape: SynthesizerShape) -> None:
        super().__init__()
        self.shape = shape
        self.enc_p = PriorEncoder(shape)
        self.flow = ReverseFlow(shape)
        self.emb_g = nn.Embedding(shape.speakers, shape.decoder.speaker_width)

    def forward(self, content: Tensor, pitch: Tensor, speaker: Tensor, noise: Tensor) -> Tensor:
        """
        Return the latents (B, T, latent).

        Args:
            content: (B, T, content) at 100 Hz.
            pitch: numbers 1 to 255, (B, T).
            speaker: (B, speaker_width), a row of `emb_g`.
            noise: standard normal, (B, T, latent).
        """
        mean, log_deviation = self.enc_p(content, pitch)
        drawn = mean + log_deviation.exp() * noise.to(mean.dtype) * NOISE_SCALE
        latents: Tensor = self.flow(drawn, speaker[:, None])
        return latents


def pitch_numbers(f0_hz: Tensor) -> Tensor:
    """Return the number 1 to 255 of each F0 on a mel scale; 1 also where unvoiced."""
    lowest, highest = (1127.0 * math.log1p(hz / 700.0) for hz in (LOWEST_HZ, HIGHEST_HZ))
    mel = 1127.0 * torch.log1p(f0_hz.double() / 700.0)
    return ((mel - lowest) * 254.0 / (highest - lowest) + 1.0).clamp(1.0, 255.0).round().long()
