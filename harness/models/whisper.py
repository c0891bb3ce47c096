"""
The recogniser: openai-whisper, greedy, in batches; audio in, text out.

Runs torch, and only when called. Decodes the same audio to the same text on every machine as nearly
as floating point allows (fp32, temperature 0, no time stamps, the language given and not guessed).
It does not know the reference text.

Whisper's encoder works on 30 s, most of which is padding here. Padding always encodes to nearly the
same features, so for English only the audio's own part is encoded, and the rest is filled in from
silence encoded once (see `features`). In other languages that costs words, and the whole window is
encoded.
"""

import functools
import importlib.metadata
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from voxgate.harness.errors import HarnessError
from voxgate.harness.models.whisper_tensors import (
    Tensors,
    check_dimensions,
    dimensions,
    fingerprint,
    read_tensors,
    size_name,
)
from voxgate.harness.records.cell import ENGLISH

if TYPE_CHECKING:
    import torch

Audio = NDArray[np.float32]

RATE_HZ = 16_000
WINDOW_S = 30  # the window that Whisper was trained on
WINDOW_STEP_S = 5  # windows are multiples of it, so that utterances of similar length share a batch
MARGIN_S = 1.0  # silence encoded together with the end of the audio
POSITIONS_PER_S = 50
# log-mel maximum of ordinary speech at a peak of about 0.5; every audio is shifted to it
LOUDEST_MEL = 1.5
# openai-whisper clamps 8 decades below the maximum and divides by 4: the padding's value is maximum
# - 2
MEL_RANGE = 2.0
# bounds memory: about 18 MB of cross-attention keys and values per utterance (base: 37 MB)
BATCH = 16
# fast English has 5 tokens per second; more is a loop, which would hold up its batch
TOKENS_PER_S, TOKENS_SPARE = 10, 20
# where the vocabulary has few words of a language, letters cost tokens: Hindi has 24 per second
MOST_TOKENS_PER_S = 30
FEW_TOKENS = frozenset("en es de fr it pt nl ca gl ro pl cs sv da no fi id ms tr ru uk".split())
"""Languages in which a second of speech has at most twice the tokens of English."""
NUMERALS = re.compile(r"[0-9%$£€]")
"""What no transcript holds in which numbers are words."""
QUIET_S = 0.2  # a long recording is split in the quietest stretch of this length
SEARCH_S = 10.0  # that stretch lies in the last 10 s of a window
MOST_TOKENS = 224  # half of the decoder's context, openai-whisper's default
DECODING = "greedy fp32, encoded silence tail, r2"
WHOLE = "greedy fp32, whole windows, r2"
"""Outside English."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhisperRecognizer:
    """
    A loaded Whisper; `name` identifies weights and package, and is part of the metric's
    version.
    """

    name: str
    model: Any
    positions: "torch.Tensor"  # [1500, width], all of the encoder's positional embeddings
    silence: "torch.Tensor"  # [1, 1500, width], an encoded window without speech

    def name_in(self, language: str) -> str:
        """Return the name with the decoding of a language."""
        return f"{self.name}, {decoding(language)}"

    def knows(self, language: str) -> bool:
        """Return whether the model was trained on a language, an ISO 639 code."""
        from whisper.tokenizer import LANGUAGES

        recognizable = (
            list(LANGUAGES)[: self.model.num_languages] if self.model.is_multilingual else [ENGLISH]
        )
        return language in recognizable

    def transcribe(
        self, batch: Sequence[Audio], language: str = ENGLISH, *, digits: bool = True
    ) -> list[str]:
        """
        Transcribe audio (mono, 16 kHz, shape [n], any length); unusable audio yields an
        empty text. Without `digits`, the tokens of NUMERALS are forbidden.
        """
        pieces = [
            (index, piece) for index, audio in enumerate(batch) for piece in split_long(audio)
        ]
        texts: list[list[str]] = [[] for _ in batch]
        for (index, _), text in zip(
            pieces, self._decode_all([piece for _, piece in pieces], language, digits), strict=True
        ):
            texts[index].append(text)
        return [" ".join(filter(None, parts)) for parts in texts]

    def _decode_all(self, pieces: Sequence[Audio], language: str, digits: bool) -> list[str]:
        """
        Decode pieces of at most 30 s, grouped by window.

        So a text depends on its own audio and not on its neighbours.
        """
        texts = [""] * len(pieces)
        windows = {
            i: window_s(len(piece) / RATE_HZ) for i, piece in enumerate(pieces) if piece.any()
        }
        for seconds in sorted(set(windows.values())):
            members = sorted(
                (i for i, window in windows.items() if window == seconds),
                key=lambda i: len(pieces[i]),
            )
            for start in range(0, len(members), BATCH):
                chosen = members[start : start + BATCH]
                decoded = self._decode([pieces[i] for i in chosen], seconds, language, digits)
                for index, text in zip(chosen, decoded, strict=True):
                    texts[index] = text
        return texts

    def _decode(
        self, pieces: Sequence[Audio], seconds: int, language: str, digits: bool
    ) -> list[str]:
        import torch
        import whisper

        encoded_s = seconds if language == ENGLISH else WINDOW_S
        options = whisper.DecodingOptions(
            language=language,
            temperature=0.0,
            without_timestamps=True,
            fp16=False,
            sample_len=most_tokens(seconds, language),
            suppress_tokens="-1" if digits else [-1, *numeral_tokens(self.model)],
        )
        with torch.inference_mode():
            return [
                result.text
                for result in whisper.decode(self.model, self.features(pieces, encoded_s), options)
            ]

    def features(self, pieces: Sequence[Audio], seconds: int) -> "torch.Tensor":
        """
        Return the encoder output [batch, 1500, width]: `seconds` of it from the audio, the
        rest from silence.

        A shorter window alone makes Whisper repeat itself (WER 959 % where 30 s gives 2.7
        %): the decoder stops when it attends to the padding, and above all to its end. With
        the tail restored the WER of English is the standard one within noise, for the
        multilingual base too: 40 sentences of flite 3.2 % against 2.6 % (11 and 9 words of
        343) in a quarter of the time.
        """
        import torch

        bands = self.model.dims.n_mels
        mels = torch.stack([_log_mel(piece, seconds, bands) for piece in pieces])
        positions = seconds * POSITIONS_PER_S
        features = _encode(self.model.encoder, mels, self.positions[:positions])
        return torch.cat([features, self.silence[:, positions:].expand(len(pieces), -1, -1)], dim=1)


def load_recognizer(path: Path, *more: Path) -> WhisperRecognizer:
    """
    Load a recogniser from a weights file (.safetensors, CTranslate2 .bin in one or `more`
    parts, openai .pt).

    Raises HarnessError if it is not Whisper.
    """
    import torch
    from whisper.model import ModelDimensions, Whisper

    tensors = _read_checkpoint(path) if path.suffix == ".pt" else read_tensors(path, *more)
    check_dimensions(tensors)
    model = Whisper(ModelDimensions(**dimensions(tensors)))
    try:
        model.load_state_dict(
            {name: torch.from_numpy(np.array(array)) for name, array in tensors.items()}
        )
    except RuntimeError as error:
        raise HarnessError(
            f"ASR weights {path} do not fit Whisper: {error}; use an openai-whisper state dict"
        ) from error
    model.eval().requires_grad_(False)
    positions = model.encoder.positional_embedding
    with torch.inference_mode():
        quiet = torch.full((1, model.dims.n_mels, len(positions) * 2), LOUDEST_MEL - MEL_RANGE)
        silence = _encode(model.encoder, quiet, positions)
    return WhisperRecognizer(
        name=recognizer_name(tensors), model=model, positions=positions, silence=silence
    )


def recognizer_name(tensors: Tensors) -> str:
    """
    Return a name such as "openai-whisper tiny.en 20250625 (weights 43791f56)".

    The same weights have the same name in any file.
    """
    package = importlib.metadata.version("openai-whisper")
    return f"openai-whisper {size_name(tensors)} {package} (weights {fingerprint(tensors)})"


def decoding(language: str) -> str:
    """Return how a language is decoded; part of the version of what rests on it."""
    return DECODING if language == ENGLISH else WHOLE


@functools.cache
def numeral_tokens(model: Any) -> tuple[int, ...]:
    """Return the tokens that hold a character of NUMERALS."""
    from whisper.tokenizer import get_tokenizer

    tokens = get_tokenizer(model.is_multilingual, num_languages=model.num_languages)
    return tuple(n for n in range(tokens.eot) if NUMERALS.search(tokens.decode([n])))


def most_tokens(seconds: int, language: str) -> int:
    """
    Return the number of tokens to stop at in a window: a bound on loops, by the length of the
    audio.
    """
    rate = TOKENS_PER_S if language in FEW_TOKENS else MOST_TOKENS_PER_S
    return min(MOST_TOKENS, TOKENS_SPARE + rate * seconds)


def split_long(audio: Audio) -> list[Audio]:
    """
    Split audio into pieces that fit a window with its margin.

    Each cut lies in the quietest 0.2 s of the window's last 10 s.
    """
    longest = int((WINDOW_S - MARGIN_S) * RATE_HZ)
    pieces = []
    while len(audio) > longest:
        cut = _quiet_point(audio[:longest])
        pieces.append(audio[:cut])
        audio = audio[cut:]
    return [*pieces, audio]


def window_s(duration_s: float) -> int:
    """
    Return the seconds to encode: the audio and its margin, rounded up to a multiple of
    WINDOW_STEP_S.

    >>> window_s(3.2), window_s(29.5)
    (5, 30)
    """
    return min(WINDOW_S, math.ceil((duration_s + MARGIN_S) / WINDOW_STEP_S) * WINDOW_STEP_S)


def _quiet_point(audio: Audio) -> int:
    """Return the index in the middle of the quietest QUIET_S within the last SEARCH_S."""
    width = int(QUIET_S * RATE_HZ)
    start = len(audio) - int(SEARCH_S * RATE_HZ)
    energy = np.cumsum(audio[start:].astype(np.float64) ** 2)
    return start + int(np.argmin(energy[width:] - energy[:-width])) + 1 + width // 2


def _log_mel(audio: Audio, seconds: int, bands: int) -> "torch.Tensor":
    """
    Compute the log-mel [mels, 100 * seconds] of the audio and silence after it.

    Shifted so that level plays no part in the text.
    """
    import torch
    import whisper

    padded = np.pad(audio.astype(np.float32), (0, seconds * RATE_HZ - len(audio)))
    mel: torch.Tensor = whisper.log_mel_spectrogram(torch.from_numpy(padded), bands)
    return mel - mel.max() + LOUDEST_MEL


def _encode(encoder: Any, mels: "torch.Tensor", positions: "torch.Tensor") -> "torch.Tensor":
    """
    Run the encoder on windows shorter than 30 s.

    Its forward insists on mels as long as its positions, so they are replaced.
    """
    whole = encoder.positional_embedding
    encoder.positional_embedding = positions
    try:
        features: torch.Tensor = encoder(mels)
    finally:
        encoder.positional_embedding = whole
    return features


def _read_checkpoint(path: Path) -> Tensors:
    """
    Read openai-whisper's own file.

    It is a pickle, read by torch's restricted reader, which builds tensors and nothing else.
    """
    import pickle

    import torch

    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        return {
            name: tensor.float().numpy() for name, tensor in checkpoint["model_state_dict"].items()
        }
    except (
        *(pickle.UnpicklingError, RuntimeError, KeyError, AttributeError, TypeError),
        *(ValueError, EOFError, OSError),
    ) as error:
        raise HarnessError(
            f"ASR weights {path} are not an openai-whisper file: {error}; give tiny.en.pt or a "
            "safetensors file"
        ) from error
