"""
The log-mel spectrogram: output of the acoustic model, input of the vocoder.

80 bands on the HTK scale, magnitude (power 1), natural logarithm with a floor.
These parameters are part of the weights' format, so they are constants and not options.
"""

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
