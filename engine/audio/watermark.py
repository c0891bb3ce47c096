"""
Watermark of synthesised audio: Perth's implicit net, which marks the magnitudes below 2 kHz.

The package `resemble-perth` is read as data: its checkpoint's tensors fill a net of our own, and no
code of it runs. Imported, it would need torchaudio and pkg_resources, and without them it leaves
its class as None in place of an error.

A mark belongs to a whole chunk: its net looks at 25 frames of 10 ms around each, and at the loudest
of all. Whoever streams marks every chunk by itself, before crossfades, and each then carries the
mark.
"""

import importlib.util
import pickle
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import soxr
import torch
from torch import Tensor, nn

from voxgate.engine.config.choices import Watermark
from voxgate.engine.errors import EngineError

Mark = Callable[[np.ndarray], np.ndarray]
"""From the whole audio of a chunk, float32 (T,), to as many samples that carry the watermark."""

PACKAGE, MODULE = "resemble-perth", "perth"
CHECKPOINT = "perth_net/pretrained/implicit/perth_net_250000.pth.tar"
RATE_HZ, N_FFT, HOP = 32_000, 2048, 320
BANDS = 128
"""Of 1025 frequencies: those below 2 kHz."""
HIDDEN, KERNEL, INNER_LAYERS = 256, 7, 5
FLOOR = 1e-9
"""Smallest magnitude; the net sees decibels between it and 15 dB as 0 to 1."""
FLOOR_DB, SPAN_DB = -180.0, 195.0
SPEECH_SHARE = 0.05
"""Of the loudest frame's sum: quieter frames are not marked."""
UNREADABLE = (
    OSError,
    EOFError,
    RuntimeError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    pickle.UnpicklingError,
)
"""What torch's restricted reader raises, and a file with other content."""
SHORTEST = N_FFT
"""Samples at RATE_HZ that a spectrum needs; shorter audio is padded for the while."""


def load_mark(kind: Watermark, rate_hz: int, device: torch.device) -> Mark | None:
    """
    Load a watermark for audio of one rate; None for `off`.

    Raises: EngineError where the package or its checkpoint is missing, or is another.
    """
    if kind is Watermark.OFF:
        return None
    return PerthMark(load_marker(_checkpoint()).to(device), rate_hz)


def layers(inputs: int, outputs: int) -> nn.Sequential:
    """Build a stack of Perth: a projection, five convolutions over 7 frames, a projection."""
    widths = [inputs, *[HIDDEN] * (INNER_LAYERS + 1)]
    sizes = [1, *[KERNEL] * INNER_LAYERS]
    inner = [
        nn.Sequential(nn.Conv1d(before, after, size, padding=size // 2), nn.LeakyReLU())
        for (before, after), size in zip(pairwise(widths), sizes, strict=True)
    ]
    return nn.Sequential(*inner, nn.Sequential(nn.Conv1d(HIDDEN, outputs, 1)))


def load_marker(path: Path) -> nn.Sequential:
    """
    Load the half of Perth that marks.

    Raises: EngineError for a file that is no checkpoint of it, naming the tensor.
    """
    advice = f"install {PACKAGE} 1.0.1, or use watermark=off"
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)["model"]
        tensors = {
            # conv 0 of layer N has another name in Perth
            name.removeprefix("encoder.layers.").replace(".conv.", ".0."): value
            for name, value in stored.items()
            if name.startswith("encoder.")
        }
    except UNREADABLE:
        raise EngineError(f"watermark perth: {path} is no checkpoint of Perth; {advice}") from None
    with torch.random.fork_rng(devices=[]):  # new modules draw random numbers
        marker = layers(BANDS, BANDS)
    fault = _misfit(marker.state_dict(), tensors)
    if fault:
        raise EngineError(f"watermark perth: {path} {fault}; {advice}")
    marker.load_state_dict(tensors)
    return marker.eval().requires_grad_(False)


def _misfit(expected: Mapping[str, Tensor], stored: Mapping[str, Tensor]) -> str:
    """Return the first tensor that is missing, unknown or of another shape; empty if all fit."""
    for name in sorted(expected.keys() | stored.keys()):
        if name not in stored:
            return f"lacks tensor {name} of the encoder"
        if name not in expected:
            return f"holds an unknown tensor {name} of the encoder"
        if expected[name].shape != stored[name].shape:
            sizes = list(stored[name].shape), list(expected[name].shape)
            return f"holds {name} of the encoder as {sizes[0]}, not {sizes[1]}"
    return ""


def _checkpoint() -> Path:
    spec = importlib.util.find_spec(MODULE)
    folders = () if spec is None else spec.submodule_search_locations or ()
    path = next((Path(folder) / CHECKPOINT for folder in folders), None)
    if path is None or not path.is_file():
        lacks = "is not installed" if path is None else f"is installed without {CHECKPOINT}"
        raise EngineError(
            f"watermark=perth needs the weights in the package {PACKAGE}, which {lacks}; run `pip "
            f"install --no-deps {PACKAGE}==1.0.1` (its code is not used, so its requirements are "
            "not needed), or use watermark=off"
        )
    return path


class PerthMark:
    """Marks audio of one sample rate."""

    def __init__(self, marker: nn.Sequential, rate_hz: int) -> None:
        self.marker = marker
        self.rate_hz = rate_hz

    def __call__(self, audio: np.ndarray) -> np.ndarray:
        """Return the audio with the mark in it, float32 (T,) -> (T,)."""
        if not audio.size:
            return audio
        at_net = np.asarray(resampled(audio, self.rate_hz, RATE_HZ), dtype=np.float32)
        marked = resampled(self._marked(at_net), RATE_HZ, self.rate_hz)[: audio.size]
        return np.pad(marked, (0, audio.size - marked.size)).astype(np.float32)

    @torch.inference_mode()
    def _marked(self, audio: np.ndarray) -> np.ndarray:
        device = next(self.marker.parameters()).device
        padded = np.pad(audio, (0, max(0, SHORTEST - audio.size)))
        window = torch.hann_window(N_FFT, device=device)
        spectrum = torch.stft(
            torch.from_numpy(padded).to(device), N_FFT, HOP, window=window, return_complex=True
        )
        level = (20 * spectrum.abs().clamp(min=FLOOR).log10() - FLOOR_DB) / SPAN_DB
        level[:BANDS] += self.marker(level[None, :BANDS])[0] * spoken(level)
        magnitude = 10.0 ** ((level * SPAN_DB + FLOOR_DB) / 20).clamp(max=10)
        marked = torch.istft(
            torch.polar(magnitude, spectrum.angle()), N_FFT, HOP, window=window, length=padded.size
        )
        cut: np.ndarray = marked.cpu().numpy()[: audio.size]
        return cut


def spoken(level: Tensor) -> Tensor:
    """Return 1 for each frame that is loud enough to be marked; (frequencies, T) -> (T,)."""
    sums = level.sum(dim=0)
    return (sums > sums.max() * SPEECH_SHARE).float()


def resampled(audio: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """Return audio at another rate, float (T,); itself where the rate is the same."""
    if from_hz == to_hz:
        return audio
    changed: np.ndarray = soxr.resample(audio, from_hz, to_hz, quality="HQ")
    return changed
