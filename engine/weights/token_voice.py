"""
Load the voice that speaks through speech tokens: the speech tokeniser, T3, and the states by which
the DiT of another voice speaks tokens. The DiT and the vocoder are those of the voice `arctic`.
"""

from dataclasses import dataclass
from pathlib import Path

from voxgate.engine.acoustic.dit import DiT, DiTShape
from voxgate.engine.acoustic.token_states import TokenStates, TokenStatesShape
from voxgate.engine.errors import EngineError
from voxgate.engine.tokens.speech_tokenizer import (
    FiniteScalarQuantizer,
    SpeechTokenizer,
    TokenizerShape,
)
from voxgate.engine.tokens.t3 import T3, T3Shape
from voxgate.engine.vocoder.vocos import Vocos, VocosShape
from voxgate.engine.weights.voice import DEFAULT_VOICE, load_model, parse_number

TOKEN_VOICE = DEFAULT_VOICE.parent / "arctic-tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenVoice:
    """
    The models, fp32 on the CPU, and the mean and deviation of the DiT's training mel.
    """

    tokenizer: SpeechTokenizer
    t3: T3
    states: TokenStates
    dit: DiT
    vocoder: Vocos
    mel_mean: float
    mel_std: float


def load_token_voice(folder: Path = TOKEN_VOICE) -> TokenVoice:
    """
    Load `tokenizer`, `t3` and `token_states` (.safetensors) from a folder, and `acoustic` and
    `vocoder` from there if it has them, else from the voice `arctic`.

    Raises: EngineError as `load_voice`, and for states that the DiT cannot take.
    """
    base = folder if (folder / "acoustic.safetensors").exists() else DEFAULT_VOICE
    tokenizer, _ = load_model(
        folder / "tokenizer.safetensors", lambda shape: SpeechTokenizer(TokenizerShape(**shape))
    )
    t3, _ = load_model(folder / "t3.safetensors", lambda shape: T3(T3Shape(**shape)))
    states, _ = load_model(
        folder / "token_states.safetensors", lambda shape: TokenStates(TokenStatesShape(**shape))
    )
    dit, metadata = load_model(base / "acoustic.safetensors", lambda shape: DiT(DiTShape(**shape)))
    vocoder, _ = load_model(base / "vocoder.safetensors", lambda shape: Vocos(VocosShape(**shape)))
    if states.shape.text_width != dit.shape.text_width:
        raise EngineError(
            f"weights {folder / 'token_states.safetensors'} make states of "
            f"{states.shape.text_width} channels, and the DiT of {base} takes "
            f"{dit.shape.text_width}; restore the files"
        )
    # its tables are no tensors of the file, so they are still without memory
    tokenizer.quantizer, states.quantizer = FiniteScalarQuantizer(), FiniteScalarQuantizer()
    return TokenVoice(
        tokenizer=tokenizer,
        t3=t3,
        states=states,
        dit=dit,
        vocoder=vocoder,
        mel_mean=parse_number(base, metadata, "mel_mean"),
        mel_std=parse_number(base, metadata, "mel_std"),
    )
