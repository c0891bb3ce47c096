"""
The log-mel spectrogram: output of the acoustic model, input of the vocoder.

80 bands on the HTK scale, magnitude (power 1), natural logarithm with a floor.
These parameters are part of the weights' format, so they are constants and not options.
"""

import math

import torch
from torch import Tensor

N_FFT = 1024
HOP = 256
BANDS = 80
LOG_FLOOR = 1e-4


def hz_to_htk_mel(hz: Tensor) -> Tensor:
    """Convert hertz to HTK mel (O'Shaughnessy 1987): 2595 log10(1 + f / 700)."""
    return 2595.0 * torch.log10(1.0 + hz / 700.0)


def mel_filterbank(sample_rate_hz: int, *, n_fft: int = N_FFT, bands: int = BANDS) -> Tensor:
    """
    Return triangular filters, (bands, n_fft // 2 + 1), unnormalised, from 0 Hz to half the sample
    rate.
    """
    bins = torch.linspace(0.0, sample_rate_hz / 2, n_fft // 2 + 1)
    top = hz_to_htk_mel(torch.tensor(sample_rate_hz / 2))
    edges_mel = torch.linspace(0.0, float(top), bands + 2)
    edges = 700.0 * (10.0 ** (edges_mel / 2595.0) - 1.0)
    rising = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0.0)


def slaney_filterbank(
    sample_rate_hz: int, *, n_fft: int, bands: int, top_hz: float | None = None
) -> Tensor:
    """
    Return triangular filters of unit area, (bands, n_fft // 2 + 1), on the scale of Slaney's
    Auditory Toolbox (1998): linear below 1 kHz, logarithmic above.

    librosa's default, and the scale of the models that were trained on its spectrograms.
    """
    edges = _slaney_edges(float(top_hz or sample_rate_hz / 2), bands + 2)
    bins = torch.linspace(0.0, sample_rate_hz / 2, n_fft // 2 + 1, dtype=torch.float64)
    rising = (bins[None] - edges[:-2, None]) / edges.diff()[:-1, None]
    falling = (edges[2:, None] - bins[None]) / edges.diff()[1:, None]
    area = (edges[2:] - edges[:-2])[:, None] / 2.0
    return (torch.minimum(rising, falling).clamp(min=0.0) / area).float()


def _slaney_edges(top_hz: float, count: int) -> Tensor:
    """Return frequencies (count,) from 0 to `top_hz`, evenly spaced on Slaney's scale."""
    hz_per_mel, knee_hz, octave = 200.0 / 3.0, 1000.0, math.log(6.4) / 27.0
    knee = knee_hz / hz_per_mel
    above = knee + math.log(max(top_hz, knee_hz) / knee_hz) / octave
    top = above if top_hz > knee_hz else top_hz / hz_per_mel
    mels = torch.linspace(0.0, top, count, dtype=torch.float64)
    curved = knee_hz * torch.exp(octave * (mels - knee))
    return torch.where(mels < knee, mels * hz_per_mel, curved)


def log_mel(
    audio: Tensor,
    filterbank: Tensor,
    floor: float = LOG_FLOOR,
    *,
    n_fft: int = N_FFT,
    hop: int = HOP,
) -> Tensor:
    """
    Compute the log-mel spectrogram.

    Args:
        audio: (B, T) float32 in -1..1.
        filterbank: (bands, n_fft // 2 + 1), from `mel_filterbank`.
        floor: the smallest magnitude.
        n_fft: window length in samples.
        hop: samples between STFT frames.

    Returns: (B, T // hop + 1, bands).
    """
    window = torch.hann_window(n_fft, device=audio.device)
    spectrum = torch.stft(
        audio, n_fft, hop, window=window, center=True, pad_mode="reflect", return_complex=True
    )
    return (filterbank @ spectrum.abs()).clamp(min=floor).log().transpose(1, 2)
