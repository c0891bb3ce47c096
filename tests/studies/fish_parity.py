"""
Does the decoder of a published Fish-Speech 1.5 load in this engine, and does it write the same?

    python -m tests.studies.fish_parity FOLDER --package PYTHON [--full]

PYTHON sees the package fish-speech-lib 0.1.1.1, which makes a decoder of random weights, saves it
as it is published, and decodes (`fish_reference.py`); then this engine loads the files and decodes
too. Prints a Markdown table; ends with 1 if logits are further apart than LIMIT, relative to the
largest where that is above 1, or any token or code differs.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.studies.s3gen_parity import Stage
from voxgate.engine.fish.checkpoint import load_dual_ar
from voxgate.engine.fish.dual_ar import (
    DualAR,
    FishSampling,
    FishTokens,
    FrameSampler,
    decode_frames,
)
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
RUNS = {
    "greedy": {"temperature": 1e-5, "top_p": 1e-6, "repetition_penalty": 1.0},
    "published defaults": {"temperature": 0.7, "top_p": 0.7, "repetition_penalty": 1.5},
    "no filter": {"temperature": 1.0, "top_p": 1.0, "repetition_penalty": 1.0},
}


def case_of(config: dict[str, Any], frames: int) -> dict[str, Any]:
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
        "runs": RUNS,
    }


def prepare(folder: Path, python: str, case: dict[str, Any]) -> None:
    """Write the case, and have the reference run."""
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
    return found


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
    case = case_of(FULL, 6) if asked.full else case_of(SMALL, 24)
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
