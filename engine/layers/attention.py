"""
Multi-head self-attention with rotary positions.

q, k and v are separate, as in published F5-TTS checkpoints.
Rotary position embedding (Su et al. 2021), interleaved pairs as in x-transformers and F5-TTS.
"""

import torch
from torch import Tensor, nn

from voxgate.engine.layers.linear import Linear, can_use_onednn

MASKED_SCORE = -1e4
"""
Added to the score of a padding frame: its softmax weight underflows to 0 in bf16, fp16 and fp32.
"""


def plain_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """
    Compute attention with a plain softmax, (B, heads, T, d) each.

    Used in training, because the CPU's fused kernel has a slow backward pass.
    """
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if mask is not None:
        scores += torch.zeros_like(mask, dtype=scores.dtype).masked_fill_(~mask, MASKED_SCORE)
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
        """Attend; `mask` (B, 1, 1, T) is True for visible keys, None if all are visible."""
        q, k, v = (
            part.view(*part.shape[:2], self.heads, -1).transpose(1, 2)
            for part in (self.to_q(x), self.to_k(x), self.to_v(x))
        )
        q, k = apply_rope(q, cos, sin), apply_rope(k, cos, sin)
        if self.training:
            mixed = plain_attention(q, k, v, mask)
        else:
            mixed = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        projected: Tensor = self.to_out(mixed.transpose(1, 2).flatten(2))
        return projected


def rope_tables(length: int, head_width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """
    Return the cosine and sine tables, fp32 (length, head_width // 2) each: an angle per pair of
    channels.
    """
    pairs = torch.arange(0, head_width, 2, device=device, dtype=torch.float32)
    angles = torch.arange(length, device=device, dtype=torch.float32)[:, None] * 10_000.0 ** (
        -pairs / head_width
    )
    return angles.cos(), angles.sin()


def apply_rope(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """
    Rotate queries or keys.

    Args:
        x: (B, heads, T, head_width).
        cos: (T, head_width // 2) in the dtype of x.
        sin: like cos.
    """
    pairs = x.view(*x.shape[:-1], -1, 2)
    # a rotation is a complex product: one pass over the memory
    if x.dtype is torch.float32 and can_use_onednn(x):
        return torch.view_as_real(torch.view_as_complex(pairs) * torch.complex(cos, sin)).flatten(
            -2
        )
    a, b = pairs.unbind(-1)
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
