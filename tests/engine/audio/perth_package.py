"""
The package `resemble-perth` itself, as a program: `perth_package.py IN.wav MARKED.wav` marks a file
by the package's own code, and prints its detector's confidence of both as JSON.

The package imports torchaudio, librosa and pkg_resources for a few functions each, and leaves its
class as None without them. They are replaced here, in a process of its own.
"""

import importlib.util
import json
import math
import sys
import types
from importlib.machinery import ModuleSpec
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from scipy.signal import resample_poly


def stand_in(name, **names):
    module = types.ModuleType(name)
    module.__spec__, module.__path__ = ModuleSpec(name, None), []
    for key, value in names.items():
        setattr(module, key, value)
    sys.modules[name] = module


class Spectrogram(torch.nn.Module):
    def __init__(self, n_fft, win_length, hop_length, window_fn, normalized, power=None):
        super().__init__()
        self.sizes = n_fft, hop_length
        self.register_buffer("window", window_fn(win_length))

    def forward(self, audio):
        return torch.stft(audio, *self.sizes, window=self.window, return_complex=True)


class InverseSpectrogram(Spectrogram):
    def forward(self, spectrum):
        return torch.istft(spectrum, *self.sizes, window=self.window)


class TimeStretch(torch.nn.Module):
    def __init__(self, n_freq, hop_length):
        super().__init__()
        advance = torch.linspace(0, math.pi * hop_length, n_freq)[:, None]
        self.register_buffer("phase_advance", advance)


def resample(y, orig_sr, target_sr, res_type="soxr_hq"):
    if res_type == "polyphase":
        factor = math.gcd(orig_sr, target_sr)
        return resample_poly(y, target_sr // factor, orig_sr // factor)
    return soxr.resample(y, orig_sr, target_sr, quality="HQ")


def pretrained(_name, inside):
    return str(Path(importlib.util.find_spec("perth").origin).parent / "perth_net" / inside)


def main(source, marked):
    stand_in("torchaudio")
    stand_in(
        "torchaudio.transforms",
        Spectrogram=Spectrogram,
        InverseSpectrogram=InverseSpectrogram,
        TimeStretch=TimeStretch,
    )
    stand_in("librosa", resample=resample)
    stand_in("pkg_resources", resource_filename=pretrained)
    import perth

    net = perth.PerthImplicitWatermarker()
    audio, rate_hz = soundfile.read(source, dtype="float32")
    with_mark = np.asarray(net.apply_watermark(audio, rate_hz), dtype=np.float32)
    soundfile.write(marked, with_mark, rate_hz, subtype="FLOAT")
    found = [float(net.get_watermark(each, rate_hz, round=False)) for each in (audio, with_mark)]
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
