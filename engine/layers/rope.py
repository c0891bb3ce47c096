"""Rotary position embedding (Su et al. 2021), interleaved pairs as in x-transformers and F5-TTS."""

import torch
from torch import Tensor


def rope_tables(length: int, head_width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Make the cosine and sine tables, each (length, head_width), fp32."""
    pairs = torch.arange(0, head_width, 2, device=device, dtype=torch.float32)
    inverse = 10_000.0 ** (-pairs / head_width)
    angles = torch.arange(length, device=device, dtype=torch.float32)[:, None] * inverse
    angles = angles.repeat_interleave(2, dim=1)  # torch's ONNX exporter gets a negative axis wrong here
    return angles.cos(), angles.sin()


def apply_rope(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate queries or keys: x (B, heads, T, head_width), tables (T, head_width) in the dtype of x."""
    pairs = x.view(*x.shape[:-1], -1, 2)
    turned = torch.stack((-pairs[..., 1], pairs[..., 0]), dim=-1).flatten(-2)
    return x * cos + turned * sin
