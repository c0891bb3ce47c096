"""
Load published checkpoints: F5-TTS, its vocabulary, and Vocos.

The folder has the layout of the published model, with the vocoder's folder in it as `vocos`.
Loading is strict: a missing or unknown tensor is an error that names it.

Sizes follow from the tensors' shapes.
The version of F5-TTS does not, so it is an option.
Files are safetensors, or PyTorch's own format in its restricted reader, which builds tensors and
runs no code of the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from voxgate.engine.acoustic.f5_dit import F5DiT, F5Shape
from voxgate.engine.config.infill import VERSIONS
from voxgate.engine.errors import EngineError
from voxgate.engine.layers.mel import HOP, N_FFT
from voxgate.engine.vocoder.vocos import Vocos, VocosShape
from voxgate.engine.weights.tensor_file import ENDINGS, read_tensors
from voxgate.engine.weights.voice import fill_model

VOCABULARY_BYTES = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class InfillVoice:
    """
    The two models, fp32 on the CPU, and the index of every character of the vocabulary, from 0.
    """

    dit: F5DiT
    vocoder: Vocos
    vocabulary: Mapping[str, int]


def load_infill_voice(folder: Path, *, version: int) -> InfillVoice:
    """
    Load model, vocabulary and vocoder.

    Raises: EngineError for a part that is missing, unreadable, or does not fit the others.
    """
    if not folder.is_dir():
        raise EngineError(
            f"weights {folder} is no folder; name the folder of a checkpoint (model, vocab.txt, "
            "vocos)"
        )
    dit = load_f5(_find_model(folder), version=version)
    vocoder = load_vocos(_find_model(folder / "vocos"))
    vocabulary = _read_vocabulary(folder / "vocab.txt")
    if len(vocabulary) != dit.shape.characters:
        raise EngineError(
            f"weights {folder}: vocab.txt has {len(vocabulary)} characters, the model "
            f"{dit.shape.characters}; give its own"
        )
    dit_format = (dit.shape.bands, N_FFT, HOP)
    vocoder_format = (vocoder.shape.bands, vocoder.shape.n_fft, vocoder.shape.hop)
    if vocoder_format != dit_format:
        raise EngineError(
            f"weights {folder}: the vocoder reads {_describe(vocoder_format)}, the model "
            f"makes {_describe(dit_format)}"
        )
    return InfillVoice(dit=dit, vocoder=vocoder, vocabulary=vocabulary)


def _find_model(folder: Path) -> Path:
    candidates = sorted(path for path in folder.glob("*") if path.suffix in ENDINGS)
    if len(candidates) != 1:
        names = ", ".join(path.name for path in candidates) or "none"
        raise EngineError(
            f"weights {folder} must hold one file of tensors ({', '.join(ENDINGS)}); it holds "
            f"{names}"
        )
    return candidates[0]


def _read_vocabulary(path: Path) -> dict[str, int]:
    """
    Read one character (or syllable) per line; its index is the line number, and the first is the
    space.
    """
    try:
        if path.stat().st_size > VOCABULARY_BYTES:
            raise EngineError(
                f"weights {path}: larger than {VOCABULARY_BYTES} bytes, which no vocabulary is; "
                "give the checkpoint's"
            )
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(
            f"weights {path} cannot be read ({error}); the checkpoint's vocab.txt belongs there"
        ) from None
    entries = lines[:-1] if lines[-1] == "" else lines
    vocabulary = {entry: number for number, entry in enumerate(entries)}
    if vocabulary.get(" ") != 0 or len(vocabulary) != len(entries):
        raise EngineError(
            f"weights {path}: the first line must be a space, and no line may occur twice"
        )
    return vocabulary


def _describe(sizes: tuple[int, int, int]) -> str:
    return "{} bands of {} samples every {}".format(*sizes)


EMA = "ema_model."
TRANSFORMER = "transformer."
BOOKKEEPING = ("initted", "step")
"""Counters of the moving average in training."""
MEL_BUFFERS = ("mel_spec.mel_stft.mel_scale.fb", "mel_spec.mel_stft.spectrogram.window")
ROTARY = "rotary_embed.inv_freq"
"""A formula (`voxgate.engine.layers.attention.rope_tables`), stored as a buffer."""
VOCOS_BUFFERS = (
    "head.istft.window",
    "feature_extractor.mel_spec.spectrogram.window",
    "feature_extractor.mel_spec.mel_scale.fb",
)


def load_f5(path: Path, *, version: int) -> F5DiT:
    """
    Load an F5-TTS model, fp32 on the CPU.

    Raises: EngineError for an unreadable file, an unknown version, and tensors that are missing,
    unknown or misshapen.
    """
    if version not in VERSIONS:
        raise EngineError(
            f"there is no version {version!r} of F5-TTS; versions are "
            f"{', '.join(map(str, VERSIONS))}"
        )
    tensors = _strip_wrappers(path, read_tensors(path, unwrap=_averaged))
    shape = _f5_shape(path, tensors, version)
    return fill_model(
        path, lambda: F5DiT(shape), tensors, f"a checkpoint of F5-TTS version {version}"
    )


def load_vocos(path: Path) -> Vocos:
    """
    Load a Vocos model of log-mel features, fp32 on the CPU.

    Raises: EngineError as `load_f5` does.
    """
    tensors = {
        name: value
        for name, value in read_tensors(path, unwrap=_averaged).items()
        if name not in VOCOS_BUFFERS
    }
    shape = _vocos_shape(path, tensors)
    return fill_model(path, lambda: Vocos(shape), tensors, "a checkpoint of Vocos")


def _averaged(content: Mapping[object, object]) -> object:
    """Return the moving average of a training checkpoint, or the tensors themselves."""
    return content.get("ema_model_state_dict", content)


def _strip_wrappers(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """
    Remove everything around the transformer: the moving average, its counters, the mel's buffers.
    """
    bare = {name.removeprefix(EMA): value for name, value in tensors.items()}
    stripped = {
        name: value for name, value in bare.items() if name not in (*BOOKKEEPING, *MEL_BUFFERS)
    }
    foreign = sorted(name for name in stripped if not name.startswith(TRANSFORMER))
    if foreign:
        raise EngineError(
            f"weights {path}: unknown tensors {', '.join(foreign[:3])}; not a checkpoint of F5-TTS"
        )
    named = {name.removeprefix(TRANSFORMER): value for name, value in stripped.items()}
    return {name: value for name, value in named.items() if name != ROTARY}


def _f5_shape(path: Path, tensors: Mapping[str, Tensor], version: int) -> F5Shape:
    try:
        embed, project = tensors["text_embed.text_embed.weight"], tensors["proj_out.weight"]
        widened = tensors.get("text_embed.text_blocks.0.pwconv1.weight")
        return F5Shape(
            characters=embed.shape[0] - 1,
            version=version,
            bands=project.shape[0],
            width=project.shape[1],
            depth=_count(tensors, "transformer_blocks."),
            hidden=tensors["transformer_blocks.0.ff.ff.2.weight"].shape[1],
            text_width=embed.shape[1],
            text_blocks=_count(tensors, "text_embed.text_blocks."),
            text_hidden=0 if widened is None else widened.shape[0],
        )
    except KeyError as error:
        raise EngineError(
            f"weights {path}: missing tensors {error.args[0]}; not a checkpoint of F5-TTS"
        ) from None
    except IndexError:
        raise EngineError(
            f"weights {path}: a tensor has too few dimensions; not a checkpoint of F5-TTS"
        ) from None


def _vocos_shape(path: Path, tensors: Mapping[str, Tensor]) -> VocosShape:
    try:
        embed, out = tensors["backbone.embed.weight"], tensors["head.out.weight"]
        n_fft = out.shape[0] - 2
        return VocosShape(
            bands=embed.shape[1],
            width=embed.shape[0],
            hidden=tensors["backbone.convnext.0.pwconv1.weight"].shape[0],
            blocks=_count(tensors, "backbone.convnext."),
            n_fft=n_fft,
            hop=n_fft // 4,
        )
    except KeyError as error:
        raise EngineError(
            f"weights {path}: missing tensors {error.args[0]}; not a checkpoint of Vocos"
        ) from None
    except IndexError:
        raise EngineError(
            f"weights {path}: a tensor has too few dimensions; not a checkpoint of Vocos"
        ) from None


def _count(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """Count the numbered modules whose names begin with `prefix`."""
    return len(
        {name[len(prefix) :].partition(".")[0] for name in tensors if name.startswith(prefix)}
    )
