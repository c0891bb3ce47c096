"""
Write random weights in the layout of a published Chatterbox checkpoint.

They sound like noise, because they are not trained.
For tests, for measuring speed at the published sizes, and for trying the pipeline before the
download.
"""

import json
import math
import string
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from voxgate.engine.chatterbox.checkpoint import (
    S3GEN_FILES,
    T3_FILES,
    UNUSED,
    VOCABULARY_FILES,
)
from voxgate.engine.chatterbox.s3_tokenizer import S3TokenizerShape
from voxgate.engine.chatterbox.s3gen import S3Gen, S3GenShape
from voxgate.engine.chatterbox.s3gen_checkpoint import published_tensors
from voxgate.engine.chatterbox.s3gen_flow import EstimatorShape
from voxgate.engine.chatterbox.t3 import (
    PROMPT_TOKENS,
    SPEECH_CODES,
    START_TEXT,
    STOP_TEXT,
    ChatterboxT3,
    ChatterboxT3Shape,
)
from voxgate.engine.chatterbox.text import SPACE, START, STOP
from voxgate.engine.chatterbox.voice import STORED
from voxgate.engine.chatterbox.voice_encoder import VoiceEncoder
from voxgate.engine.config.chatterbox import LANGUAGES, ModelVariant
from voxgate.engine.errors import EngineError

TEXT_TOKENS = {ModelVariant.ENGLISH: 704, ModelVariant.MULTILINGUAL: 2454}
SMALL = {"width": 128, "hidden": 256, "layers": 2, "text_positions": 402, "speech_positions": 604}


GAINS = ("weight", "alpha", "running_var")
"""Endings of vectors that scale, and are about 1."""
SMALL_S3GEN = S3GenShape(
    tokenizer=S3TokenizerShape(width=128, layers=2),
    layers=1,
    up_layers=1,
    estimator=EstimatorShape(width=32, blocks=1, middle=2, heads=2),
    hift_width=64,
)
NOTICE = """These are random numbers in the layout of a published Chatterbox checkpoint. They are no voice: what they say is
noise. Written by `python -m voxgate.engine random-weights`.
"""  # noqa: E501


def write_random_chatterbox(
    folder: Path, variant: ModelVariant, *, small: bool, seed: int = 0
) -> None:
    """
    Write all files of a checkpoint and a notice into a folder.

    Raises: EngineError for a folder that is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise EngineError(f"folder {folder} is not empty; name another, or remove it first")
    folder.mkdir(parents=True, exist_ok=True)
    write_random_text_half(folder, variant, small=small, seed=seed)
    generator = torch.Generator().manual_seed(seed + 1)
    s3gen = S3Gen(SMALL_S3GEN if small else S3GenShape())
    s3gen.load_state_dict(randomised(s3gen, generator))
    save_file(published_tensors(s3gen), folder / S3GEN_FILES[0])
    torch.save(_conditionals(generator), folder / STORED)
    (folder / "README.txt").write_text(NOTICE, encoding="utf-8")


def _conditionals(generator: torch.Generator) -> dict[str, dict[str, Tensor]]:
    """Return a voice as a checkpoint comes with it."""

    def tokens(count: int) -> Tensor:
        return torch.randint(0, SPEECH_CODES, (1, count), generator=generator)

    said = {
        "speaker_emb": torch.rand(1, 256, generator=generator),
        "cond_prompt_speech_tokens": tokens(PROMPT_TOKENS),
        "emotion_adv": torch.full((1, 1, 1), 0.5),
    }
    heard = {
        "prompt_token": tokens(25),
        "prompt_token_len": torch.tensor([25]),
        "prompt_feat": torch.randn(1, 50, 80, generator=generator) - 5.0,
        "embedding": torch.randn(1, 192, generator=generator),
    }
    return {"t3": said, "gen": heard}


def write_random_text_half(
    folder: Path, variant: ModelVariant, *, small: bool, seed: int = 0
) -> None:
    """Write T3, voice encoder and vocabulary into a folder."""
    generator = torch.Generator().manual_seed(seed)
    sizes = SMALL if small else {}
    t3 = ChatterboxT3(ChatterboxT3Shape(text_tokens=TEXT_TOKENS[variant], **sizes))
    unused = torch.zeros(8, t3.shape.width)
    save_file({**randomised(t3, generator), UNUSED: unused}, folder / T3_FILES[variant])
    save_file(randomised(VoiceEncoder(), generator), folder / "ve.safetensors")
    (folder / VOCABULARY_FILES[variant]).write_text(json.dumps(vocabulary()), encoding="utf-8")


def randomised(model: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
    """Return a model's tensors with numbers large enough for every layer to have an effect."""
    tensors = {}
    for name, weight in model.state_dict().items():
        scale = 0.02 if weight.ndim < 2 else 1.0 / math.sqrt(weight[0].numel())
        centre = 1.0 if weight.ndim == 1 and name.endswith(GAINS) else 0.0
        tensors[name] = centre + scale * torch.randn(weight.shape, generator=generator)
    return tensors


def vocabulary() -> dict[str, object]:
    """Return a vocabulary of single characters, as the package `tokenizers` writes it."""
    named = {STOP: STOP_TEXT, "[UNK]": 1, SPACE: 2, START: START_TEXT}
    named |= {f"[{language}]": 300 + number for number, language in enumerate(LANGUAGES)}
    characters = string.ascii_letters + string.digits + string.punctuation + "áéíóúüñ¿¡äöß"
    letters = {character: 10 + number for number, character in enumerate(characters)}
    added = [
        {
            "id": number,
            "content": name,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for name, number in named.items()
    ]
    model: dict[str, object] = {
        "type": "BPE",
        "dropout": None,
        "unk_token": "[UNK]",
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "vocab": {**named, **letters},
        "merges": [],
    }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": model,
    }
