"""A tiny voice of speech tokens with random weights: noise, for tests alone."""

from pathlib import Path

import torch

from tests.engine.conftest import TINY_DIT, TINY_VOCODER
from tests.engine.tokens.small_t3 import random_t3
from voxgate.engine.acoustic.dit import DiT
from voxgate.engine.acoustic.token_states import TokenStates, TokenStatesShape
from voxgate.engine.alphabet import SPEAKERS
from voxgate.engine.tokens.speech_tokenizer import SpeechTokenizer, TokenizerShape
from voxgate.engine.vocoder.vocos import Vocos
from voxgate.engine.weights.voice import save_model

TINY_STATES = TokenStatesShape(
    speakers=len(SPEAKERS), width=24, hidden=32, blocks=1, text_width=16, text_blocks=1
)
TINY_TOKENIZER = TokenizerShape(
    frame_width=16, frame_hidden=24, frame_blocks=1, width=24, hidden=32, blocks=1
)


def write_random_token_voice(folder: Path) -> Path:
    """Write every file of a voice of speech tokens, with seeded random weights."""
    torch.manual_seed(5)
    folder.mkdir(parents=True, exist_ok=True)
    dit = DiT(TINY_DIT)
    torch.nn.init.normal_(dit.proj_out.weight, std=0.2)
    t3 = random_t3()
    save_model(folder / "t3.safetensors", t3, t3.shape)
    save_model(folder / "token_states.safetensors", TokenStates(TINY_STATES), TINY_STATES)
    save_model(folder / "tokenizer.safetensors", SpeechTokenizer(TINY_TOKENIZER), TINY_TOKENIZER)
    save_model(folder / "acoustic.safetensors", dit, TINY_DIT, mel_mean="-1.0", mel_std="2.0")
    save_model(folder / "vocoder.safetensors", Vocos(TINY_VOCODER), TINY_VOCODER)
    return folder
