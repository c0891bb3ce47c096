"""
The reference side of `rvc_parity.py`: runs in an interpreter that sees transformers.

    PYTHON rvc_reference.py FOLDER

Makes HuBERT by transformers and the synthesisers by infer-rvc-python 1.3.1, of random weights,
saves them as they are published, and writes what they compute. FOLDER holds case.json and
input.safetensors.
"""

import json
import math
import sys
import types
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from safetensors.torch import load_file, save_file

POSITION = "encoder.pos_conv_embed.conv."


def randomise(model: Any, seed: int) -> None:
    """Fill a model with numbers large enough for every layer to have an effect."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            scale = 0.02 if weight.ndim < 2 else 1.0 / math.sqrt(weight[0].numel())
            centre = 1.0 if name.endswith(("norm.weight", "gamma")) else 0.0
            if name.endswith(("weight_g", "original0")):
                weight.mul_(1.0 + 0.1 * torch.rand(weight.shape, generator=generator))
            else:
                weight.copy_(centre + scale * torch.randn(weight.shape, generator=generator))


@torch.inference_mode()
def run_hubert(case: dict[str, Any], folder: Path) -> None:
    """Save HuBERT under the new and the old names, and its states."""
    from transformers import HubertConfig, HubertModel

    model = HubertModel(HubertConfig(**case["hubert"])).eval()
    randomise(model, 1)
    model.config.save_pretrained(folder)
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "hubert.safetensors")
    old = {"parametrizations.weight.original0": "weight_g"}
    old |= {"parametrizations.weight.original1": "weight_v"}
    renamed = {f"{POSITION}{new}": f"{POSITION}{name}" for new, name in old.items()}
    torch.save(
        {renamed.get(name, name): value for name, value in weights.items()}, folder / "hubert.pt"
    )
    audio = load_file(folder / "input.safetensors")["audio"][None]
    states = model(audio, output_hidden_states=True).hidden_states
    save_file(
        {f"layer {layer}": states[layer].contiguous() for layer in case["layers"]},
        folder / "hubert_said.safetensors",
    )


def without_surroundings(source: Path) -> None:
    """Make the models importable without the package's own imports of faiss, ffmpeg and others."""
    sys.path.insert(0, str(source))
    sys.modules["infer_rvc_python"] = package = types.ModuleType("infer_rvc_python")
    package.__path__ = [str(source / "infer_rvc_python")]


def pitch_of(f0: torch.Tensor) -> torch.Tensor:
    """Return their coarse pitch, copied in substance from `VC.get_f0`."""
    import numpy as np

    lowest, highest = 1127 * np.log(1 + 50 / 700), 1127 * np.log(1 + 1100 / 700)
    mel = 1127 * np.log(1 + f0.double().numpy() / 700)
    mel[mel > 0] = (mel[mel > 0] - lowest) * 254 / (highest - lowest) + 1
    mel[mel <= 1] = 1
    mel[mel > 255] = 255
    return torch.from_numpy(np.rint(mel).astype(int))


@torch.inference_mode()
def run_variant(name: str, config: list[Any], frames: int, folder: Path) -> None:
    """Save one synthesiser, and what it computes at known noise."""
    from infer_rvc_python.lib.infer_pack import models

    version = name[:2]
    width = {"v1": 256, "v2": 768}[version]
    made = getattr(models, f"SynthesizerTrnMs{width}NSFsid")(*config, is_half=False).eval()
    del made.enc_q
    randomise(made, 2)
    weights = {key: value.half() for key, value in made.state_dict().items()}
    made.load_state_dict(weights)
    (folder / name).mkdir(exist_ok=True)
    torch.save(
        {"weight": weights, "config": config, "info": "", "sr": "", "f0": 1, "version": version},
        folder / name / "model.pth",
    )
    generator = torch.Generator().manual_seed(3)
    content = torch.randn(1, frames, width, generator=generator)
    f0 = 40.0 + 400.0 * torch.rand(1, frames, generator=generator)
    f0[:, ::7] = 0.0
    f0[:, 30:50] = 0.0
    f0[:, 3] = 1300.0
    noise = torch.randn(1, config[2], frames, generator=generator)
    hop = math.prod(config[12])
    source_noise = torch.randn(1, frames * hop, 1, generator=generator)
    draws = {noise.shape: noise, source_noise.shape: source_noise}
    sources = []
    made.dec.m_source.register_forward_hook(lambda _, __, out: sources.append(out[0]))
    lengths, pitch = torch.tensor([frames]), pitch_of(f0)
    with mock.patch("torch.randn_like", lambda x: draws[x.shape]):
        audio, _, parts = made.infer(content, lengths, pitch, f0, torch.tensor([1]))
    latents, drawn, mean, log_deviation = (part.transpose(1, 2) for part in parts)
    said = {
        "content": content,
        "f0": f0,
        "pitch": pitch,
        "noise": noise.transpose(1, 2),
        "source_noise": source_noise[..., 0],
        "source": sources[0][..., 0],
        "mean": mean,
        "log_deviation": log_deviation,
        "drawn": drawn,
        "latents": latents,
        "audio": audio[:, 0],
    }
    save_file(
        {key: value.contiguous() for key, value in said.items()},
        folder / f"{name}_said.safetensors",
    )


def main(folder: Path) -> None:
    """Save the checkpoints and what they compute."""
    torch.set_num_threads(1)
    case = json.loads((folder / "case.json").read_text())
    run_hubert(case, folder)
    without_surroundings(Path(case["rvc"]))
    for name, config in case["variants"].items():
        run_variant(name, config, case["frames"], folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
