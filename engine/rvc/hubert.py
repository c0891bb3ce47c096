"""
HuBERT (Hsu et al. 2021): 16 kHz audio to states of speech at 50 Hz; ContentVec (Qian et al. 2022)
has the same network.

Seven convolutions bring the audio to 50 Hz, a grouped convolution adds positions, and Transformer
layers with normalisation behind each half follow.
Frames are (B, T, C) throughout.
Parameter names are those of transformers' HubertModel with the weight normalisation folded in.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxgate.engine.layers.convolution import convolve_image
from voxgate.engine.layers.linear import Linear, LinearGelu

RATE_HZ = 16_000
STRIDES, KERNELS = (5, 2, 2, 2, 2, 2, 2), (10, 3, 3, 3, 3, 2, 2)
HEAD_WIDTH = 64
EPSILON = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class HubertShape:
    """Sizes; the defaults are HuBERT-base."""

    width: int = 768
    layers: int = 12
    heads: int = 12
    hidden: int = 3072
    channels: tuple[int, ...] = (512,) * 7
    """Of each convolution."""
    kernels: tuple[int, ...] = KERNELS
    strides: tuple[int, ...] = STRIDES
    position_kernel: int = 128
    position_groups: int = 16
    projection: int = 0
    """Width of `final_proj`, which RVC v1 needs; 0 without it."""
    eps: float = EPSILON

    @property
    def hop(self) -> int:
        """Samples per frame."""
        hop = 1
        for stride in self.strides:
            hop *= stride
        return hop

    @property
    def window(self) -> int:
        """Samples that the first frame sees, the fewest that make one."""
        window = 1
        for kernel, stride in reversed(list(zip(self.kernels, self.strides, strict=True))):
            window = (window - 1) * stride + kernel
        return window


class _ConvLayer(nn.Module):
    """A strided convolution and GELU; the first has each channel normalised over time."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, *, normed: bool
    ) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride, bias=False)
        if normed:
            self.layer_norm = nn.GroupNorm(outputs, outputs, eps=EPSILON)
        self.normed = normed

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T', outputs) of (B, T, inputs)."""
        x = convolve_image(x, self.conv.weight, None, stride=self.conv.stride[0])
        if self.normed:
            x = self._normalised(x)
        return F.gelu(x)

    def _normalised(self, x: Tensor) -> Tensor:
        norm = self.layer_norm
        variance, mean = torch.var_mean(x.float(), dim=1, correction=0, keepdim=True)
        scale = norm.weight * (variance + norm.eps).rsqrt()
        return torch.addcmul(norm.bias - mean * scale, x.float(), scale).to(x.dtype)


class _FeatureExtractor(nn.Module):
    def __init__(self, shape: HubertShape) -> None:
        super().__init__()
        inputs = (1, *shape.channels)
        sizes = zip(inputs, shape.channels, shape.kernels, shape.strides, strict=False)
        self.conv_layers = nn.ModuleList(
            _ConvLayer(*size, normed=not index) for index, size in enumerate(sizes)
        )

    def forward(self, audio: Tensor) -> Tensor:
        """Return (B, T, C) of (B, samples)."""
        x = audio[..., None]
        for layer in self.conv_layers:
            x = layer(x)
        return x


class _FeatureProjection(nn.Module):
    def __init__(self, inputs: int, width: int, eps: float) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(inputs, eps=eps)
        self.projection = Linear(inputs, width)

    def forward(self, x: Tensor) -> Tensor:
        """Project."""
        projected: Tensor = self.projection(self.layer_norm(x))
        return projected


class _PositionalConv(nn.Module):
    def __init__(self, width: int, kernel: int, groups: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """Return what is added to (B, T, width)."""
        moved = self.conv(x.transpose(1, 2))[..., : x.shape[1]]
        return F.gelu(moved).transpose(1, 2)


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.k_proj = Linear(width, width)
        self.v_proj = Linear(width, width)
        self.q_proj = Linear(width, width)
        self.out_proj = Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Attend to all frames."""
        q, k, v = (
            part.view(*part.shape[:2], self.heads, -1).transpose(1, 2)
            for part in (self.q_proj(x), self.k_proj(x), self.v_proj(x))
        )
        mixed = F.scaled_dot_product_attention(q, k, v)
        projected: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return projected


class _FeedForward(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.intermediate_dense = LinearGelu(width, hidden)
        self.output_dense = Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each frame."""
        moved: Tensor = self.output_dense(self.intermediate_dense(x))
        return moved


class _Layer(nn.Module):
    def __init__(self, shape: HubertShape) -> None:
        super().__init__()
        self.attention = _Attention(shape.width, shape.heads)
        self.layer_norm = nn.LayerNorm(shape.width, eps=shape.eps)
        self.feed_forward = _FeedForward(shape.width, shape.hidden)
        self.final_layer_norm = nn.LayerNorm(shape.width, eps=shape.eps)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, width)."""
        x = self.layer_norm(x + self.attention(x))
        moved: Tensor = self.final_layer_norm(x + self.feed_forward(x))
        return moved


class _Encoder(nn.Module):
    def __init__(self, shape: HubertShape) -> None:
        super().__init__()
        self.pos_conv_embed = _PositionalConv(
            shape.width, shape.position_kernel, shape.position_groups
        )
        self.layer_norm = nn.LayerNorm(shape.width, eps=shape.eps)
        self.layers = nn.ModuleList(_Layer(shape) for _ in range(shape.layers))

    def forward(self, x: Tensor, count: int) -> Tensor:
        """Return the states behind `count` layers."""
        x = self.layer_norm(x + self.pos_conv_embed(x))
        for layer in list(self.layers)[:count]:
            x = layer(x)
        return x


class Hubert(nn.Module):
    """The content encoder."""

    def __init__(self, shape: HubertShape) -> None:
        super().__init__()
        self.shape = shape
        self.output_layer = shape.layers
        """Behind which the states are read, unless a call says otherwise."""
        self.feature_extractor = _FeatureExtractor(shape)
        self.feature_projection = _FeatureProjection(shape.channels[-1], shape.width, shape.eps)
        self.encoder = _Encoder(shape)
        if shape.projection:
            self.final_proj = Linear(shape.width, shape.projection)

    def forward(self, audio: Tensor, layer: int | None = None) -> Tensor:
        """
        Return the states (B, T, width) behind a layer, through `final_proj` where there is one; 0
        is the layers' input, None `output_layer`.

        Layers above it are not computed.

        Args:
            audio: (B, samples) at 16 kHz, at least `shape.window` samples.
            layer: 0 to `shape.layers`.
        """
        states = self.states(audio, layer)
        return self.final_proj(states) if self.shape.projection else states

    def states(self, audio: Tensor, layer: int | None = None) -> Tensor:
        """Return the states behind a layer: as `forward`, never through `final_proj`."""
        count = self.output_layer if layer is None else layer
        frames = self.feature_projection(self.feature_extractor(audio))
        states: Tensor = self.encoder(frames, count)
        return states
