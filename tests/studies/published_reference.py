"""
The reference side of `published_parity.py`: runs in an interpreter that sees the packages f5-tts
and vocos.

Makes models with random weights by *their* code, saves them as they publish theirs, and writes what
they say. Torchaudio does not load beside a CPU build of torch: the one transform and the two
functions that the packages want are stood in for.
"""

import json
import math
import sys
import types
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

RATE_HZ, BANDS, N_FFT, HOP = 24_000, 100, 1024, 256


class _MelScale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        edges_mel = torch.linspace(0.0, 2595.0 * math.log10(1.0 + RATE_HZ / 2 / 700.0), BANDS + 2)
        edges = 700.0 * (10.0 ** (edges_mel / 2595.0) - 1.0)
        bins = torch.linspace(0.0, RATE_HZ / 2, N_FFT // 2 + 1)
        slopes = edges[None] - bins[:, None]
        widths = edges.diff()
        falling, rising = -slopes[:, :-2] / widths[:-1], slopes[:, 2:] / widths[1:]
        self.register_buffer("fb", torch.minimum(falling, rising).clamp(min=0.0))


class _Spectrogram(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(N_FFT))


class MelSpectrogram(nn.Module):
    """
    What torchaudio.transforms.MelSpectrogram does with the packages' arguments: power 1, HTK scale,
    no norm, centred.
    """

    def __init__(self, **asked: object) -> None:
        super().__init__()
        wanted = {
            "sample_rate": RATE_HZ,
            "n_fft": N_FFT,
            "hop_length": HOP,
            "n_mels": BANDS,
            "power": 1,
            "center": True,
        }
        assert {name: asked.get(name) for name in wanted} == wanted, asked
        self.spectrogram, self.mel_scale = _Spectrogram(), _MelScale()

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        spectrum = torch.stft(
            audio,
            N_FFT,
            HOP,
            window=self.spectrogram.window,
            pad_mode="reflect",
            return_complex=True,
        )
        return (spectrum.abs().transpose(-1, -2) @ self.mel_scale.fb).transpose(-1, -2)


def _stand_in(name: str, **attributes: object) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__dict__.update(attributes)
    sys.modules[name] = module
    return module


def stand_in_for_torchaudio() -> None:
    """
    Offer the names that the packages import and this comparison does not need, and the one that it
    does.
    """
    nothing = types.SimpleNamespace()
    transforms = _stand_in("torchaudio.transforms", MelSpectrogram=MelSpectrogram)
    functional = _stand_in(
        "torchaudio.functional.functional", _hz_to_mel=nothing, _mel_to_hz=nothing
    )
    _stand_in("torchaudio.functional", functional=functional)
    _stand_in("torchaudio", transforms=transforms, functional=sys.modules["torchaudio.functional"])
    _stand_in("librosa")
    _stand_in("librosa.filters", mel=nothing)
    _stand_in("encodec", EncodecModel=nothing)
    _stand_in("huggingface_hub", hf_hub_download=nothing)
    _stand_in("yaml")


def without_trainer(package: Path) -> None:
    """
    `f5_tts.model` imports its trainer and with it half of a data centre; its parts are importable
    without.
    """
    for name in ("f5_tts", "f5_tts.model"):
        module = _stand_in(name)
        module.__path__ = [str(package / name.replace(".", "/"))]


def randomise(model: nn.Module, seed: int) -> None:
    """
    Set every weight to a random value: initially the gates are zero, and most of the model would
    have no effect.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            scale = (
                0.02 if weight.ndim < 2 or "linear" in name else 1.0 / math.sqrt(weight[0].numel())
            )
            base = 1.0 if "norm" in name and name.endswith("weight") and weight.ndim == 1 else 0.0
            weight.copy_(base + scale * torch.randn(weight.shape, generator=generator))


def cfm_of(case: dict) -> nn.Module:
    from f5_tts.model.backbones.dit import DiT
    from f5_tts.model.cfm import CFM

    head = (
        {"text_mask_padding": True, "pe_attn_head": None}
        if case["version"] == 1
        else {"text_mask_padding": False, "pe_attn_head": 1}
    )
    sizes = {name: case[name] for name in ("dim", "depth", "heads", "text_dim", "conv_layers")}
    dit = DiT(**sizes, ff_mult=2, mel_dim=BANDS, text_num_embeds=case["characters"], **head)
    cfm = CFM(dit, mel_spec_kwargs={"mel_spec_type": "vocos"})
    randomise(cfm, case["version"] + 1)
    return cfm.eval()


def vocos_of() -> nn.Module:
    from vocos.feature_extractors import MelSpectrogramFeatures
    from vocos.heads import ISTFTHead
    from vocos.models import VocosBackbone
    from vocos.pretrained import Vocos

    features = MelSpectrogramFeatures(
        sample_rate=RATE_HZ, n_fft=N_FFT, hop_length=HOP, n_mels=BANDS, padding="center"
    )
    backbone = VocosBackbone(input_channels=BANDS, dim=512, intermediate_dim=1536, num_layers=8)
    model = Vocos(
        feature_extractor=features,
        backbone=backbone,
        head=ISTFTHead(dim=512, n_fft=N_FFT, hop_length=HOP, padding="center"),
    )
    randomise(model.backbone, 7)
    randomise(model.head, 8)
    return model.eval()


def main(folder: Path, package: Path) -> None:
    """Save the checkpoints of cases.json, and what they say."""
    stand_in_for_torchaudio()
    without_trainer(package)
    from ema_pytorch import EMA

    torch.set_num_threads(2)
    cases = json.loads((folder / "cases.json").read_text())
    vocos = vocos_of()
    torch.save(vocos.state_dict(), folder / "vocos.bin")
    audio = torch.load(folder / "reference.pt", weights_only=True)
    for case in cases:
        cfm = cfm_of(case)
        published = EMA(cfm, include_online_model=False).state_dict()
        name = f"{case['name']}.safetensors"
        if case["format"] == "pt":
            name = f"{case['name']}.pt"
            torch.save(
                {"ema_model_state_dict": published, "model_state_dict": cfm.state_dict()},
                folder / name,
            )
        else:
            save_file({key: value.contiguous() for key, value in published.items()}, folder / name)
        for run in case["runs"]:
            text = torch.tensor([run["text"]])
            heard = audio if run["reference"] else torch.zeros(1, HOP * 4)
            out, _ = cfm.sample(
                heard,
                text,
                run["frames"],
                steps=run["steps"],
                cfg_strength=run["cfg"],
                sway_sampling_coef=-1.0,
                seed=run["seed"],
                no_ref_audio=not run["reference"],
            )
            first = cfm.mel_spec(heard).shape[-1]
            mel = out[:, first:]
            with torch.no_grad():
                spoken = vocos.decode(mel.transpose(1, 2))
            save_file(
                {"mel": mel.contiguous(), "audio": spoken.contiguous()},
                folder / f"{case['name']}-{run['name']}.said.safetensors",
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
