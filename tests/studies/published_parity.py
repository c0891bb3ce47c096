"""
Do published F5-TTS and Vocos checkpoints load in this engine, and does it say the same?

`python -m tests.studies.published_parity FOLDER`

No weights can be had without a model hub, so the packages f5-tts and vocos from PyPI make models of
random weights here, save them as they publish theirs, and speak; then this engine loads the files
and speaks too. The packages stay in FOLDER and are never a dependency. Prints a Markdown table;
ends with 1 if any difference is beyond LIMIT.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from safetensors.torch import load_file

from voxgate.engine.acoustic.infill import InfillInput, infill_mel, infill_velocity
from voxgate.engine.acoustic.solver import time_grid
from voxgate.engine.config import EPSS_STEPS, Grid, Solver
from voxgate.engine.layers.mel import log_mel, mel_filterbank
from voxgate.engine.vocoder.vocos import waveform
from voxgate.engine.weights.f5_checkpoint import load_f5, load_vocos

PACKAGES = (
    "f5-tts==1.1.22",
    "vocos==0.1.0",
    "x_transformers",
    "torchdiffeq",
    "einops",
    "einx",
    "loguru",
    "rjieba",
    "pypinyin",
    "ema_pytorch",
    "frozendict",
    "torch_einops_utils",
)
LIMIT = 1e-4
RATE_HZ = 24_000
RECORDING = Path(__file__).parents[1] / "data" / "slt.flac"
SMALL = {"dim": 256, "depth": 6, "heads": 4, "text_dim": 128, "conv_layers": 4}
BASE = {"dim": 1024, "depth": 22, "heads": 16, "text_dim": 512, "conv_layers": 4}
CHARACTERS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How far the two engines are apart in one run, and how large what they say is."""

    case: str
    run: str
    mel: float
    largest_mel: float
    audio: float
    largest_audio: float


def cases() -> list[dict]:
    """Both versions at the sizes of the embedded voice, and once at the published sizes."""
    generator = np.random.default_rng(20261121)
    text = generator.integers(0, CHARACTERS, 40).tolist()
    runs = [
        {
            "name": f"nfe{steps}-{'reference' if heard else 'alone'}{'' if cfg else '-unguided'}",
            "text": text,
            "frames": frames,
            "steps": steps,
            "cfg": cfg,
            "seed": steps,
            "reference": heard,
        }
        for steps, heard, cfg, frames in (
            (4, True, 2.0, 300),
            (7, False, 2.0, 200),
            (16, True, 2.0, 300),
            (32, True, 2.0, 257),
            (8, True, 0.0, 300),
        )
    ]
    small = [
        {
            "name": f"small-v{version}",
            "version": version,
            "format": kind,
            "characters": CHARACTERS,
            **SMALL,
            "runs": runs,
        }
        for version, kind in ((1, "safetensors"), (0, "pt"))
    ]
    return [
        *small,
        {
            "name": "base-v1",
            "version": 1,
            "format": "safetensors",
            "characters": CHARACTERS,
            **BASE,
            "runs": runs[:1],
        },
    ]


def prepare(folder: Path) -> None:
    """Install the packages, write what is to be said, and have them say it."""
    packages = folder / "packages"
    if not packages.exists():
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--target",
                str(packages),
                *PACKAGES,
            ],
            check=True,
        )
    audio, rate_hz = soundfile.read(RECORDING, dtype="float32")
    torch.save(
        torch.from_numpy(soxr.resample(audio, rate_hz, RATE_HZ)[:RATE_HZ])[None],
        folder / "reference.pt",
    )
    (folder / "cases.json").write_text(json.dumps(cases()))
    script = Path(__file__).with_name("published_reference.py")
    path = {"PYTHONPATH": str(packages), "PATH": "/usr/bin:/bin"}
    subprocess.run([sys.executable, str(script), str(folder), str(packages)], check=True, env=path)


@torch.inference_mode()
def compare(folder: Path) -> list[Difference]:
    """Load every checkpoint and say the same."""
    vocos = load_vocos(folder / "vocos.bin")
    audio = torch.load(folder / "reference.pt", weights_only=True)
    found = []
    for case in cases():
        dit = load_f5(folder / f"{case['name']}.{case['format']}", version=case["version"])
        for run in case["runs"]:
            said = load_file(folder / f"{case['name']}-{run['name']}.said.safetensors")
            reference = _reference(
                audio if run["reference"] else torch.zeros(1, 1024), heard=run["reference"]
            )
            gap = InfillInput(
                prompt_mel=reference, characters=torch.tensor(run["text"]) + 1, frames=run["frames"]
            )
            grid = Grid.EPSS if run["steps"] in EPSS_STEPS else Grid.UNIFORM
            noise = torch.randn(
                run["frames"], 100, generator=torch.Generator().manual_seed(run["seed"])
            )
            velocity = infill_velocity(dit, dit, gap, run["cfg"])
            mel = infill_mel(
                velocity, noise, time_grid(run["steps"], -1.0, grid), Solver.EULER, len(reference)
            )
            spoken = waveform(vocos(mel[None]), vocos.shape)
            found.append(_difference(case["name"], run["name"], mel[None], spoken, said))
    return found


def _reference(audio: torch.Tensor, *, heard: bool) -> torch.Tensor:
    """Return the recording's mel; without one, zeros of the same length, as the package does."""
    mel = log_mel(audio, mel_filterbank(RATE_HZ, bands=100), floor=1e-5)[0]
    return mel if heard else torch.zeros_like(mel)


def _difference(
    case: str, run: str, mel: torch.Tensor, audio: torch.Tensor, said: dict[str, torch.Tensor]
) -> Difference:
    assert mel.shape == said["mel"].shape and audio.shape == said["audio"].shape, (
        mel.shape,
        said["mel"].shape,
    )
    return Difference(
        case=case,
        run=run,
        mel=float((mel - said["mel"]).abs().max()),
        largest_mel=float(said["mel"].abs().max()),
        audio=float((audio - said["audio"]).abs().max()),
        largest_audio=float(said["audio"].abs().max()),
    )


def main(folder: Path) -> int:
    """Print the table."""
    folder.mkdir(parents=True, exist_ok=True)
    prepare(folder)
    found = compare(folder)
    print(
        "| checkpoint | run | mel, largest difference | of at most | audio, largest difference | "
        "of at most |"
    )
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for each in found:
        print(
            f"| {each.case} | {each.run} | {each.mel:.1e} | {each.largest_mel:.2f} "
            f"| {each.audio:.1e} | {each.largest_audio:.2f} |"
        )
    return int(any(max(each.mel, each.audio) > LIMIT for each in found))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute()))
