"""
Does a published Fish-Speech 1.5 load in this engine, and does it compute the same?

    python -m tests.studies.fish_parity FOLDER --package PYTHON [--full]

PYTHON sees the package fish-speech-lib 0.1.1.1, which makes decoder and codec of random weights,
saves them as they are published, and runs them (`fish_reference.py`); then this engine loads the
files and runs them too. Prints a Markdown table; ends with 1 if values are further apart than the
limit of `s3gen_parity`, or any token or code differs.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.studies.s3gen_parity import RECORDING, Stage
from voxgate.engine.fish.checkpoint import load_dual_ar, load_firefly
from voxgate.engine.fish.dual_ar import (
    DualAR,
    FishSampling,
    FishTokens,
    FrameSampler,
    decode_frames,
)
from voxgate.engine.fish.firefly import firefly_mel
from voxgate.engine.layers.kv_cache import DynamicCache

CODES, BOOKS = 1024, 8
SMALL = {
    "vocab_size": 1300,
    "n_layer": 3,
    "n_head": 4,
    "n_local_heads": 2,
    "dim": 256,
    "intermediate_size": 384,
    "n_fast_layer": 2,
    "rope_base": 1_000_000,
    "norm_eps": 1e-6,
    "max_seq_len": 256,
    "tie_word_embeddings": False,
    "codebook_size": CODES,
    "num_codebooks": BOOKS,
}
FULL = SMALL | {
    "vocab_size": 102_048,
    "n_layer": 24,
    "n_head": 16,
    "dim": 1024,
    "intermediate_size": 4096,
    "n_fast_layer": 4,
}
SMALL_CODEC = {"dims": [16, 64], "depths": [1, 2], "head_width": 64}
FULL_CODEC = {"dims": [128, 256, 384, 512], "depths": [3, 3, 9, 3], "head_width": 512}
RUNS = {
    "greedy": {"temperature": 1e-5, "top_p": 1e-6, "repetition_penalty": 1.0},
    "published defaults": {"temperature": 0.7, "top_p": 0.7, "repetition_penalty": 1.5},
    "no filter": {"temperature": 1.0, "top_p": 1.0, "repetition_penalty": 1.0},
}


def case_of(config: dict[str, Any], codec: dict[str, Any], frames: int) -> dict[str, Any]:
    """Return sizes, seed, prompt (text, then frames of speech) and runs."""
    generator = np.random.default_rng(11)
    first = config["vocab_size"] - CODES
    prompt = np.zeros((1 + BOOKS, 24), dtype=np.int64)
    prompt[0, :12] = generator.integers(0, first - 1, 12)
    prompt[1:, 12:] = generator.integers(0, CODES, (BOOKS, 12))
    prompt[0, 12:] = first + prompt[1, 12:]
    return {
        "config": config,
        "seed": 3,
        "gain": 3.0,
        "prompt": prompt.tolist(),
        "frames": frames,
        "samples": frames * 2048,
        "codec": codec,
        "runs": RUNS,
    }


def prepare(folder: Path, python: str, case: dict[str, Any]) -> None:
    """Write the case and a recording, and have the reference run."""
    audio, rate_hz = soundfile.read(RECORDING, dtype="float32")
    resampled = torch.from_numpy(soxr.resample(audio, rate_hz, 44_100))[: case["samples"]]
    save_file({"audio": resampled.contiguous()}, folder / "input.safetensors")
    (folder / "case.json").write_text(json.dumps(case))
    script = Path(__file__).with_name("fish_reference.py")
    subprocess.run([python, str(script), str(folder)], check=True, capture_output=True)


@torch.inference_mode()
def compare(folder: Path) -> list[Stage]:
    """Load the checkpoint and decode the same."""
    case = json.loads((folder / "case.json").read_text())
    said = load_file(folder / "said.safetensors")
    model = load_dual_ar(folder).prepare()
    first = case["config"]["vocab_size"] - CODES
    tokens = FishTokens(first_semantic=first, end=first - 1)
    prompt = torch.tensor(case["prompt"])
    logits, hidden = model.read(model.embed(prompt, first), DynamicCache())
    found = [
        _stage("logits", logits, said["logits"]),
        _stage("hidden state", hidden[0, 0], said["hidden"]),
        _stage("fast logits", model.fast_logits(hidden, DynamicCache()), said["fast_logits"]),
    ]
    for name, options in case["runs"].items():
        frames = _decoded(model, prompt, tokens, options, case)
        found.append(_stage(f"frames, {name}", frames, said[f"frames {name}"]))
    codec = load_firefly(folder / "firefly.pth")
    audio = load_file(folder / "input.safetensors")["audio"]
    return [
        *found,
        _stage("codec's mel", firefly_mel(audio), said["mel"]),
        _stage("codes", codec.encode(audio), said["codes"]),
        _stage("audio of the codes", codec.decode(said["codes"]), said["audio"]),
    ]


def _decoded(
    model: DualAR,
    prompt: Tensor,
    tokens: FishTokens,
    options: dict[str, float],
    case: dict[str, Any],
) -> Tensor:
    sampler = FrameSampler(model.shape, FishSampling(**options), case["seed"])
    return decode_frames(model, prompt, tokens, sampler, case["frames"])


def _stage(name: str, ours: Tensor, theirs: Tensor) -> Stage:
    if not theirs.is_floating_point():
        same = torch.equal(ours, theirs)
        return Stage(name=name, apart=0.0, largest=float(theirs.shape[1]), same=same)
    apart, largest = (ours - theirs).abs().max(), theirs.abs().max()
    return Stage(name=name, apart=float(apart), largest=float(largest))


def main(arguments: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--package", required=True, help="an interpreter that sees the package")
    parser.add_argument("--full", action="store_true", help="the published sizes: 2.6 GB")
    asked = parser.parse_args(arguments)
    asked.folder.mkdir(parents=True, exist_ok=True)
    case = case_of(FULL, FULL_CODEC, 6) if asked.full else case_of(SMALL, SMALL_CODEC, 24)
    prepare(asked.folder, asked.package, case)
    found = compare(asked.folder)
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
