"""
Is this engine faster than the published one at equal output? The page
docs/evidence/engine-speed.md.

    python tests/studies/speed_beside_reference.py FOLDER [--quick] [--device cuda] >
    docs/evidence/engine-speed.md

The packages f5-tts and vocos from PyPI (in FOLDER, never a dependency) make models of random
weights by *their* code; this engine loads the same weights. Both speak the same in one process, in
turns (ours, theirs, theirs, ours), each stage timed. Then the machine's roofline, and the embedded
voice. Ends with 1 if the outputs are apart by more than LIMIT.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # as a script: `tests` is no installed package

import torch  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from torch import Tensor  # noqa: E402

from tests.studies import published_reference, roofline, speed_page  # noqa: E402
from tests.studies.published_parity import BASE, CHARACTERS, LIMIT, PACKAGES, SMALL  # noqa: E402
from tests.studies.roofline import Work, count_work, timed_s  # noqa: E402
from voxgate.engine.acoustic.infill import InfillInput, infill_mel, infill_velocity  # noqa: E402
from voxgate.engine.acoustic.solver import time_grid  # noqa: E402
from voxgate.engine.config import Grid, Solver  # noqa: E402
from voxgate.engine.vocoder.vocos import waveform  # noqa: E402
from voxgate.engine.weights.f5_checkpoint import load_f5, load_vocos  # noqa: E402

BANDS = 100
HEARD_FRAMES = 94
"""One second of a reference recording; here random, since only its length costs time."""
GUIDANCE, SEED, VERSION = 2.0, 7, 1
STAGES = ("acoustic", "vocoder")
EMBEDDED_ROUNDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """
    What is said by both: `sizes` of the model, `frames` of mel with the reference, and how often (4
    runs a round).
    """

    name: str
    sizes: dict[str, int]
    frames: int
    steps: int
    rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two engines with a case's weights: noise to mel, mel to audio."""

    mel: Callable[[], Tensor]
    audio: Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """
    Of one case: seconds of every run, by side and stage, in rounds of two; differences; work of one
    call; time shares.
    """

    case: Case
    ours: list[dict[str, float]]
    theirs: list[dict[str, float]]
    mel_apart: float
    audio_apart: float
    work: dict[str, Work]
    shares: dict[str, dict[str, float]]


FULL = (
    Case(name="small", sizes=SMALL, frames=400, steps=16, rounds=10),
    Case(name="base", sizes=BASE, frames=300, steps=4, rounds=4),
)
QUICK = (
    Case(name="small", sizes=SMALL, frames=200, steps=4, rounds=2),
    Case(name="base", sizes=BASE, frames=150, steps=1, rounds=1),
)


def prepare(folder: Path) -> None:
    """Install the packages, once, and make them importable here."""
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
    sys.path.append(str(packages))
    published_reference.stand_in_for_torchaudio()
    published_reference.without_trainer(packages)


def sides(case: Case, folder: Path, device: str) -> tuple[Side, Side, dict[str, Work]]:
    """Make their model, and ours of its weights; and count the work of one call of ours."""
    about = {"name": case.name, "version": VERSION, "characters": CHARACTERS, **case.sizes}
    cfm, their_vocos = published_reference.cfm_of(about), published_reference.vocos_of()
    path = folder / f"speed-{case.name}.safetensors"
    save_file(
        {
            name: value.contiguous()
            for name, value in cfm.state_dict().items()
            if name.startswith("transformer.")
        },
        path,
    )
    torch.save(their_vocos.state_dict(), folder / "speed-vocos.bin")
    dit, vocos = load_f5(path, version=VERSION), load_vocos(folder / "speed-vocos.bin")
    for model in (cfm, their_vocos, dit, vocos):
        model.to(device)
    generator = torch.Generator().manual_seed(SEED)
    heard = torch.randn(HEARD_FRAMES, BANDS, generator=generator).to(device)
    text = torch.randint(0, CHARACTERS, (40,), generator=generator).to(device)
    work = _work(dit, vocos, case.frames, device)
    return _ours(case, dit, vocos, heard, text), _theirs(case, cfm, their_vocos, heard, text), work


def _ours(case: Case, dit: Any, vocos: Any, heard: Tensor, text: Tensor) -> Side:
    def mel() -> Tensor:
        torch.manual_seed(SEED)
        noise = torch.randn(case.frames, BANDS, device=heard.device)
        velocity = infill_velocity(
            dit,
            dit,
            InfillInput(prompt_mel=heard, characters=text + 1, frames=case.frames),
            GUIDANCE,
        )
        return infill_mel(
            velocity, noise, time_grid(case.steps, -1.0, Grid.UNIFORM), Solver.EULER, len(heard)
        )[None]

    return Side(mel=mel, audio=lambda mel: waveform(vocos(mel), vocos.shape))


def _theirs(case: Case, cfm: Any, vocos: Any, heard: Tensor, text: Tensor) -> Side:
    def mel() -> Tensor:
        asked = {
            "steps": case.steps,
            "cfg_strength": GUIDANCE,
            "sway_sampling_coef": -1.0,
            "seed": SEED,
            "use_epss": False,
        }
        said, _ = cfm.sample(heard[None], text[None], case.frames, **asked)
        return said[:, len(heard) :]

    return Side(mel=mel, audio=lambda mel: vocos.decode(mel.transpose(1, 2)))


def _work(dit: Any, vocos: Any, frames: int, device: str) -> dict[str, Work]:
    noisy, prompt_mel = (torch.randn(2, frames, BANDS, device=device) for _ in range(2))
    text, t = (
        torch.randn(2, frames, dit.shape.text_width, device=device),
        torch.full((2,), 0.5, device=device),
    )
    mel = torch.randn(1, frames - HEARD_FRAMES, BANDS, device=device)
    return {
        "acoustic": count_work(dit, lambda: dit(noisy, prompt_mel, text, t)),
        "vocoder": count_work(vocos, lambda: vocos(mel)),
    }


@torch.inference_mode()
def compare(case: Case, folder: Path, device: str) -> Result:
    """Synthesise once by each for the outputs, and then alternately for the times."""
    ours, theirs, work = sides(case, folder, device)
    (mel, audio), (their_mel, their_audio) = (
        (mel := side.mel(), side.audio(mel)) for side in (ours, theirs)
    )
    spent: dict[str, list[dict[str, float]]] = {"ours": [], "theirs": []}
    for _ in range(case.rounds):
        for name, side in (("ours", ours), ("theirs", theirs), ("theirs", theirs), ("ours", ours)):
            spent[name].append(_timed(side, mel))
    shares = {
        f"{name}, {stage}": roofline.time_shares(call)
        for name, side in (("ours", ours), ("theirs", theirs))
        for stage, call in (("acoustic", side.mel), ("vocoder", lambda side=side: side.audio(mel)))
    }
    return Result(
        case=case,
        ours=spent["ours"],
        theirs=spent["theirs"],
        mel_apart=float((mel - their_mel).abs().max()),
        audio_apart=float((audio - their_audio).abs().max()),
        work=work,
        shares=shares,
    )


def _timed(side: Side, mel: Tensor) -> dict[str, float]:
    return {"acoustic": timed_s(side.mel), "vocoder": timed_s(lambda: side.audio(mel))}


def embedded(threads: int) -> dict[str, Any]:
    """
    Synthesise with the embedded voice in a process of its own, and return its memory, stage times
    and work.
    """
    words = [
        sys.executable,
        "-m",
        "tests.studies.embedded_speed",
        str(threads),
        str(EMBEDDED_ROUNDS),
    ]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def main(arguments: list[str]) -> int:
    """Measure everything and print the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quick", action="store_true", help="small settings: to see that it works")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args(arguments)
    asked.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(asked.threads)
    prepare(asked.folder.absolute())
    machine = roofline.measure_machine(asked.device)
    results = [
        compare(case, asked.folder, asked.device) for case in (QUICK if asked.quick else FULL)
    ]
    print(
        speed_page.page(
            machine, results, embedded(asked.threads), device=asked.device, threads=asked.threads
        )
    )
    return int(any(max(result.mel_apart, result.audio_apart) > LIMIT for result in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
