"""
Is this engine's S3Gen faster than the published one at equal output?

    PYTHONPATH=SITE_PACKAGES python tests/studies/s3gen_speed.py FOLDER [--small] [--rounds N]

The package chatterbox-tts 0.1.7 (in SITE_PACKAGES of another environment, never a dependency) makes
S3Gen of random weights by *its* code; this engine loads the same weights. Both turn the same tokens
into a mel and the same mel into audio in one process, one thread, fp32, in turns (ours, theirs,
theirs, ours). Times are CPU time, which a busy machine disturbs less than wall time. Prints a
Markdown table; ends with 1 if the mels are apart.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # as a script: `tests` is no installed package

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from tests.studies import chatterbox_stand_ins as stand_ins  # noqa: E402
from tests.studies import s3gen_reference  # noqa: E402
from tests.studies.s3gen_parity import FULL, LIMIT, SMALL  # noqa: E402
from voxgate.engine.chatterbox.hift import draw_source  # noqa: E402
from voxgate.engine.chatterbox.s3gen import (  # noqa: E402
    S3Gen,
    S3Prompt,
    cosine_times,
    draw_noise,
    flow_velocity,
    speech_mel,
)
from voxgate.engine.chatterbox.s3gen_checkpoint import load_s3gen  # noqa: E402

SEED = 7
STAGES = ("flow", "vocoder")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """How many tokens (25 a second) the prompt and the speech have."""

    prompt: int
    speech: int


CASES = (Case(prompt=50, speech=75), Case(prompt=250, speech=125))
"""Two seconds and three; and the package's own limit of ten seconds, and five."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One engine with a case's tokens."""

    flow: Callable[[], Tensor]
    vocoder: Callable[[Tensor], Tensor]


def ours(model: S3Gen, tokens: Tensor, prompt: S3Prompt, steps: int) -> Side:
    """Return this engine's side, mels (1, T, 80)."""
    times = cosine_times(steps)

    def flow() -> Tensor:
        generator = torch.Generator().manual_seed(SEED)
        noise = draw_noise(2 * (len(prompt.tokens) + len(tokens)), generator)
        return speech_mel(flow_velocity(model.flow, tokens, prompt, times), noise, times, prompt)

    def vocoder(mel: Tensor) -> Tensor:
        draws = draw_source(mel.shape[1], torch.Generator().manual_seed(SEED))
        audio: Tensor = model.mel2wav(mel, model.mel2wav.source(mel, draws))
        return audio

    return Side(flow=flow, vocoder=vocoder)


def theirs(model: Any, tokens: Tensor, prompt: S3Prompt, steps: int) -> Side:
    """Return the package's side, with mels turned to (1, T, 80)."""
    given = {
        "prompt_token": prompt.tokens[None],
        "prompt_token_len": torch.tensor([len(prompt.tokens)]),
        "prompt_feat": prompt.mel[None],
        "prompt_feat_len": None,
        "embedding": prompt.speaker[None],
    }

    def flow() -> Tensor:
        torch.manual_seed(SEED)
        mel: Tensor = model.flow_inference(
            tokens[None], ref_dict=dict(given), n_cfm_timesteps=steps, finalize=True
        )
        return mel.transpose(1, 2)

    def vocoder(mel: Tensor) -> Tensor:
        torch.manual_seed(SEED)
        audio: Tensor = model.hift_inference(mel.transpose(1, 2).contiguous())[0]
        return audio

    return Side(flow=flow, vocoder=vocoder)


@torch.inference_mode()
def measure(case: Case, models: tuple[S3Gen, Any], steps: int, rounds: int) -> list[str]:
    """Return the case's rows of the table, one per stage; the last column is the difference."""
    generator = torch.Generator().manual_seed(SEED)
    tokens = torch.randint(0, 6561, (case.prompt + case.speech,), generator=generator)
    prompt = S3Prompt(
        tokens=tokens[: case.prompt],
        mel=torch.randn(2 * case.prompt, 80, generator=generator) - 5.0,
        speaker=torch.randn(192, generator=generator),
    )
    sides = [
        make(model, tokens[case.prompt :], prompt, steps)
        for make, model in zip((ours, theirs), models, strict=True)
    ]
    mels = [side.flow() for side in sides]
    audios = [side.vocoder(mels[0]) for side in sides]
    apart = [_apart(*mels), _apart(*audios)]
    spent: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for index in (0, 1, 1, 0):
            side = sides[index]
            calls = (side.flow, lambda side=side: side.vocoder(mels[0]))
            for stage, call in zip(STAGES, calls, strict=True):
                spent.setdefault((stage, index), []).append(_cpu_s(call))
    return [
        _row(case, stage, spent[stage, 0], spent[stage, 1], difference)
        for stage, difference in zip(STAGES, apart, strict=True)
    ]


def _apart(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max().clamp(min=1.0))


def _cpu_s(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def _row(case: Case, stage: str, own: list[float], other: list[float], apart: float) -> str:
    ratios = [b / a for a, b in zip(own, other, strict=True)]
    return (
        f"| {case.prompt} + {case.speech} | {stage} | {1000 * statistics.median(own):.0f} "
        f"({1000 * min(own):.0f} to {1000 * max(own):.0f}) | {1000 * statistics.median(other):.0f} "
        f"({1000 * min(other):.0f} to {1000 * max(other):.0f}) | "
        f"{statistics.median(other) / statistics.median(own):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}) | {apart:.1e} |"
    )


def main(arguments: list[str]) -> int:
    """Measure every case and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--small", action="store_true", help="small sizes: to see that it works")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", type=int, default=len(CASES), help="only the first so many")
    asked = parser.parse_args(arguments)
    asked.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    stand_ins.install()
    sizes = SMALL if asked.small else FULL
    package = s3gen_reference.build(sizes)
    s3gen_reference.save_published(package, asked.folder / "s3gen.safetensors")
    models = (load_s3gen(asked.folder / "s3gen.safetensors"), package)
    print("| tokens | stage | here, CPU ms | package, CPU ms | ratio | apart, relative |")
    print("| --- | --- | ---: | ---: | ---: | ---: |", flush=True)
    far = False
    for case in CASES[: asked.cases]:
        for row in measure(case, models, sizes["steps"], asked.rounds):
            print(row, flush=True)
            far |= "flow" in row and float(row.split("|")[-2]) > LIMIT
    return int(far)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
