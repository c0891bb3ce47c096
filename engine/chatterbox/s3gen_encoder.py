"""
The flow's encoder: speech tokens at 25 Hz to the mean of the mel at 50 Hz.

A look-ahead of three tokens, transformer layers with relative positions (Dai et al. 2019, as in
ESPnet), doubling by repetition and a causal convolution, and more such layers.
It is independent of flow time and noise, so it runs once per utterance.
Parameter names are those of the published checkpoint.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxgate.engine.layers.linear import Linear

WIDTH, HEADS, HIDDEN = 512, 8, 2048
LOOKAHEAD, UPSAMPLING = 3, 2


class RelativeAttention(nn.Module):
    """Self-attention whose scores also depend on the distance of query and key."""

    def __init__(self) -> None:
        super().__init__()
        self.linear_q = Linear(WIDTH, WIDTH)
        self.linear_k = Linear(WIDTH, WIDTH)
        self.linear_v = Linear(WIDTH, WIDTH)
        self.linear_out = Linear(WIDTH, WIDTH)
        self.linear_pos = Linear(WIDTH, WIDTH, bias=False)
        self.pos_bias_u = nn.Parameter(torch.zeros(HEADS, WIDTH // HEADS))
        self.pos_bias_v = nn.Parameter(torch.zeros(HEADS, WIDTH // HEADS))

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Attend, (B, T, 512); `positions` (1, 2 T - 1, 512) of distances T - 1 to 1 - T."""
        q, k, v, p = (
            part.view(*part.shape[:2], HEADS, -1)
            for part in (
                self.linear_q(x),
                self.linear_k(x),
                self.linear_v(x),
                self.linear_pos(positions),
            )
        )
        k, v, p = (part.transpose(1, 2) for part in (k, v, p))
        by_distance = (q + self.pos_bias_v).transpose(1, 2) @ p.transpose(-1, -2)
        bias = _by_key(by_distance) / math.sqrt(WIDTH / HEADS)
        mixed = F.scaled_dot_product_attention(
            (q + self.pos_bias_u).transpose(1, 2), k, v, attn_mask=bias
        )
        projected: Tensor = self.linear_out(mixed.transpose(1, 2).flatten(2))
        return projected


def _by_key(by_distance: Tensor) -> Tensor:
    """
    Return scores by query and key, (B, heads, T, T), a view.

    Args:
        by_distance: (B, heads, T, 2 T - 1), from distance T - 1 to 1 - T. The score of key j for
            query i has the distance i - j and stands at T - 1 - i + j.
    """
    batch, heads, length, _ = by_distance.shape
    by_distance = by_distance.contiguous()
    strides = (by_distance.stride(0), by_distance.stride(1), 2 * length - 2, 1)
    return by_distance.as_strided((batch, heads, length, length), strides, length - 1)


def relative_positions(length: int, device: torch.device) -> Tensor:
    """Return sinusoids of the distances length - 1 to 1 - length, (1, 2 length - 1, 512)."""
    distances = torch.arange(length - 1, -length, -1, device=device, dtype=torch.float32)
    pairs = torch.arange(0, WIDTH, 2, device=device, dtype=torch.float32)
    angles = distances[:, None] * torch.exp(pairs * -(math.log(10_000.0) / WIDTH))
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)[None]


class SwishFeedForward(nn.Module):
    """Two linear layers with swish between."""

    def __init__(self) -> None:
        super().__init__()
        self.w_1 = Linear(WIDTH, HIDDEN)
        self.w_2 = Linear(HIDDEN, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Transform the last axis."""
        transformed: Tensor = self.w_2(F.silu(self.w_1(x)))
        return transformed


class EncoderLayer(nn.Module):
    """Attention and feed-forward part, each normalised before."""

    def __init__(self) -> None:
        super().__init__()
        self.self_attn = RelativeAttention()
        self.feed_forward = SwishFeedForward()
        self.norm_ff = nn.LayerNorm(WIDTH, eps=1e-12)
        self.norm_mha = nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return x plus both residual branches."""
        x = x + self.self_attn(self.norm_mha(x), positions)
        moved: Tensor = x + self.feed_forward(self.norm_ff(x))
        return moved


class Lookahead(nn.Module):
    """Residual convolutions: each token sees three after and two before."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(WIDTH, WIDTH, LOOKAHEAD + 1)
        self.conv2 = nn.Conv1d(WIDTH, WIDTH, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, 512)."""
        ahead = F.leaky_relu(self.conv1(F.pad(x.transpose(1, 2), (0, LOOKAHEAD))))
        branch: Tensor = self.conv2(F.pad(ahead, (2, 0)))
        return x + branch.transpose(1, 2)


class InputLayer(nn.Module):
    """Linear layer and normalisation before a stack of layers, scaled by the root of the width."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Sequential(Linear(WIDTH, WIDTH), nn.LayerNorm(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """Transform the last axis."""
        transformed: Tensor = self.out(x)
        return transformed * math.sqrt(WIDTH)


class RepeatingUpsample(nn.Module):
    """Doubles the rate: repetition, then a causal convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(WIDTH, WIDTH, 2 * UPSAMPLING + 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 2 T, 512)."""
        repeated = x.repeat_interleave(UPSAMPLING, dim=1).transpose(1, 2)
        convolved: Tensor = self.conv(F.pad(repeated, (2 * UPSAMPLING, 0)))
        return convolved.transpose(1, 2).contiguous()


class UpsamplingEncoder(nn.Module):
    """Embedded tokens (B, T, 512) -> states of the mel's frames (B, 2 T, 512)."""

    def __init__(self, layers: int, up_layers: int) -> None:
        super().__init__()
        self.embed = InputLayer()
        self.after_norm = nn.LayerNorm(WIDTH)
        self.pre_lookahead_layer = Lookahead()
        self.encoders = nn.ModuleList(EncoderLayer() for _ in range(layers))
        self.up_layer = RepeatingUpsample()
        self.up_embed = InputLayer()
        self.up_encoders = nn.ModuleList(EncoderLayer() for _ in range(up_layers))

    def forward(self, x: Tensor) -> Tensor:
        """Encode whole utterances of one length."""
        x = self.pre_lookahead_layer(self.embed(x))
        x = _run(self.encoders, x)
        x = _run(self.up_encoders, self.up_embed(self.up_layer(x)))
        normed: Tensor = self.after_norm(x)
        return normed


def _run(layers: nn.ModuleList, x: Tensor) -> Tensor:
    positions = relative_positions(x.shape[1], x.device).to(x.dtype)
    for layer in layers:
        x = layer(x, positions)
    return x
