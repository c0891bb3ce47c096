"""
The diffusion transformer of F5-TTS as published (Chen et al. 2024), versions 0 and 1.

Parameter names are those of the published checkpoints, so that they load strictly.
Called like `dit.DiT`: (noisy, prompt_mel, text, t) -> velocity, with the text embedded once for all
steps.
Unlike the embedded voice it gets characters without durations, padded with a filler to the length
of the mel, and finds the timing by itself.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from voxgate.engine.layers.attention import apply_rope, rope_tables
from voxgate.engine.layers.convolution import ConvNeXtV2Block, convolve
from voxgate.engine.layers.linear import Linear, LinearGelu
from voxgate.engine.layers.time_conditioning import TimestepEmbedding, distinct_times, modulate

FILLER = 0
"""Character index of the padding behind the text, and of all the text in the unconditional row."""
HEAD_WIDTH = 64
POSITION_KERNEL, POSITION_GROUPS = 31, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class F5Shape:
    """
    The hyperparameters of a published F5-TTS model.

    Version 1 (`F5TTS_v1_Base`) masks the filler in the text blocks and applies rotary positions to
    every attention head.
    Version 0 (`F5TTS_Base`) masks nothing and rotates the first head alone.
    """

    characters: int
    """Size of the vocabulary without the filler."""
    version: int = 1
    bands: int = 100
    width: int = 1024
    depth: int = 22
    hidden: int = 2048
    text_width: int = 512
    text_blocks: int = 4
    text_hidden: int = 1024

    @property
    def heads(self) -> int:
        """Number of attention heads, of 64 channels each."""
        return self.width // HEAD_WIDTH


class F5TextEmbedding(nn.Module):
    """Characters (B, N) -> (B, T, text_width): embedded, with positions, mixed by convolutions."""

    def __init__(self, shape: F5Shape) -> None:
        super().__init__()
        self.masks_filler = shape.version >= 1
        self.text_embed = nn.Embedding(shape.characters + 1, shape.text_width)
        blocks = [
            ConvNeXtV2Block(shape.text_width, shape.text_hidden) for _ in range(shape.text_blocks)
        ]
        self.text_blocks = nn.Sequential(*blocks)

    def forward(self, characters: Tensor, length: int, *, conditional: bool = True) -> Tensor:
        """
        Embed the text for a mel of `length` frames.

        Args:
            characters: (B, N) int64, 1 .. characters; characters beyond `length` are dropped.
            length: T, in mel frames.
            conditional: False replaces the text by filler, for the unconditional row of guidance.

        Returns: (B, T, text_width).
        """
        padded = nn.functional.pad(
            characters[:, :length], (0, max(0, length - characters.shape[1])), value=FILLER
        )
        is_text = (padded != FILLER)[..., None]
        x = self.text_embed(padded if conditional else torch.full_like(padded, FILLER))
        x = x + positions(length, x.shape[-1], x.device).to(x.dtype)
        if not self.masks_filler:
            mixed: Tensor = self.text_blocks(x)
            return mixed
        hidden: Tensor = x * is_text
        for block in self.text_blocks:
            hidden = block(hidden) * is_text
        return hidden


class ConvPositionEmbedding(nn.Module):
    """Two grouped convolutions that encode positions, (B, T, width) -> the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        conv = [
            nn.Conv1d(
                width, width, POSITION_KERNEL, padding=POSITION_KERNEL // 2, groups=POSITION_GROUPS
            )
            for _ in "12"
        ]
        self.conv1d = nn.Sequential(conv[0], nn.Mish(), conv[1], nn.Mish())

    def forward(self, x: Tensor) -> Tensor:
        """Convolve over time."""
        for part in self.conv1d:
            x = convolve(part, x) if isinstance(part, nn.Conv1d) else part(x)
        return x


class F5InputEmbedding(nn.Module):
    """Noisy mel, prompt mel and text -> (B, T, width)."""

    def __init__(self, shape: F5Shape) -> None:
        super().__init__()
        self.proj = Linear(2 * shape.bands + shape.text_width, shape.width)
        self.conv_pos_embed = ConvPositionEmbedding(shape.width)

    def forward(self, noisy: Tensor, prompt_mel: Tensor, text: Tensor) -> Tensor:
        """Project the concatenated inputs and add the position embedding."""
        x: Tensor = self.proj(torch.cat((noisy, prompt_mel, text), dim=-1))
        positioned: Tensor = x + self.conv_pos_embed(x)
        return positioned


class AdaNorm(nn.Module):
    """
    Projection of the time to `parts` vectors (B, 1, width), or (1, 1, width), that shift, scale and
    gate.

    Peebles & Xie 2023.
    """

    def __init__(self, width: int, parts: int) -> None:
        super().__init__()
        self.parts = parts
        self.linear = nn.Linear(width, parts * width)

    def forward(self, time: Tensor) -> tuple[Tensor, ...]:
        """Project the embedded time (B, width) or (1, width)."""
        parts: tuple[Tensor, ...] = self.linear(nn.functional.silu(time))[:, None].chunk(
            self.parts, dim=-1
        )
        return parts


class F5Attention(nn.Module):
    """
    Self-attention (B, T, width) -> the same, with rotary positions on the first `rotated_heads`.
    """

    def __init__(self, width: int, heads: int, rotated_heads: int) -> None:
        super().__init__()
        self.heads, self.rotated_heads = heads, rotated_heads
        self.to_q, self.to_k, self.to_v = (Linear(width, width) for _ in "qkv")
        self.to_out = nn.ModuleList([Linear(width, width)])

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Attend from every frame to every frame."""
        q, k, v = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.to_q, self.to_k, self.to_v)
        )
        q, k = (self._rotate(x, cos, sin) for x in (q, k))
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.to_out[0](mixed.transpose(1, 2).flatten(2))
        return out

    def _rotate(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        if self.rotated_heads == self.heads:
            return apply_rope(x, cos, sin)
        return torch.cat(
            (apply_rope(x[:, : self.rotated_heads], cos, sin), x[:, self.rotated_heads :]), dim=1
        )


class FeedForward(nn.Module):
    """Linear, GELU (tanh), linear."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        first = nn.Sequential(LinearGelu(width, hidden, "tanh"))
        # Identity: dropout in training
        self.ff = nn.Sequential(first, nn.Identity(), Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        """Transform each frame."""
        out: Tensor = self.ff(x)
        return out


class F5Block(nn.Module):
    """Attention and feed-forward, shifted, scaled and gated by the time (AdaLN-zero)."""

    def __init__(self, shape: F5Shape) -> None:
        super().__init__()
        self.attn_norm = AdaNorm(shape.width, 6)
        self.attn = F5Attention(shape.width, shape.heads, shape.heads if shape.version >= 1 else 1)
        self.ff = FeedForward(shape.width, shape.hidden)

    def forward(self, x: Tensor, time: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Transform x (B, T, width)."""
        shift_a, scale_a, gate_a, shift_f, scale_f, gate_f = self.attn_norm(time)
        x = torch.addcmul(x, gate_a, self.attn(modulate(x, shift_a, scale_a), cos, sin))
        return torch.addcmul(x, gate_f, self.ff(modulate(x, shift_f, scale_f)))


class FinalNorm(AdaNorm):
    """AdaNorm before the last projection: scale, then shift."""

    def __init__(self, width: int) -> None:
        super().__init__(width, 2)


class F5DiT(nn.Module):
    """Velocity of the flow at time t, (B, T, bands)."""

    def __init__(self, shape: F5Shape) -> None:
        super().__init__()
        self.shape = shape
        self.time_embed = TimestepEmbedding(shape.width)
        self.text_embed = F5TextEmbedding(shape)
        self.input_embed = F5InputEmbedding(shape)
        self.transformer_blocks = nn.ModuleList(F5Block(shape) for _ in range(shape.depth))
        self.norm_out = FinalNorm(shape.width)
        self.proj_out = Linear(shape.width, shape.bands)

    def forward(self, noisy: Tensor, prompt_mel: Tensor, text: Tensor, t: Tensor) -> Tensor:
        """
        Predict the velocity.

        Args:
            noisy: (B, T, bands), the state of the flow.
            prompt_mel: (B, T, bands), the prompt's mel, zeros at the frames to synthesise.
            text: (B, T, text_width), from `text_embed`.
            t: (B,) times in 0..1; a single expanded time is embedded once.

        Returns: (B, T, bands).
        """
        time = self.time_embed(distinct_times(t))
        x = self.input_embed(noisy, prompt_mel, text)
        cos, sin = (table.to(x.dtype) for table in rope_tables(x.shape[1], HEAD_WIDTH, x.device))
        for block in self.transformer_blocks:
            x = block(x, time, cos, sin)
        scale, shift = self.norm_out(time)
        velocity: Tensor = self.proj_out(modulate(x, shift, scale))
        return velocity


def positions(length: int, width: int, device: torch.device) -> Tensor:
    """
    Return sinusoidal positions (length, width), cosines before sines as in F5-TTS.

    Vaswani et al. 2017.
    """
    rates = 10_000.0 ** (-torch.arange(0, width, 2, device=device, dtype=torch.float32) / width)
    angles = torch.arange(length, device=device, dtype=torch.float32)[:, None] * rates
    return torch.cat((angles.cos(), angles.sin()), dim=-1)
