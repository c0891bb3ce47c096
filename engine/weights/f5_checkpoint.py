"""
Finds the parts of a published voice in a folder: the F5-TTS model, its vocabulary, and the vocoder.

The folder is laid out as the model's own is, with the vocoder's folder in it under the name `vocos`. The files themselves
are read by `published.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.acoustic.f5_dit import F5DiT
from engine.errors import EngineError
from engine.layers.mel import HOP, N_FFT
from engine.vocoder.vocos import Vocos
from engine.weights.published import load_f5, load_vocos

VOCABULARY_BYTES = 2**20
ENDINGS = (".safetensors", ".pt", ".bin")


@dataclass(frozen=True, slots=True, kw_only=True)
class InfillVoice:
    """The two models, fp32 on the CPU, and the number of every character that the first was trained on, from 0."""

    dit: F5DiT
    vocoder: Vocos
    vocabulary: Mapping[str, int]


def load_infill_voice(folder: Path, *, version: int) -> InfillVoice:
    """Read all parts. Raises EngineError for one that is absent, unreadable, or does not fit the others."""
    if not folder.is_dir():
        raise EngineError(f"weights {folder} is no folder; name the folder of a checkpoint (model, vocab.txt, vocos)")
    dit = load_f5(_only_model(folder), version=version)
    vocoder = load_vocos(_only_model(folder / "vocos"))
    vocabulary = _vocabulary(folder / "vocab.txt")
    if len(vocabulary) != dit.shape.characters:
        raise EngineError(
            f"weights {folder}: vocab.txt has {len(vocabulary)} characters, the model {dit.shape.characters}; give its own"
        )
    wanted = (dit.shape.bands, N_FFT, HOP)
    found = (vocoder.shape.bands, vocoder.shape.n_fft, vocoder.shape.hop)
    if found != wanted:
        raise EngineError(f"weights {folder}: the vocoder reads {_words(found)}, the model makes {_words(wanted)}")
    return InfillVoice(dit=dit, vocoder=vocoder, vocabulary=vocabulary)


def _only_model(folder: Path) -> Path:
    found = sorted(path for path in folder.glob("*") if path.suffix in ENDINGS)
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise EngineError(f"weights {folder} must hold one file of tensors ({', '.join(ENDINGS)}); it holds {names}")
    return found[0]


def _vocabulary(path: Path) -> dict[str, int]:
    """Read one character (or syllable) per line; the line's number counts, and the first is the space."""
    try:
        if path.stat().st_size > VOCABULARY_BYTES:
            raise EngineError(
                f"weights {path}: larger than {VOCABULARY_BYTES} bytes, which no vocabulary is; give the checkpoint's"
            )
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(f"weights {path} cannot be read ({error}); the checkpoint's vocab.txt belongs there") from None
    entries = lines[:-1] if lines[-1] == "" else lines
    vocabulary = {entry: number for number, entry in enumerate(entries)}
    if vocabulary.get(" ") != 0 or len(vocabulary) != len(entries):
        raise EngineError(f"weights {path}: the first line must be a space, and no line may occur twice")
    return vocabulary


def _words(sizes: tuple[int, int, int]) -> str:
    return "{} bands of {} samples every {}".format(*sizes)
