"""
A second recogniser: faster-whisper (CTranslate2's runtime) on the same weights (extra `faster`).

Its features, tokenizer and arithmetic are its own, so it is an independent check of the first one.
It decodes as `whisper.py` does: greedy, fp32 on one thread, no fallback temperatures, no text
dropped by its probability, no time stamps. Every file is decoded in a whole 30 s window.

Measured with tiny.en on 124 utterances of flite and the embedded voice (1,056 words): 114
transcripts are the same, WER 3.3 % against 2.8 %, difference +0.5 points [-0.6 +1.6];
openai-whisper in whole windows differs from itself as much (116 the same). In spite of its name it
costs more: 0.72 s of CPU per utterance of 3.3 s, where the first one, in batches and on the audio's
own part of the window, takes 0.20 s.
"""

import functools
import importlib.metadata
import importlib.util
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voxgate.harness.errors import HarnessError
from voxgate.harness.models.whisper import (
    NUMERALS,
    RATE_HZ,
    Audio,
    most_tokens,
    split_long,
    window_s,
)
from voxgate.harness.models.whisper_tensors import fingerprint, read_tensors, size_name
from voxgate.harness.records.cell import ENGLISH
from voxgate.harness.records.files import files_sha256
from voxgate.harness.records.measurement import Missing, not_installed

PEAK = 0.5  # every audio is scaled to it, so that level plays no part in the text
DECODING = "greedy fp32, whole windows, r2"
BESIDE = (".json", ".txt")  # configuration, vocabulary and tokenizer files
TOKENIZER = "tokenizer.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FasterWhisperRecognizer:
    """A loaded faster-whisper model; `name` identifies weights, packages and decoding."""

    name: str
    model: Any

    def knows(self, language: str) -> bool:
        """Return whether the model was trained on a language, an ISO 639 code."""
        has_token = self.model.hf_tokenizer.token_to_id(f"<|{language}|>") is not None
        return has_token and language in self.model.supported_languages

    def name_in(self, language: str) -> str:
        """Return the name with the decoding, which is that of every language."""
        return self.name

    def transcribe(
        self, batch: Sequence[Audio], language: str = ENGLISH, *, digits: bool = True
    ) -> list[str]:
        """
        Transcribe audio (mono, 16 kHz, shape [n], any length); unusable audio yields an
        empty text. Without `digits`, the tokens of NUMERALS are forbidden.
        """
        forbidden = [] if digits else numeral_tokens(self.model)
        return [
            " ".join(
                filter(
                    None, (self._text(piece, language, forbidden) for piece in split_long(audio))
                )
            )
            for audio in batch
        ]

    def _text(self, piece: Audio, language: str, forbidden: Sequence[int]) -> str:
        if not piece.any():
            return ""
        segments, _ = self.model.transcribe(
            piece * np.float32(PEAK / np.abs(piece).max()),
            language=language,
            beam_size=1,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
            max_new_tokens=most_tokens(window_s(len(piece) / RATE_HZ), language),
            no_speech_threshold=None,
            log_prob_threshold=None,
            compression_ratio_threshold=None,
            suppress_tokens=[-1, *forbidden],
        )
        return " ".join(segment.text.strip() for segment in segments)


def load_recognizer(path: Path, *more: Path) -> FasterWhisperRecognizer | Missing:
    """
    Load a recogniser from a CTranslate2 file, in one or `more` parts, with the files beside it.

    Missing names the package or file that lacks.
    """
    if importlib.util.find_spec("faster_whisper") is None:
        return not_installed("faster-whisper")
    if path.suffix in (".pt", ".safetensors"):
        return Missing(
            f"faster-whisper reads CTranslate2 files and not {path.name}; leave the weights to "
            "voxgate"
        )
    files = _files(path, *more)
    if TOKENIZER not in files:
        return Missing(
            f"there is no {TOKENIZER} beside {path.name}, and faster-whisper would download one"
        )
    import faster_whisper
    from tqdm import tqdm

    # its own lock is shared among processes, and one that is killed would leave it behind
    tqdm.set_lock(threading.RLock())
    name = f"faster-whisper {_identity(path, *more)}, {decoding()}"
    try:
        model = faster_whisper.WhisperModel(
            name, device="cpu", compute_type="float32", cpu_threads=1, files=files
        )
    except (RuntimeError, ValueError) as error:
        raise HarnessError(
            f"ASR weights {path} are not read by faster-whisper: {error}; convert the model again"
        ) from error
    return FasterWhisperRecognizer(name=name, model=model)


@functools.cache
def numeral_tokens(model: Any) -> tuple[int, ...]:
    """Return the tokens that hold a character of NUMERALS."""
    tokens = model.hf_tokenizer
    return tuple(
        n
        for n in range(tokens.get_vocab_size(with_added_tokens=False))
        if NUMERALS.search(tokens.decode([n]))
    )


def _identity(*parts: Path) -> str:
    """Return size and fingerprint of a model; the digest of its bytes where it is quantised."""
    try:
        tensors = read_tensors(*parts)
    except HarnessError:
        return f"own (weights {files_sha256(*parts)[:8]})"
    return f"{size_name(tensors)} (weights {fingerprint(tensors)})"


def decoding() -> str:
    """Return the decoding options and the versions of the packages that decode."""
    versions = [f"{package} {_installed(package)}" for package in ("faster-whisper", "ctranslate2")]
    return ", ".join([*versions, DECODING])


def _files(*parts: Path) -> dict[str, bytes]:
    """
    Return file contents by name, as CTranslate2 loads a model from memory.

    The parts are joined as model.bin, beside all that lies in their folder.
    """
    beside = {
        path.name: path.read_bytes()
        for part in parts
        for path in part.parent.iterdir()
        if path.suffix in BESIDE
    }
    return {**beside, "model.bin": b"".join(part.read_bytes() for part in parts)}


def _installed(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
