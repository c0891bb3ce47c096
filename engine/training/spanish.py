"""
`python -m voxgate.engine.training.spanish FOLDER`: train the Spanish voice from SVOX Pico.

Every step stores its result in FOLDER and is skipped or resumed if it exists.
The acoustic model starts from the English voice's, each Spanish phone from its English likenesses;
the vocoder is the English voice's, unchanged.
"""

import json
from dataclasses import replace
from pathlib import Path

import click
import torch
from torch import nn

from voxgate.engine.acoustic.dit import DiT, DiTShape
from voxgate.engine.alphabet import PHONE_IDS, SPANISH_PHONES
from voxgate.engine.config.choices import Language
from voxgate.engine.duration.predictor import DurationModel, DurationShape
from voxgate.engine.training import (
    data,
    spanish_align,
    spanish_corpus,
    train_acoustic,
    train_durations,
)
from voxgate.engine.training.__main__ import averaged
from voxgate.engine.training.spanish_texts import heldout_key
from voxgate.engine.weights.conversion_voice import load_conversion_voice
from voxgate.engine.weights.voice import DEFAULT_VOICE, VOICES, load_voice, save_model

SEED = 11
UTTERANCES = 9600
SPEAKERS = 4
"""lola, hugo, and both with a wide pitch range."""
STEPS = {"durations": 1500, "acoustic": 2600, "questions": 2000}
STATEMENTS_PER_QUESTION = 2
"""In the last stage, which teaches the rise of yes/no questions."""
END_WEIGHT = 4.0
SHARES = (0.43, 0.32, 0.14, 0.11)
DURATIONS = DurationShape(phones=len(SPANISH_PHONES), speakers=SPEAKERS)
ACOUSTIC = DiTShape(phones=len(SPANISH_PHONES), speakers=SPEAKERS)
HELDOUT = Path(__file__).parent / "heldout_es.txt"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=VOICES[Language.ES],
    help="where the voice is written",
)
@click.option("--threads", default=1, help="CPU threads")
def main(folder: Path, out: Path, threads: int) -> None:
    """Train the Spanish voice in FOLDER and write it to the engine's weights."""
    torch.set_num_threads(threads)
    prepare(folder)
    corpus = data.load(folder / "data.safetensors")
    train_durations.run(corpus, folder, steps=STEPS["durations"], seed=SEED, shape=DURATIONS)
    acoustic = train_acoustic.run(
        corpus, folder, steps=STEPS["acoustic"], seed=SEED, model=from_english(), shares=SHARES
    )
    train_acoustic.run_questions(
        questions_and_statements(corpus), folder, acoustic,
        steps=STEPS["questions"], seed=SEED + 1, shares=SHARES, end_weight=END_WEIGHT,
    )  # fmt: skip
    export(folder, corpus, out)


def prepare(folder: Path) -> None:
    """Synthesise the corpus, find its phone times, and compute its features."""
    if (folder / "data.safetensors").exists():
        return
    heldout = frozenset(heldout_key(line) for line in HELDOUT.read_text().splitlines())
    shards = spanish_corpus.build(folder / "corpus", count=UTTERANCES, seed=SEED, heldout=heldout)
    aligned = folder / "aligned.safetensors"
    if not aligned.exists():
        encoder = load_conversion_voice().encoder
        corpus = spanish_align.align_corpus(shards, encoder, seed=SEED)
        spanish_align.write(corpus, aligned, seed=SEED)
    data.build([aligned], folder / "data.safetensors")


def from_english() -> DiT:
    """Return a Spanish DiT with the English voice's weights, but for the embeddings of speakers."""
    english = load_voice(DEFAULT_VOICE).dit
    torch.manual_seed(SEED)
    model = DiT(ACOUSTIC)
    weights = {name: value.clone() for name, value in english.state_dict().items()}
    phones = weights.pop("text_embed.phone.weight")
    weights.pop("text_embed.speaker.weight")
    model.load_state_dict(weights, strict=False)
    with torch.no_grad():
        for number, name in enumerate(SPANISH_PHONES):
            likeness = spanish_align.ENGLISH_LIKENESS.get(name.rstrip("1"), "pau").split()
            ids = [PHONE_IDS[each] for each in likeness]
            model.text_embed.phone.weight[number] = phones[ids].mean(dim=0)
            model.text_embed.phone.weight[number] += 0.02 * torch.randn(phones.shape[1])
    return model.requires_grad_(True)


def questions_and_statements(corpus: data.Corpus) -> data.Corpus:
    """Return the corpus with all its questions and so many times as many statements."""
    asked = torch.nonzero(corpus.rows[:, 7] == train_acoustic.RISING).squeeze(1)
    stated = torch.nonzero(corpus.rows[:, 7] != train_acoustic.RISING).squeeze(1)
    generator = torch.Generator().manual_seed(SEED)
    chosen = torch.randperm(stated.numel(), generator=generator)
    stated = stated[chosen[: STATEMENTS_PER_QUESTION * asked.numel()]]
    rows = torch.cat((asked, stated)).sort().values
    return replace(corpus, rows=corpus.rows[rows], stretch=corpus.stretch[rows])


def export(folder: Path, corpus: data.Corpus, out: Path) -> None:
    """Write the averaged weights as a voice without a vocoder."""
    out.mkdir(parents=True, exist_ok=True)
    durations: nn.Module = averaged(folder, "durations", DurationModel(DURATIONS))
    acoustic: nn.Module = averaged(folder, "questions", DiT(ACOUSTIC))
    save_model(out / "durations.safetensors", durations, DURATIONS)
    scale = {"mel_mean": str(corpus.mean), "mel_std": str(corpus.std)}
    save_model(out / "acoustic.safetensors", acoustic, ACOUSTIC, **scale)
    sizes = {path.name: path.stat().st_size for path in sorted(out.glob("*.safetensors"))}
    click.echo(json.dumps({"bytes": sizes, "total_bytes": sum(sizes.values())}))


if __name__ == "__main__":
    main()
