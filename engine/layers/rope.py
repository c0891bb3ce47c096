"""Rotary position embedding (Su et al. 2021), interleaved pairs as in x-transformers and F5-TTS."""

import torch
from torch import Tensor

from engine.layers.quick import may_be_quick


def rope_tables(length: int, head_width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Make the cosine and sine tables, each (length, head_width // 2), fp32: an angle for every pair of channels."""
    pairs = torch.arange(0, head_width, 2, device=device, dtype=torch.float32)
    angles = torch.arange(length, device=device, dtype=torch.float32)[:, None] * 10_000.0 ** (-pairs / head_width)
    return angles.cos(), angles.sin()


def apply_rope(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate queries or keys: x (B, heads, T, head_width), tables (T, head_width // 2) in the dtype of x."""
    pairs = x.view(*x.shape[:-1], -1, 2)
    if x.dtype is torch.float32 and may_be_quick(x):  # a rotation is a product of complex numbers, in one pass
        return torch.view_as_real(torch.view_as_complex(pairs) * torch.complex(cos, sin)).flatten(-2)
    a, b = pairs.unbind(-1)
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2)
