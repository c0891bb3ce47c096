"""
Perth's detector: audio in, confidence of a watermark out.

Shares no code with the engine that marks, so that a wrong mark is not found by an equally wrong
detector. The weights are the file inside the package `resemble-perth`, which is not imported: it
would need torchaudio and pkg_resources. Spectrum, stretching and net follow it exactly.
"""

import functools
import importlib.util
from collections.abc import Mapping, Sequence
from math import gcd
from typing import Any

import numpy as np
from scipy.signal import resample_poly

from voxgate.harness.audio.recording import Recording, check_valid
from voxgate.harness.models.packaged_file import packaged_file
from voxgate.harness.records.measurement import Missing, not_installed

PACKAGE, IMPORT_NAME = "resemble-perth", "perth"
WEIGHTS = (
    "perth_net/pretrained/implicit/perth_net_250000.pth.tar",
    "a15bce457ebc53ce5e6c9c3f11df78cf7ee2bf9cdab0a798902135b4c4027670",
)
RATE_HZ, N_FFT, HOP = 32_000, 2048, 320
BANDS = 128  # of 1025 frequencies: those below 2 kHz
FLOOR, FLOOR_DB, SPAN_DB = 1e-9, -180.0, 195.0
SPEECH_SHARE = 0.05
SLOPE = 0.01  # of the leaky rectifier
BRANCHES = {"slow_layers": 1.25, "normal_layers": 1.0, "fast_layers": 0.75}
LAYERS = 7

Branch = list[tuple[Any, Any]]
"""(weight, bias) of each convolution."""


def confidence(recording: Recording) -> float | Missing:
    """Return the detector's confidence that the audio carries a watermark, 0 to 1."""
    fault = check_valid(recording)
    if fault is not None:
        return fault
    branches = _branches()
    if isinstance(branches, Missing):
        return branches
    import torch

    factor = gcd(RATE_HZ, recording.rate_hz)
    samples = recording.samples.astype(np.float32)
    heard = resample_poly(samples, RATE_HZ // factor, recording.rate_hz // factor)
    if not heard.any():
        return Missing("the audio is silent")
    if len(heard) <= N_FFT:
        return Missing(f"{recording.duration_s:.3f} s are too short for a watermark")
    with torch.inference_mode():
        return _detected(torch.from_numpy(heard.astype(np.float32)), branches)


def _detected(audio: Any, branches: Sequence[tuple[float, Branch]]) -> float:
    import torch

    spectrum = torch.stft(
        audio, N_FFT, HOP, window=torch.hann_window(N_FFT), return_complex=True
    ).abs()
    level = (20 * spectrum.clamp(min=FLOOR).log10() - FLOOR_DB) / SPAN_DB
    sums = level.sum(dim=0)
    spoken = (sums > sums.max() * SPEECH_SHARE).float()[None, None]
    weighed = [_branch(level[None, :BANDS], spoken, *branch) for branch in branches]
    attention, marks = (torch.stack(values) for values in zip(*weighed, strict=True))
    return float((torch.softmax(attention, 0) * marks).sum().clamp(0.0, 1.0))


def _branch(level: Any, spoken: Any, stretch: float, convolutions: Branch) -> tuple[Any, Any]:
    """Return the weight of a branch and its confidence, from audio stretched by a factor."""
    from torch.nn import functional as F

    length = int(level.shape[2] * stretch)
    hidden = F.interpolate(level, size=length, mode="linear", align_corners=True)
    for index, (weight, bias) in enumerate(convolutions):
        hidden = F.conv1d(hidden, weight, bias, padding=weight.shape[2] // 2)
        if index + 1 < LAYERS:
            hidden = F.leaky_relu(hidden, SLOPE)
    mask = F.interpolate(spoken, size=length, mode="nearest")
    means = (hidden * mask).sum(dim=2) / mask.sum(dim=2).clamp(min=1.0)
    return means[0, 0], means[0, 1]


@functools.cache
def _branches() -> list[tuple[float, Branch]] | Missing:
    """Load the detector, once per process; only tensors are read from the file."""
    path = packaged_file(IMPORT_NAME, *WEIGHTS)
    if isinstance(path, Missing):
        return path
    if importlib.util.find_spec("torch") is None:
        return not_installed("torch")
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)["model"]
    return [(stretch, _convolutions(state, branch)) for branch, stretch in BRANCHES.items()]


def _convolutions(state: Mapping[str, Any], branch: str) -> Branch:
    names = [f"decoder.{branch}.{index}.conv" for index in range(LAYERS)]
    return [(state[f"{name}.weight"], state[f"{name}.bias"]) for name in names]
