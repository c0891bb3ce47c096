"""
The content encoder: audio -> what is said in every mel frame, without who says it.

The content of a frame is a few bounded numbers off which the frame's phone can be read without its
neighbours, as of speech tokens (`speech_tokenizer.py`), but not rounded, and at the rate of the
decoder's mel. The encoder hears spectra of its own: a short window, since pitch is no content; a
level made equal; and little below the loudest, so that a quiet room and a digital silence are much
the same.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from voxgate.engine.alphabet import SAMPLE_RATE_HZ
from voxgate.engine.layers.convolution import ConvNeXtBlock
from voxgate.engine.layers.linear import Linear
from voxgate.engine.layers.mel import HOP, log_mel, mel_filterbank

N_FFT = 640
BANDS = 64
CONTENT_RMS = 0.05
"""Level that the encoder's input is brought to."""
FLOOR = 0.02
"""Least magnitude in a band: about 55 dB below the loudest."""
MEL_SCALE = 0.6
"""Brings the log-mel, less its mean, to about unit variance."""
KERNEL = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentEncoderShape:
    """The hyperparameters of a ContentEncoder."""

    phones: int
    bands: int = BANDS
    width: int = 256
    hidden: int = 768
    blocks: int = 7
    content: int = 16
    classifier: int = 192


class ContentEncoder(nn.Module):
    """Content mel (B, F, bands) -> content (B, F, content), in -1..1."""

    def __init__(self, shape: ContentEncoderShape) -> None:
        super().__init__()
        self.shape = shape
        self.frame_in = Linear(3 * shape.bands, shape.width)
        self.blocks = nn.ModuleList(
            ConvNeXtBlock(shape.width, shape.hidden, gamma=0.5, kernel=KERNEL)
            for _ in range(shape.blocks)
        )
        self.norm = nn.LayerNorm(shape.width, eps=1e-6)
        self.project = Linear(shape.width, shape.content)
        self.classifier = nn.Sequential(
            Linear(shape.content, shape.classifier),
            nn.GELU(),
            Linear(shape.classifier, shape.phones),
        )

    @property
    def context_frames(self) -> int:
        """Frames before and behind a frame that its content depends on."""
        return 1 + len(self.blocks) * (KERNEL // 2)

    def forward(self, mel: Tensor) -> Tensor:
        """Compute the content of mel frames from `content_mel`."""
        padded = nn.functional.pad(mel, (0, 0, 1, 1))
        x: Tensor = self.frame_in(torch.cat((padded[:, :-2], mel, padded[:, 2:]), dim=-1))
        for block in self.blocks:
            x = block(x)
        bounded: Tensor = self.project(self.norm(x)).tanh()
        return bounded

    def phones(self, content: Tensor) -> Tensor:
        """Return the logits of every frame's phone, (B, F, phones)."""
        logits: Tensor = self.classifier(content)
        return logits


def content_filterbank() -> Tensor:
    """Return the filterbank of `content_mel`, (bands, N_FFT // 2 + 1)."""
    return mel_filterbank(SAMPLE_RATE_HZ, n_fft=N_FFT, bands=BANDS)


def content_log_mel(audio: Tensor, filterbank: Tensor, hop: int = HOP) -> Tensor:
    """
    Compute the log-mel of audio at CONTENT_RMS, (B, T) fp32 -> (B, T // hop + 1, bands), before
    its mean is subtracted. Frame i is centred on sample i * hop.
    """
    return log_mel(audio, filterbank, FLOOR, n_fft=N_FFT, hop=hop)


def content_mel(audio: Tensor, filterbank: Tensor) -> Tensor:
    """
    Compute the encoder's input from a whole recording: levelled, log-mel less each band's mean.

    Args:
        audio: (B, T) fp32 at SAMPLE_RATE_HZ.
        filterbank: from `content_filterbank`.

    Returns: (B, T // HOP + 1, bands).
    """
    mel = content_log_mel(levelled(audio), filterbank)
    return (mel - mel.mean(dim=1, keepdim=True)) * MEL_SCALE


def levelled(audio: Tensor) -> Tensor:
    """Return audio (B, T) at a root mean square of CONTENT_RMS."""
    rms = audio.square().mean(dim=-1, keepdim=True).sqrt()
    return audio * (CONTENT_RMS / rms.clamp(min=1e-6))
