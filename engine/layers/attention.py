"""Multi-head self-attention with rotary positions; separate q, k and v as published F5-TTS checkpoints have them."""

import torch
from torch import Tensor, nn

from engine.layers.linear import Linear
from engine.layers.rope import apply_rope

HIDDEN = -1e4
"""Added to the score of a padding frame: its softmax weight underflows to 0 in bf16, fp16 and fp32."""


def written_out_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Attend with a plain softmax, (B, heads, T, d) each; the CPU's fused kernel has a slow backward pass, this has not."""
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
            part.view(*part.shape[:2], self.heads, -1).transpose(1, 2) for part in (self.to_q(x), self.to_k(x), self.to_v(x))
        )
        q, k = apply_rope(q, cos, sin), apply_rope(k, cos, sin)
        if self.training:
            mixed = written_out_attention(q, k, v, mask)
        else:
            mixed = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        projected: Tensor = self.to_out(mixed.transpose(1, 2).flatten(2))
        return projected
