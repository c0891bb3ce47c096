"""
Make the package chatterbox-tts importable beside a CPU build of torch, for the parity studies.

Runs in an interpreter that sees chatterbox-tts 0.1.7 and s3tokenizer 0.3.0 without torchaudio and
onnx: `install()` first, then import the package. Nothing of this project is imported. Kaldi's
filterbank comes from transformers, so that it is independent of this project's.
"""

import importlib.machinery
import math
import sys
import types
from pathlib import Path

import torch
from torch import nn


def module(name: str, **attributes: object) -> None:
    """Register a module of these attributes."""
    made = types.ModuleType(name)
    made.__spec__ = importlib.machinery.ModuleSpec(name, None)
    made.__path__ = []  # type: ignore[attr-defined]
    made.__dict__.update(attributes)
    sys.modules[name] = made
    if "." in name:
        parent, child = name.rsplit(".", 1)
        setattr(sys.modules[parent], child, made)


class Resample(nn.Module):
    """torchaudio.transforms.Resample by librosa."""

    def __init__(self, source_hz: int, target_hz: int) -> None:
        super().__init__()
        self.rates = {"orig_sr": source_hz, "target_sr": target_hz}

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        import librosa

        return torch.from_numpy(librosa.resample(audio.cpu().numpy(), **self.rates))


def kaldi_fbank(audio: torch.Tensor, num_mel_bins: int) -> torch.Tensor:
    """torchaudio.compliance.kaldi.fbank with its default options, by transformers."""
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    filters = mel_filter_bank(
        257, num_mel_bins, 20, 8000, 16_000, mel_scale="kaldi", triangularize_in_mel_space=True
    )
    found = spectrogram(
        audio[0].numpy().astype("float64"),
        window_function(400, "povey", periodic=False),
        frame_length=400,
        hop_length=160,
        fft_length=512,
        power=2.0,
        center=False,
        preemphasis=0.97,
        mel_filters=filters,
        log_mel="log",
        mel_floor=torch.finfo(torch.float32).eps,
        remove_dc_offset=True,
    )
    return torch.from_numpy(found.T).float()


def install() -> None:
    """Register the stand-ins; transformers is imported before, as it looks for torchaudio."""
    import importlib.util

    import transformers  # noqa: F401

    module("torchaudio", __version__="0")
    module("torchaudio.transforms", Resample=Resample)
    module("torchaudio.functional")
    module("torchaudio.compliance")
    module("torchaudio.compliance.kaldi", fbank=kaldi_fbank)
    module("onnx")
    if importlib.util.find_spec("pkg_resources") is None:

        def resource_filename(package: str, name: str) -> str:
            return str(Path(str(sys.modules[package].__file__)).parent / name)

        module("pkg_resources", resource_filename=resource_filename)


def randomise(model: nn.Module, seed: int) -> None:
    """
    Set every parameter to a random value and every stored variance to a positive one, so that no
    part is without effect; scaled so that a deep stack neither dies nor explodes.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            is_gain = name.endswith("original0")
            is_matrix = weight.ndim > 1 and not is_gain
            scale = 1.0 / math.sqrt(weight[0].numel()) if is_matrix else 0.1
            mean = 1.0 if is_gain or (weight.ndim == 1 and not name.endswith("bias")) else 0.0
            weight.copy_(mean + scale * torch.randn(weight.shape, generator=generator))
        for name, buffer in model.named_buffers():
            if name.endswith("running_var"):
                buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))
            elif name.endswith("running_mean"):
                buffer.copy_(0.1 * torch.randn(buffer.shape, generator=generator))
