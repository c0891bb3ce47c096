"""
`python -m voxgate.engine.training.conversion FOLDER`: train the models of voice conversion.

flite's voices first, whose phones have exact times; then the same sentences by other engines, whose
times are found by what was learned, twice. Each step stores its result in FOLDER and is skipped or
resumed if it exists, so the command can be stopped at any time and run again.
"""

import json
from pathlib import Path

import click
import torch

from voxgate.engine.training import (
    align,
    conversion_crops,
    conversion_data,
    corpus,
    other_voices,
    train_conversion,
)
from voxgate.engine.training.__main__ import HELDOUT
from voxgate.engine.training.conversion_data import FLITE_VOICES, SpokenCorpus
from voxgate.engine.training.texts import heldout_key
from voxgate.engine.training.tokens import SEED as TOKEN_SEED
from voxgate.engine.training.train_conversion import ConversionTraining
from voxgate.engine.weights.conversion_voice import (
    CONVERSION_VOICE,
    TargetVoices,
    TargetVoicesShape,
)
from voxgate.engine.weights.voice import Voice, load_voice, save_model

SEED = 16
UTTERANCES = {"flite": 6000, "other": 4000}
STEPS = {"pre": 900, "mid": 1500, "conv": 5000}
"""flite alone; with other engines; with their times found anew."""
EMBEDDED = 60
"""Utterances whose embeddings are averaged for a target voice."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=CONVERSION_VOICE,
    help="where the weights are written",
)
def main(folder: Path, out: Path) -> None:
    """Train the models of voice conversion in FOLDER and write them to the engine's weights."""
    torch.set_num_threads(1)
    prepare(folder)
    voice = load_voice()
    scale = (voice.mel_mean, voice.mel_std)
    flite = conversion_data.load(folder / "flite.safetensors")
    first = folder / "pre.safetensors"
    _train("pre", (flite,), voice, folder, start=None)
    second = _train("mid", (flite, _timed(folder, first, "ends")), voice, folder, start=first)
    both = (flite, _timed(folder, second, "ends2"))
    last = _train("conv", both, voice, folder, start=second)
    export(trained(last), flite, scale, out)


def prepare(folder: Path) -> None:
    """Synthesise both parts of the corpus and compute their features."""
    heldout = frozenset(heldout_key(line) for line in HELDOUT.read_text().splitlines())
    shards = {
        "flite": lambda: corpus.build(
            folder / "corpus",
            count=UTTERANCES["flite"],
            seed=TOKEN_SEED,
            heldout=heldout,
            shares=corpus.TOKENIZER_SHARES,
        ),
        "other": lambda: other_voices.build(
            folder / "other", count=UTTERANCES["other"], seed=SEED + 1, heldout=heldout
        ),
    }
    for name, first_voice in (("flite", 0), ("other", FLITE_VOICES)):
        path = folder / f"{name}.safetensors"
        if not path.exists():
            conversion_data.build(shards[name](), path, first_voice=first_voice)


def trained(path: Path) -> ConversionTraining:
    """Load the averaged models of a checkpoint."""
    model = ConversionTraining()
    train_conversion.load_averaged(model, path)
    return model.eval()


def export(
    model: ConversionTraining, flite: SpokenCorpus, scale: tuple[float, float], out: Path
) -> None:
    """Write the models, and the embeddings of flite's voices, as a voice."""
    out.mkdir(parents=True, exist_ok=True)
    targets = target_voices(model, flite, scale)
    for name, part in (
        ("content_encoder", model.encoder),
        ("mel_decoder", model.decoder),
        ("reference_encoder", model.voice),
        ("flow_states", model.states),
        ("targets", targets),
    ):
        save_model(out / f"{name}.safetensors", part, part.shape)
    sizes = {path.name: path.stat().st_size for path in sorted(out.glob("*.safetensors"))}
    click.echo(json.dumps({"bytes": sizes, "total_bytes": sum(sizes.values())}))


@torch.inference_mode()
def target_voices(
    model: ConversionTraining, flite: SpokenCorpus, scale: tuple[float, float]
) -> TargetVoices:
    """Return the mean embedding of each of flite's voices and its median pitch."""
    mean, std = scale
    targets = TargetVoices(TargetVoicesShape(targets=FLITE_VOICES, voice=model.voice.shape.voice))
    for voice in range(FLITE_VOICES):
        rows = flite.rows[flite.rows[:, 6] == voice][:EMBEDDED].tolist()
        mels = [(flite.mel[row[2] : row[3]].float()[None] - mean) / std for row in rows]
        targets.embedding[voice] = torch.cat([model.voice(mel) for mel in mels]).mean(dim=0)
    targets.log_f0.copy_(torch.tensor(conversion_crops.median_pitches(flite)))
    return targets


def _timed(folder: Path, checkpoint: Path, name: str) -> SpokenCorpus:
    """Load the other engines' part, with times found by the encoder of a checkpoint."""
    path, ends = folder / "other.safetensors", folder / f"{name}.safetensors"
    if not ends.exists():
        share = align.align(conversion_data.load(path), trained(checkpoint).encoder, ends)
        click.echo(f"{name}: {share:.1%} of the utterances fit their phones")
    return conversion_data.load(path, ends)


def _train(
    name: str, parts: tuple[SpokenCorpus, ...], voice: Voice, folder: Path, *, start: Path | None
) -> Path:
    seed = SEED + [*STEPS].index(name)
    scale = (voice.mel_mean, voice.mel_std)
    train_conversion.run(
        name, parts, voice.dit, scale, folder, steps=STEPS[name], seed=seed, start=start
    )
    return folder / f"{name}.safetensors"


if __name__ == "__main__":
    main()
