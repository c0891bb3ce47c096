"""
`python -m voxgate.engine.training.conversion FOLDER`: train the models of voice conversion.

flite's voices first, whose phones have exact times; then such sentences by other engines, and human
recordings, whose times are found by what was learned. Each step stores its result in FOLDER and is
skipped or resumed if it exists, so the command can be stopped at any time and run again.
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
    recordings,
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
STEPS = {"flite": 900, "engines": 1500, "people": 1300, "times": 4800, "last": 3000}
"""flite alone; with other engines; with human recordings; with all times found anew; once more."""
PARTS = ("flite", "other", "human")
STAGES = {"flite": 1, "engines": 2, "people": 3, "times": 3, "last": 3}
"""How many parts of the corpus each stage of the training hears."""
LEAST_LIKENESS = 0.7
"""Of a source to the training voices; below it words are often lost."""
EMBEDDED = 60
"""Utterances whose embeddings are averaged for a target voice."""


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--recordings",
    "people",
    type=click.Path(path_type=Path),
    required=True,
    help="human recordings with their texts, as LJSpeech lays them out",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=CONVERSION_VOICE,
    help="where the weights are written",
)
def main(folder: Path, people: Path, out: Path) -> None:
    """Train the models of voice conversion in FOLDER and write them to the engine's weights."""
    torch.set_num_threads(1)
    prepare(folder, people)
    voice = load_voice()
    flite = conversion_data.load(folder / "flite.safetensors")
    checkpoint: Path | None = None
    for name, count in STAGES.items():
        others = [_timed(folder, part, name, checkpoint) for part in PARTS[1:count]]
        checkpoint = _train(name, (flite, *others), voice, folder, start=checkpoint)
    assert checkpoint is not None
    export(trained(checkpoint), flite, (voice.mel_mean, voice.mel_std), out)


def prepare(folder: Path, people: Path) -> None:
    """Make the three parts of the corpus and compute their features."""
    heldout = frozenset(heldout_key(line) for line in HELDOUT.read_text().splitlines())
    for part in PARTS:
        path = folder / f"{part}.safetensors"
        if not path.exists():
            first_voice = 0 if part == PARTS[0] else FLITE_VOICES
            shards = _shards(part, folder, people, heldout)
            conversion_data.build(shards, path, first_voice=first_voice)


def _shards(part: str, folder: Path, people: Path, heldout: frozenset[str]) -> list[Path]:
    if part == "flite":
        return corpus.build(
            folder / "corpus",
            count=UTTERANCES[part],
            seed=TOKEN_SEED,
            heldout=heldout,
            shares=corpus.TOKENIZER_SHARES,
        )
    if part == "other":
        return other_voices.build(
            folder / "other", count=UTTERANCES[part], seed=SEED + 1, heldout=heldout
        )
    shard = folder / "human.shard"
    recordings.write_shard(people, shard)
    return [shard]


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
    about = {
        "content_encoder": {"least_likeness": str(LEAST_LIKENESS)},
        "mel_decoder": {"mel_mean": str(scale[0]), "mel_std": str(scale[1])},
    }
    for name, part in (
        ("content_encoder", model.encoder),
        ("mel_decoder", model.decoder),
        ("reference_encoder", model.voice),
        ("targets", targets),
    ):
        save_model(out / f"{name}.safetensors", part, part.shape, **about.get(name, {}))
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


def _timed(folder: Path, part: str, stage: str, checkpoint: Path | None) -> SpokenCorpus:
    """Load a part of the corpus with times found by the encoder of a checkpoint."""
    assert checkpoint is not None, "the first stage has exact times"
    path, ends = folder / f"{part}.safetensors", folder / f"{stage}-{part}-ends.safetensors"
    if not ends.exists():
        share = align.align(conversion_data.load(path), trained(checkpoint).encoder, ends)
        click.echo(f"{stage}: {share:.1%} of the utterances of {part} fit their phones")
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
