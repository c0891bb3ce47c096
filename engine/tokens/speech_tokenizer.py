"""
The speech tokeniser: audio -> one code of a finite scalar quantiser every 40 ms.

A code stands for the phones of its 40 ms, since the quantiser is trained to let them be read off
one code alone, as S3 tokenisers are trained on the words of a recogniser (Du et al. 2024,
CosyVoice). Voice, pitch and level are left to other inputs of the decoder.

The mel has its own frame rate, 50 per second, so that a token is two frames. The mean of every band
over the utterance is subtracted, which removes the microphone and a part of the voice.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from voxgate.engine.alphabet import SAMPLE_RATE_HZ
from voxgate.engine.errors import EngineError
from voxgate.engine.layers.convolution import ConvNeXtBlock
from voxgate.engine.layers.linear import Linear
from voxgate.engine.layers.mel import log_mel, mel_filterbank

TOKEN_SAMPLES = 640
"""25 tokens per second of audio at 16 kHz."""
TOKEN_RATE_HZ = SAMPLE_RATE_HZ / TOKEN_SAMPLES
N_FFT = 640
HOP = 320
BANDS = 80
LEVELS = (5, 5, 5, 4, 4)
"""Levels of each dimension of the quantiser."""
CODES = math.prod(LEVELS)
MEL_SCALE = 0.5
"""Brings the log-mel, less its mean, to about unit variance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerShape:
    """The hyperparameters of a SpeechTokenizer."""

    bands: int = BANDS
    frame_width: int = 128
    frame_hidden: int = 384
    frame_blocks: int = 2
    width: int = 192
    hidden: int = 448
    blocks: int = 4


class FiniteScalarQuantizer(nn.Module):
    """
    Round every dimension of a bounded vector to a few levels (Mentzer et al. 2023).

    Untrained and without parameters.
    """

    def __init__(self, levels: tuple[int, ...] = LEVELS) -> None:
        super().__init__()
        steps = torch.tensor(levels) - 1
        place_values = torch.tensor([1, *levels[:-1]]).cumprod(0)
        self.register_buffer("steps", steps, persistent=False)
        self.register_buffer("place_values", place_values, persistent=False)
        self.steps: Tensor
        self.place_values: Tensor

    def forward(self, z: Tensor) -> Tensor:
        """
        Quantise z (..., dimensions); the gradient passes straight through.

        Returns: levels scaled to -1..1, (..., dimensions).
        """
        bounded = z.tanh()
        rounded = self._rounded(bounded)
        return bounded + (rounded - bounded).detach()

    def codes(self, z: Tensor) -> Tensor:
        """Return the codes of z, int64 (...)."""
        digits = torch.round((z.tanh() + 1.0) / 2.0 * self.steps).long()
        return (digits * self.place_values).sum(-1)

    def vectors(self, codes: Tensor) -> Tensor:
        """Return the quantised vectors of codes (...), in -1..1, fp32 (..., dimensions)."""
        digits = codes[..., None] // self.place_values % (self.steps + 1)
        return digits.float() / self.steps * 2.0 - 1.0

    def _rounded(self, bounded: Tensor) -> Tensor:
        return torch.round((bounded + 1.0) / 2.0 * self.steps) / self.steps * 2.0 - 1.0


class SpeechTokenizer(nn.Module):
    """Audio -> codes. `encode` is the whole way; `forward` is the differentiable part."""

    def __init__(self, shape: TokenizerShape) -> None:
        super().__init__()
        self.shape = shape
        self.frame_in = Linear(3 * shape.bands, shape.frame_width)
        self.frame_blocks = nn.ModuleList(
            ConvNeXtBlock(shape.frame_width, shape.frame_hidden, gamma=0.5)
            for _ in range(shape.frame_blocks)
        )
        self.pair = Linear(2 * shape.frame_width, shape.width)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(shape.width, shape.hidden, gamma=0.5) for _ in range(shape.blocks)
        )
        self.norm = nn.LayerNorm(shape.width, eps=1e-6)
        self.project = Linear(shape.width, len(LEVELS))
        self.quantizer = FiniteScalarQuantizer()

    def states(self, mel: Tensor) -> Tensor:
        """
        Compute the states before quantisation.

        Args:
            mel: (B, F, bands) from `token_mel`, F even.

        Returns: (B, F / 2, width).
        """
        padded = nn.functional.pad(mel, (0, 0, 1, 1))
        x: Tensor = self.frame_in(torch.cat((padded[:, :-2], mel, padded[:, 2:]), dim=-1))
        for block in self.frame_blocks:
            x = block(x)
        x = self.pair(x.reshape(x.shape[0], x.shape[1] // 2, 2 * x.shape[2]))
        for block in self.blocks:
            x = block(x)
        normalised: Tensor = self.norm(x)
        return normalised

    def forward(self, mel: Tensor) -> Tensor:
        """Return the vectors before quantisation, (B, F / 2, dimensions)."""
        projected: Tensor = self.project(self.states(mel))
        return projected

    @torch.inference_mode()
    def encode(self, audio: Tensor) -> Tensor:
        """
        Tokenise audio.

        Args:
            audio: (T,) fp32 in -1..1 at 16 kHz, at least one token long.

        Returns: codes, int64 (ceil(T / TOKEN_SAMPLES),).
        Raises: EngineError for audio shorter than one token.
        """
        if audio.shape[-1] < TOKEN_SAMPLES:
            raise EngineError(
                f"audio of {audio.shape[-1] / SAMPLE_RATE_HZ:.3f} s is shorter than one speech "
                f"token ({1 / TOKEN_RATE_HZ:g} s); use a longer recording"
            )
        mel = token_mel(audio.float(), token_filterbank().to(audio.device))
        dtype = self.project.weight.dtype
        return self.quantizer.codes(self(mel[None].to(dtype)).float())[0]


def token_filterbank() -> Tensor:
    """Return the filterbank of `token_mel`, (bands, N_FFT // 2 + 1)."""
    return mel_filterbank(SAMPLE_RATE_HZ, n_fft=N_FFT, bands=BANDS)


def token_mel(audio: Tensor, filterbank: Tensor) -> Tensor:
    """
    Compute the tokeniser's input: log-mel less each band's mean, scaled.

    Args:
        audio: (T,) fp32 in -1..1; padded with silence to whole tokens.
        filterbank: from `token_filterbank`.

    Returns: (2 * ceil(T / TOKEN_SAMPLES), bands). Frame i is centred on sample i * HOP.
    """
    tokens = -(-audio.shape[-1] // TOKEN_SAMPLES)
    padded = nn.functional.pad(audio, (0, tokens * TOKEN_SAMPLES - audio.shape[-1]))
    mel = log_mel(padded[None], filterbank, n_fft=N_FFT, hop=HOP)[0, : 2 * tokens]
    return (mel - mel.mean(dim=0)) * MEL_SCALE
