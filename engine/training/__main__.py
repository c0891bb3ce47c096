"""
`python -m voxgate.engine.training FOLDER`: train the embedded voice from Debian's flite and this
package alone.

Every step stores its result in FOLDER and is skipped or resumed if it exists, so the command can be
stopped at any time and run again.
The vocoder and the acoustic model train side by side, one processor each.
"""

import json
import subprocess
import sys
from pathlib import Path

import click
import torch
from safetensors.torch import load_file
from torch import nn

from voxgate.engine.acoustic.dit import DiT, DiTShape
from voxgate.engine.alphabet import PHONES, SPEAKERS
from voxgate.engine.duration.predictor import DurationModel, DurationShape
from voxgate.engine.training import corpus, data, train_acoustic, train_durations, train_vocoder
from voxgate.engine.training.texts import heldout_key
from voxgate.engine.vocoder.vocos import Vocos, VocosShape
from voxgate.engine.weights.voice import DEFAULT_VOICE, save_model

SEED = 7
UTTERANCES = 9600
STEPS = {"durations": 1500, "vocoder": 12_000, "acoustic": 3800}
HELDOUT = Path(__file__).parent / "heldout.txt"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--only", type=click.Choice([*STEPS]), help="train one model only (used by the command itself)"
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=DEFAULT_VOICE,
    help="where the voice is written",
)
def main(folder: Path, only: str | None, out: Path) -> None:
    """Train the embedded voice in FOLDER and write it to the engine's weights."""
    if only:
        train_one(only, folder)
        return
    prepare(folder)
    train_one("durations", folder)
    train_side_by_side(folder, ("vocoder", "acoustic"))
    export(folder, out)


def prepare(folder: Path) -> None:
    """Synthesise the corpus and compute its features."""
    heldout = frozenset(heldout_key(line) for line in HELDOUT.read_text().splitlines())
    shards = corpus.build(folder / "corpus", count=UTTERANCES, seed=SEED, heldout=heldout)
    if not (folder / "data.safetensors").exists():
        data.build(shards, folder / "data.safetensors")


def train_one(name: str, folder: Path) -> None:
    """Train one of the three models on one thread, resuming an interrupted run."""
    torch.set_num_threads(1)
    loaded = data.load(folder / "data.safetensors")
    if name == "durations":
        train_durations.run(loaded, folder, steps=STEPS[name], seed=SEED)
    elif name == "vocoder":
        train_vocoder.run(loaded, folder, steps=STEPS[name], seed=SEED)
    else:
        train_acoustic.run(loaded, folder, steps=STEPS[name], seed=SEED)


def train_side_by_side(folder: Path, names: tuple[str, ...]) -> None:
    """Train several models at once, each in a process of its own."""
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "voxgate.engine.training", str(folder), "--only", name]
        )
        for name in names
    ]
    codes = [process.wait() for process in running]
    if any(codes):
        raise SystemExit("a training process failed; give the command again to resume")


def averaged(folder: Path, name: str, model: nn.Module) -> nn.Module:
    """Return `model` with the averaged weights of its checkpoint in FOLDER."""
    tensors = load_file(folder / f"{name}.safetensors")
    model.load_state_dict(
        {
            key.removeprefix("ema."): value
            for key, value in tensors.items()
            if key.startswith("ema.")
        }
    )
    return model


def export(folder: Path, out: Path) -> None:
    """Write the averaged weights as a voice."""
    out.mkdir(parents=True, exist_ok=True)
    loaded = data.load(folder / "data.safetensors")
    durations = DurationShape(phones=len(PHONES), speakers=len(SPEAKERS))
    dit = DiTShape(phones=len(PHONES), speakers=len(SPEAKERS))
    save_model(
        out / "durations.safetensors",
        averaged(folder, "durations", DurationModel(durations)),
        durations,
    )
    save_model(
        out / "acoustic.safetensors",
        averaged(folder, "acoustic", DiT(dit)),
        dit,
        mel_mean=str(loaded.mean),
        mel_std=str(loaded.std),
    )
    save_model(
        out / "vocoder.safetensors", averaged(folder, "vocoder", Vocos(VocosShape())), VocosShape()
    )
    sizes = {path.name: path.stat().st_size for path in sorted(out.glob("*.safetensors"))}
    click.echo(json.dumps({"bytes": sizes, "total_bytes": sum(sizes.values())}))


if __name__ == "__main__":
    main()
