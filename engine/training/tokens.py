"""
`python -m voxgate.engine.training.tokens FOLDER`: train the models of speech tokens.

The speech tokeniser first; T3 and the plain T3 then learn the codes it makes. Each step stores its
result in FOLDER and is skipped or resumed if it exists, so the command can be stopped at any time
and run again. The DiT and the vocoder of the embedded voice are used as they are.
"""

import json
from pathlib import Path

import click
import torch
from safetensors.torch import load_file

from voxgate.engine.tokens.t3 import T3
from voxgate.engine.training import corpus, token_data, train_t3, train_tokenizer
from voxgate.engine.training.__main__ import HELDOUT
from voxgate.engine.training.texts import heldout_key
from voxgate.engine.weights.token_voice import TOKEN_VOICE
from voxgate.engine.weights.voice import load_voice, save_model

SEED = 16
UTTERANCES = 6000
STEPS = {"tokenizer": 7000, "t3": 5000, "t3-plain": 3000}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--only", type=click.Choice([*STEPS]), help="train one model only")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=TOKEN_VOICE,
    help="where the weights are written",
)
def main(folder: Path, only: str | None, out: Path) -> None:
    """Train the models of speech tokens in FOLDER and write them to the engine's weights."""
    torch.set_num_threads(1)
    prepare(folder)
    for name in (only,) if only else ("tokenizer", "t3"):
        train_one(name, folder)
    export(folder, out)


def prepare(folder: Path) -> None:
    """Synthesise the corpus and compute its features."""
    heldout = frozenset(heldout_key(line) for line in HELDOUT.read_text().splitlines())
    shards = corpus.build(
        folder / "corpus",
        count=UTTERANCES,
        seed=SEED,
        heldout=heldout,
        shares=corpus.TOKENIZER_SHARES,
    )
    if not (folder / "tokens.safetensors").exists():
        token_data.build(shards, folder / "tokens.safetensors")


def train_one(name: str, folder: Path) -> None:
    """Train one model, resuming an interrupted run."""
    data = folder / "tokens.safetensors"
    if name == "tokenizer":
        loaded = token_data.load(data)
        dit = load_voice().dit
        train_tokenizer.run(loaded, dit, folder, steps=STEPS[name], seed=SEED)
        return
    codes = folder / "codes.safetensors"
    if not codes.exists():
        token_data.tokenize(token_data.load(data), trained_tokenizer(folder).tokenizer, codes)
    loaded = token_data.load(data, codes)
    train_t3.run(loaded, folder, steps=STEPS[name], seed=SEED, pointer=name == "t3")


def trained_tokenizer(folder: Path) -> train_tokenizer.TokenizerTraining:
    """Load the averaged tokeniser with its states."""
    return averaged(folder / "tokenizer.safetensors", train_tokenizer.TokenizerTraining())


def averaged(path: Path, model: train_tokenizer.Trained) -> train_tokenizer.Trained:
    """Load the averaged weights of a checkpoint into a model."""
    ema = {
        name.removeprefix("ema."): value
        for name, value in load_file(path).items()
        if name.startswith("ema.")
    }
    model.load_state_dict(ema)
    model.eval()
    return model


def export(folder: Path, out: Path) -> None:
    """Write the averaged weights as a voice, those of the plain T3 as another one in FOLDER."""
    export_voice(folder, out, pointer=True)
    if (folder / "t3-plain.safetensors").exists():
        export_voice(folder, folder / "plain-voice", pointer=False)


def export_voice(folder: Path, out: Path, *, pointer: bool) -> None:
    """Write the tokeniser, its states, and one of the T3s where it is trained."""
    out.mkdir(parents=True, exist_ok=True)
    trained = trained_tokenizer(folder)
    save_model(out / "tokenizer.safetensors", trained.tokenizer, trained.tokenizer.shape)
    save_model(out / "token_states.safetensors", trained.states, trained.states.shape)
    checkpoint = folder / ("t3.safetensors" if pointer else "t3-plain.safetensors")
    if checkpoint.exists():
        shape = train_t3.t3_shape(pointer=pointer)
        save_model(out / "t3.safetensors", averaged(checkpoint, T3(shape)), shape)
    sizes = {path.name: path.stat().st_size for path in sorted(out.glob("*.safetensors"))}
    click.echo(json.dumps({"bytes": sizes, "total_bytes": sum(sizes.values())}))


if __name__ == "__main__":
    main()
