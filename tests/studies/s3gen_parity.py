"""
Does a published S3Gen checkpoint load in this engine, and does every stage compute the same?

    python -m tests.studies.s3gen_parity FOLDER --package PYTHON [--full]

PYTHON sees the package chatterbox-tts 0.1.7, which makes models of random weights, saves them as it
publishes its own, and runs every stage (`s3gen_reference.py`); then this engine loads the file and
runs the same. Every stage gets the reference's output of the stage before, so that differences do
not add up. "chain" alone runs from tokens to audio: the source's phase is a sum over all samples
before, so that the rounding of the fundamental frequency grows with time, and it has a limit of its
own. Prints a Markdown table; ends with 1 if a difference is beyond its limit.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile
import soxr
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from voxgate.engine.chatterbox.campplus import kaldi_fbank
from voxgate.engine.chatterbox.hift import SourceDraws, draw_source, fade_start
from voxgate.engine.chatterbox.s3_tokenizer import s3_log_mel
from voxgate.engine.chatterbox.s3gen import (
    S3Gen,
    S3Prompt,
    cosine_times,
    draw_noise,
    flow_velocity,
    prompt_mel,
    speech_mel,
)
from voxgate.engine.chatterbox.s3gen_checkpoint import load_s3gen

LIMIT, CHAIN_LIMIT = 1e-4, 1e-2
"""Largest difference, relative to the largest value where that is above 1."""
RECORDING = Path(__file__).parents[1] / "data" / "slt.flac"
LONG_S = 53.0
"""Read in three windows, the last of which is shorter than its overlap."""
SMALL: dict[str, Any] = {
    "tokenizer_width": 128,
    "tokenizer_heads": 2,
    "tokenizer_layers": 2,
    "overrides": {
        "UpsampleConformerEncoder": {"num_blocks": 1},
        "ConditionalDecoder": {
            "channels": [64],
            "num_mid_blocks": 2,
            "n_blocks": 1,
            "num_heads": 2,
        },
        "HiFTGenerator": {"base_channels": 64},
    },
    "f0_gain": 300.0,
    "last_gain": 0.1,
    "steps": 4,
    "seed": 5,
    "prompt_s": 1.2,
    "tokens": 20,
}
FULL = SMALL | {
    "tokenizer_width": 1280,
    "tokenizer_heads": 20,
    "tokenizer_layers": 6,
    "overrides": {},
    "steps": 10,
    "prompt_s": 2.0,
    "tokens": 75,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """How far a stage's outputs are apart, and how large they are."""

    name: str
    apart: float
    largest: float
    same: bool | None = None
    """Of integers, whether all are equal."""

    @property
    def relative(self) -> float:
        """Return the difference, relative where the values are large."""
        return self.apart / max(1.0, self.largest)

    @property
    def fits(self) -> bool:
        """Return whether the difference is within the limit."""
        limit = CHAIN_LIMIT if self.name == "chain" else LIMIT
        return self.same if self.same is not None else self.relative <= limit


def prepare(folder: Path, python: str, case: dict[str, Any]) -> None:
    """Write the inputs, and have the reference run."""
    audio, rate_hz = soundfile.read(RECORDING, dtype="float32")
    inputs = {}
    for name, target_hz in (("audio_16khz", 16_000), ("audio_24khz", 24_000)):
        resampled = torch.from_numpy(soxr.resample(audio, rate_hz, target_hz))
        inputs[name] = resampled[: int(case["prompt_s"] * target_hz)].contiguous()
    whole = torch.from_numpy(soxr.resample(audio, rate_hz, 16_000))
    count = int(LONG_S * 16_000)
    inputs["long_16khz"] = whole.repeat(count // len(whole) + 1)[:count].contiguous()
    generator = torch.Generator().manual_seed(case["seed"])
    inputs["tokens"] = torch.randint(0, 6561, (case["tokens"],), generator=generator)
    save_file(inputs, folder / "input.safetensors")
    (folder / "case.json").write_text(json.dumps(case))
    script = Path(__file__).with_name("s3gen_reference.py")
    subprocess.run([python, str(script), str(folder)], check=True, capture_output=True)


@torch.inference_mode()
def compare(folder: Path) -> list[Stage]:
    """Load the checkpoint and run every stage on the reference's inputs."""
    case = json.loads((folder / "case.json").read_text())
    given = load_file(folder / "input.safetensors")
    said = load_file(folder / "said.safetensors")
    model = load_s3gen(folder / "s3gen.safetensors")
    frames = len(said["prompt_mel"])
    prompt = S3Prompt(
        tokens=said["tokens"][: frames // 2], mel=said["prompt_mel"], speaker=said["xvector"]
    )
    every = torch.cat((prompt.tokens, given["tokens"]))
    mel, draws = _speak(model, given["tokens"], prompt, case)
    ours = {
        "log_mel": s3_log_mel(given["audio_16khz"]),
        "tokens": model.tokenizer.tokenize(given["audio_16khz"]),
        "long_tokens": model.tokenizer.tokenize(given["long_16khz"]),
        "fbank": _centred(kaldi_fbank(given["audio_16khz"])),
        "xvector": model.speaker_encoder.embed(given["audio_16khz"]),
        "prompt_mel": prompt_mel(given["audio_24khz"]),
        "mean": model.flow.encode(every)[0],
        "mel": mel[0],
        "f0": model.mel2wav.f0_predictor(said["mel"][None])[0],
        "source": model.mel2wav.m_source(said["f0"], _draw(len(said["mel"]), case["seed"])),
        "audio": model.mel2wav(said["mel"][None], said["source"][None])[0],
        "chain": fade_start(model.mel2wav(mel, model.mel2wav.source(mel, draws)))[0],
    }
    return [_stage(name, value, said[name]) for name, value in ours.items()]


def _centred(fbank: Tensor) -> Tensor:
    return fbank - fbank.mean(dim=0)


def _draw(frames: int, seed: int) -> SourceDraws:
    return draw_source(frames, torch.Generator().manual_seed(seed))


def _speak(
    model: S3Gen, tokens: Tensor, prompt: S3Prompt, case: dict[str, Any]
) -> tuple[Tensor, SourceDraws]:
    """Return the mel, and the draws for its source that follow those of its noise."""
    generator = torch.Generator().manual_seed(case["seed"])
    times = cosine_times(case["steps"])
    frames = 2 * (len(prompt.tokens) + len(tokens))
    noise = draw_noise(frames, generator)
    velocity = flow_velocity(model.flow, tokens, prompt, times)
    mel = speech_mel(velocity, noise, times, prompt)
    return mel, draw_source(mel.shape[1], generator)


def _stage(name: str, ours: Tensor, theirs: Tensor) -> Stage:
    assert ours.shape == theirs.shape, (name, ours.shape, theirs.shape)
    same = None if theirs.is_floating_point() else torch.equal(ours, theirs)
    apart, largest = (ours - theirs).abs().max(), theirs.abs().max()
    return Stage(name=name, apart=float(apart), largest=float(largest), same=same)


def main(arguments: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--package", required=True, help="an interpreter that sees chatterbox-tts")
    parser.add_argument("--full", action="store_true", help="the published sizes: 1.1 GB, minutes")
    asked = parser.parse_args(arguments)
    asked.folder.mkdir(parents=True, exist_ok=True)
    prepare(asked.folder, asked.package, FULL if asked.full else SMALL)
    found = compare(asked.folder)
    print("| stage | largest difference | of at most | relative |")
    print("| --- | ---: | ---: | ---: |")
    for stage in found:
        apart = f"{stage.apart:.1e}" if stage.same is None else "equal" if stage.same else "unequal"
        relative = f"{stage.relative:.1e}" if stage.same is None else ""
        print(f"| {stage.name} | {apart} | {stage.largest:.2f} | {relative} |")
    return int(not all(stage.fits for stage in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
