"""
Write random weights in the layout of a published F5-TTS checkpoint with its vocoder.

They sound like noise, because they are not trained.
For tests, for measuring speed at the published sizes, and for trying the pipeline before the
download.
"""

import math
import string
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from voxgate.engine.acoustic.f5_dit import F5DiT, F5Shape
from voxgate.engine.errors import EngineError
from voxgate.engine.vocoder.vocos import Vocos, VocosShape

VOCABULARY = (
    " " + string.ascii_lowercase + string.ascii_uppercase + string.digits + string.punctuation
)
BANDS = 100
SMALL = F5Shape(
    characters=len(VOCABULARY),
    bands=BANDS,
    width=128,
    depth=2,
    hidden=256,
    text_width=64,
    text_blocks=2,
    text_hidden=128,
)
BASE = F5Shape(characters=len(VOCABULARY), bands=BANDS)
SMALL_VOCOS = VocosShape(bands=BANDS, width=64, hidden=128, blocks=2)
BASE_VOCOS = VocosShape(bands=BANDS, width=512, hidden=1536, blocks=8)
NOTICE = """These are random numbers in the layout of a published F5-TTS checkpoint and of Vocos. They are no voice: what
they say is noise. Written by `python -m voxgate.engine random-weights`.
"""  # noqa: E501


def write_random_voice(folder: Path, *, small: bool, seed: int = 0) -> None:
    """
    Write model, vocab.txt, vocoder and a notice into a folder.

    Raises: EngineError for a folder that is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise EngineError(f"folder {folder} is not empty; name another, or remove it first")
    (folder / "vocos").mkdir(parents=True)
    generator = torch.Generator().manual_seed(seed)
    dit = _randomise(F5DiT(SMALL if small else BASE), generator)
    vocoder = _randomise(Vocos(SMALL_VOCOS if small else BASE_VOCOS), generator)
    published = {f"ema_model.transformer.{name}": value for name, value in dit.state_dict().items()}
    counters = {"initted": torch.tensor(True), "step": torch.tensor(0)}
    save_file({**published, **counters}, folder / "model_random.safetensors")
    torch.save(vocoder.state_dict(), folder / "vocos" / "pytorch_model.bin")
    (folder / "vocab.txt").write_text(
        "".join(f"{character}\n" for character in VOCABULARY), encoding="utf-8"
    )
    (folder / "README.txt").write_text(NOTICE, encoding="utf-8")


def _randomise(model: nn.Module, generator: torch.Generator) -> nn.Module:
    """
    Fill the weights with numbers large enough for every layer to have an effect.

    A DiT is initialised with closed gates.
    """
    with torch.no_grad():
        for name, weight in model.named_parameters():
            scale = 0.02 if weight.ndim < 2 else 1.0 / math.sqrt(weight[0].numel())
            centre = 1.0 if "norm" in name and name.endswith("weight") and weight.ndim == 1 else 0.0
            weight.copy_(centre + scale * torch.randn(weight.shape, generator=generator))
    return model
