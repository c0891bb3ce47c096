"""
S3 tokeniser, version 2: 16 kHz audio to 25 speech tokens a second, of 6561 kinds.

A log-mel spectrogram passes two convolutions of stride 2 and a transformer with rotary positions,
whose values also pass a depth-wise convolution (FSMN).
Finite scalar quantisation (Mentzer et al. 2023) rounds each of 8 numbers to one of 3 levels.
Parameter names are those of the published checkpoint.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxgate.engine.layers.linear import Linear, LinearGelu
from voxgate.engine.layers.mel import slaney_filterbank

RATE_HZ, N_FFT, HOP, BANDS = 16_000, 400, 160, 128
HEAD_WIDTH = 64
LEVELS, CODE_WIDTH = 3, 8
VOCABULARY = LEVELS**CODE_WIDTH
BELOW_ONE = 0.9990000128746033
"""Keeps tanh, which may round to 1, below the next level."""
FSMN_KERNEL = 31
WINDOW_FRAMES, STRIDE_FRAMES = 3000, 2600
"""Longer audio is read in windows of 30 s that overlap by 4 s."""
DROPPED_TOKENS = 50
"""Of each window, at a side where another one overlaps."""
LOG_RANGE = 8.0
"""Decades below the loudest value at which the log-mel spectrogram is cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3TokenizerShape:
    """Sizes; the published model has the defaults."""

    width: int = 1280
    layers: int = 6


@functools.cache
def mel_filters() -> Tensor:
    """Return the mel filters, (128, 201)."""
    return slaney_filterbank(RATE_HZ, n_fft=N_FFT, bands=BANDS)


def s3_log_mel(audio: Tensor) -> Tensor:
    """
    Compute the tokeniser's log-mel spectrogram, about -1 to 1, of 16 kHz audio.

    Args:
        audio: (T,).

    Returns: (128, T // 160).
    """
    window = torch.hann_window(N_FFT, device=audio.device)
    spectrum = torch.stft(audio, N_FFT, HOP, window=window, return_complex=True)
    power = mel_filters().to(audio.device) @ spectrum[:, :-1].abs().square()
    log_power = power.clamp(min=1e-10).log10()
    return (torch.maximum(log_power, log_power.max() - LOG_RANGE) + 4.0) / 4.0


class S3Attention(nn.Module):
    """Self-attention with a memory: a depth-wise convolution over the values."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = Linear(width, width)
        self.key = Linear(width, width, bias=False)
        self.value = Linear(width, width)
        self.out = Linear(width, width)
        self.fsmn_block = nn.Conv1d(
            width, width, FSMN_KERNEL, padding=FSMN_KERNEL // 2, groups=width, bias=False
        )

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Attend, (B, T, width) -> (B, T, width)."""
        value = self.value(x)
        q, k, v = (_heads(part) for part in (self.query(x), self.key(x), value))
        mixed = F.scaled_dot_product_attention(
            rotate_halves(q, cos, sin), rotate_halves(k, cos, sin), v
        )
        memory = self.fsmn_block(value.transpose(1, 2)).transpose(1, 2) + value
        attended: Tensor = self.out(mixed.transpose(1, 2).flatten(2)) + memory
        return attended


def _heads(x: Tensor) -> Tensor:
    return x.view(*x.shape[:2], -1, HEAD_WIDTH).transpose(1, 2)


def rotate_halves(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate x (..., T, d) by tables (T, d / 2): channel i pairs with channel i + d / 2."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class S3Block(nn.Module):
    """Transformer layer, normalised before each part."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attn = S3Attention(width)
        self.attn_ln = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            LinearGelu(width, 4 * width), nn.Identity(), Linear(4 * width, width)
        )
        self.mlp_ln = nn.LayerNorm(width)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Return x plus both residual branches."""
        x = x + self.attn(self.attn_ln(x), cos, sin)
        moved: Tensor = x + self.mlp(self.mlp_ln(x))
        return moved


class S3Encoder(nn.Module):
    """Log-mel (B, 128, T) -> hidden states (B, about T / 4, width)."""

    def __init__(self, shape: S3TokenizerShape) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(BANDS, shape.width, 3, stride=2, padding=1)
        self.conv2 = nn.Conv1d(shape.width, shape.width, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(S3Block(shape.width) for _ in range(shape.layers))

    def forward(self, mel: Tensor) -> Tensor:
        """Encode one window."""
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel)))).transpose(1, 2).contiguous()
        cos, sin = _rotary_tables(x.shape[1], x.device)
        for block in self.blocks:
            x = block(x, cos, sin)
        return x


def _rotary_tables(length: int, device: torch.device) -> tuple[Tensor, Tensor]:
    pairs = torch.arange(0, HEAD_WIDTH, 2, device=device).float() / HEAD_WIDTH
    angles = torch.outer(torch.arange(length, device=device), 1.0 / 10_000.0**pairs)
    return angles.cos(), angles.sin()


class FSQCodebook(nn.Module):
    """Finite scalar quantisation: hidden states to indices."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.project_down = nn.Linear(width, CODE_WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """Return the index (B, T) of each state: digits in base 3, the lowest first."""
        digits: Tensor = (self.project_down(x).float().tanh() * BELOW_ONE).round() + 1.0
        places = float(LEVELS) ** torch.arange(CODE_WIDTH, device=x.device, dtype=torch.float32)
        return (digits * places).sum(dim=-1).long()


class FSQuantizer(nn.Module):
    """Holds the codebook under its published name."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self._codebook = FSQCodebook(width)

    def forward(self, x: Tensor) -> Tensor:
        """Return the index of each state."""
        indices: Tensor = self._codebook(x)
        return indices


class S3Tokenizer(nn.Module):
    """Audio to speech tokens."""

    def __init__(self, shape: S3TokenizerShape) -> None:
        super().__init__()
        self.shape = shape
        self.encoder = S3Encoder(shape)
        self.quantizer = FSQuantizer(shape.width)

    def forward(self, mel: Tensor) -> Tensor:
        """Return the tokens (N,) of a log-mel spectrogram (128, T)."""
        if mel.shape[1] <= WINDOW_FRAMES:
            return self._read(mel)
        starts = range(0, mel.shape[1], STRIDE_FRAMES)
        return _join([self._read(mel[:, start : start + WINDOW_FRAMES]) for start in starts])

    def _read(self, mel: Tensor) -> Tensor:
        tokens: Tensor = self.quantizer(self.encoder(mel[None]))[0]
        return tokens

    def tokenize(self, audio: Tensor, limit: int | None = None) -> Tensor:
        """
        Return the tokens of 16 kHz audio (T,).

        Args:
            audio: the samples.
            limit: the most tokens; the audio's end is left unread.
        """
        mel = s3_log_mel(audio)
        tokens: Tensor = self(mel if limit is None else mel[:, : 4 * limit])
        return tokens


def _join(windows: Sequence[Tensor]) -> Tensor:
    """Join the tokens of windows, each without the outer half of its overlaps."""
    last = len(windows) - 1
    kept = [
        tokens[DROPPED_TOKENS if index else 0 : None if index == last else -DROPPED_TOKENS]
        for index, tokens in enumerate(windows)
    ]
    return torch.cat(kept)
