"""
Does a published RVC voice load in this engine, and does every stage compute the same?

    python -m tests.studies.rvc_parity FOLDER --package PYTHON --rvc SOURCE [--full]

PYTHON sees transformers, whose HubertModel makes HuBERT; SOURCE is the unpacked wheel of
infer-rvc-python 1.3.1, whose synthesisers of every version and rate are saved as RVC publishes its
own (`rvc_reference.py`). Then this engine loads the files and runs the same, at equal noise. Every
stage gets the reference's output of the stage before, so that differences do not add up; "chain"
alone runs from content to audio. Prints a Markdown table; ends with 1 if a difference is beyond the
limit of `s3gen_parity`.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import soundfile
import soxr
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.studies.s3gen_parity import RECORDING, Stage
from voxgate.engine.rvc.checkpoint import load_synthesizer
from voxgate.engine.rvc.hubert_checkpoint import load_hubert
from voxgate.engine.rvc.nsf_decoder import excitation
from voxgate.engine.rvc.random_weights import PUBLISHED, published_config, small_sizes
from voxgate.engine.rvc.synthesizer import pitch_numbers

VARIANTS = tuple(PUBLISHED)
LAYERS = (0, 9, 12)


def prepare(folder: Path, python: str, source: Path, *, full: bool) -> None:
    """Write the case and a recording, and have the reference run."""
    audio, rate_hz = soundfile.read(RECORDING, dtype="float32")
    save_file(
        {"audio": torch.from_numpy(soxr.resample(audio, rate_hz, 16_000))[:32_080].contiguous()},
        folder / "input.safetensors",
    )
    sizes = {name: each if full else small_sizes(each) for name, each in PUBLISHED.items()}
    case = {
        "rvc": str(source),
        "frames": 100 if full else 200,
        "variants": {name: published_config(each.synthesizer) for name, each in sizes.items()},
        "hubert": {} if full else {"hidden_size": 192, "intermediate_size": 256},
        "layers": LAYERS,
    }
    (folder / "case.json").write_text(json.dumps(case))
    script = Path(__file__).with_name("rvc_reference.py")
    subprocess.run([python, str(script), str(folder)], check=True)


@torch.inference_mode()
def compare_hubert(folder: Path) -> list[Stage]:
    """Return the difference behind some layers, for both names of weight normalisation."""
    audio = load_file(folder / "input.safetensors")["audio"][None]
    said = load_file(folder / "hubert_said.safetensors")
    hubert = load_hubert(folder / "hubert.safetensors")
    found = [
        _stage(f"HuBERT, layer {layer}", hubert(audio, layer), said[f"layer {layer}"])
        for layer in LAYERS
    ]
    old = load_hubert(folder / "hubert.pt")
    return [*found, _stage("HuBERT, old names, layer 12", old(audio, 12), said["layer 12"])]


@torch.inference_mode()
def compare_variant(folder: Path, name: str) -> list[Stage]:
    """Return the differences of one synthesiser."""
    said = load_file(folder / f"{name}_said.safetensors")
    synthesizer, decoder, version = load_synthesizer(folder / name / "model.pth")
    assert name.startswith(version)
    f0, shape = said["f0"], decoder.shape
    pitch = pitch_numbers(f0)
    speaker = synthesizer.emb_g(torch.tensor([1]))
    mean, log_deviation = synthesizer.enc_p(said["content"], pitch)
    sine = excitation(f0, said["source_noise"], shape.rate_hz, shape.hop)
    latents = synthesizer(said["content"], pitch, speaker, said["noise"])
    flow = synthesizer.flow(said["drawn"], speaker[:, None])
    stages = {
        "pitch": (pitch, said["pitch"]),
        "mean": (mean, said["mean"]),
        "log deviation": (log_deviation, said["log_deviation"]),
        "flow": (flow, said["latents"]),
        "source": (decoder.m_source(sine), said["source"]),
        "decoder": (decoder(said["latents"], sine, speaker), said["audio"]),
        "chain": (decoder(latents, sine, speaker), said["audio"]),
    }
    return [_stage(f"{name}, {stage}", *pair) for stage, pair in stages.items()]


def _stage(name: str, ours: Tensor, theirs: Tensor) -> Stage:
    if not theirs.is_floating_point():
        return Stage(
            name=name, apart=0.0, largest=float(theirs.shape[1]), same=torch.equal(ours, theirs)
        )
    assert ours.shape == theirs.shape, f"{name}: {ours.shape} beside {theirs.shape}"
    apart, largest = (ours - theirs).abs().max(), theirs.abs().max()
    return Stage(name=name, apart=float(apart), largest=float(largest))


def main(arguments: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--package", required=True, help="an interpreter that sees transformers")
    parser.add_argument("--rvc", type=Path, required=True, help="unpacked infer-rvc-python 1.3.1")
    parser.add_argument("--full", action="store_true", help="the published sizes: 1.5 GB")
    asked = parser.parse_args(arguments)
    asked.folder.mkdir(parents=True, exist_ok=True)
    prepare(asked.folder, asked.package, asked.rvc, full=asked.full)
    found = compare_hubert(asked.folder)
    for name in VARIANTS:
        found += compare_variant(asked.folder, name)
    print("| stage | largest difference | of at most |")
    print("| --- | ---: | ---: |")
    for stage in found:
        if stage.same is None:
            print(f"| {stage.name} | {stage.apart:.1e} | {stage.largest:.2f} |")
        else:
            words = "equal" if stage.same else "unequal"
            print(f"| {stage.name} | {words} | {stage.largest:.0f} frames |")
    return int(not all(stage.fits for stage in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
