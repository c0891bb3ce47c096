"""
Multi-head self-attention with rotary positions; separate q, k and v as published F5-TTS checkpoints
have them.

Rotary position embedding (Su et al. 2021), interleaved pairs as in x-transformers and F5-TTS.
"""

import torch
from torch import Tensor, nn

from engine.layers.linear import Linear, can_use_onednn

HIDDEN = -1e4
"""
Added to the score of a padding frame: its softmax weight underflows to 0 in bf16, fp16 and fp32.
"""


def written_out_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """
    Attend with a plain softmax, (B, heads, T, d) each; the CPU's fused kernel has a slow backward
    pass, this has not.
    """
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if mask is not None:
        scores += torch.zeros_like(mask, dtype=scores.dtype).masked_fill_(~mask, HIDDEN)
    mixed: Tensor = scores.softmax(dim=-1) @ v
    return mixed


class Attention(nn.Module):
    """Self-attention (B, T, width) -> (B, T, width)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = Linear(width, width)
        self.to_k = Linear(width, width)
        self.to_v = Linear(width, width)
        self.to_out = Linear(width, width)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attend; `mask` (B, 1, 1, T) is True where a key may be seen, None when all may."""
        q, k, v = (
            part.view(*part.shape[:2], self.heads, -1).transpose(1, 2)
            for part in (self.to_q(x), self.to_k(x), self.to_v(x))
        )
        q, k = apply_rope(q, cos, sin), apply_rope(k, cos, sin)
        if self.training:
            mixed = written_out_attention(q, k, v, mask)
        else:
            mixed = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        projected: Tensor = self.to_out(mixed.transpose(1, 2).flatten(2))
        return projected


def rope_tables(length: int, head_width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """
    Make the cosine and sine tables, each (length, head_width // 2), fp32: an angle for every pair
    of channels.
    """
    pairs = torch.arange(0, head_width, 2, device=device, dtype=torch.float32)
    angles = torch.arange(length, device=device, dtype=torch.float32)[:, None] * 10_000.0 ** (
        -pairs / head_width
    )
    return angles.cos(), angles.sin()


def apply_rope(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """
    Rotate queries or keys: x (B, heads, T, head_width), tables (T, head_width // 2) in the dtype of
    x.
    """
    pairs = x.view(*x.shape[:-1], -1, 2)
    # a rotation is a product of complex numbers, in one pass
    if x.dtype is torch.float32 and can_use_onednn(x):
        return torch.view_as_real(torch.view_as_complex(pairs) * torch.complex(cos, sin)).flatten(
            -2
        )
    a, b = pairs.unbind(-1)
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
