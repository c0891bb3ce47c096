"""
Load a voice from a folder of safetensors files, strictly.

Every tensor of the model must be present with its shape, and no other.
Each file carries its model's hyperparameters as metadata, so a voice of another size loads without
a change of code.
They are checked against the tensors before anything is allocated.
Weights are stored in fp16 and widened to fp32; the passes decide the dtype of the computation.

`fill_model` first builds a model on the meta device, without memory.
A file's declarations therefore cost nothing until its tensors confirm them.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from voxgate.engine.acoustic.dit import DiT, DiTShape
from voxgate.engine.config.choices import Language
from voxgate.engine.duration.predictor import DurationModel, DurationShape
from voxgate.engine.errors import EngineError
from voxgate.engine.vocoder.vocos import Vocos, VocosShape

Model = TypeVar("Model", bound=nn.Module)
MAX_NAMES = 3
"""Number of wrong names that an error lists."""
COUNTS = ("depth", "text_blocks", "blocks", "layers")
"""
Hyperparameters that count repeated parts, each with its own tensors; all others are dimensions of
tensors.
"""
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def fill_model(
    path: Path, make: Callable[[], Model], tensors: Mapping[str, Tensor], layout: str
) -> Model:
    """
    Return the model with these weights in fp32, in evaluation mode.

    Args:
        path: the file, for error messages.
        make: constructs the model.
        tensors: by name, exactly the model's.
        layout: the format that was expected, for error messages.

    Raises: EngineError for a tensor that is missing, unknown, misshapen, or not finite.
    """
    model = build_empty(path, make)
    expected = model.state_dict()
    missing, extra = (
        sorted(expected.keys() - tensors.keys()),
        sorted(tensors.keys() - expected.keys()),
    )
    if missing or extra:
        wrong = [
            f"{problem} tensors {_shortened(names)}"
            for problem, names in (("missing", missing), ("unknown", extra))
            if names
        ]
        raise EngineError(f"weights {path}: {', '.join(wrong)}; not {layout}")
    for name, value in tensors.items():
        if value.shape != expected[name].shape:
            raise EngineError(
                f"weights {path}: {name} has shape {tuple(value.shape)}, expected "
                f"{tuple(expected[name].shape)}"
            )
    model.load_state_dict(
        {name: _as_fp32(path, name, value) for name, value in tensors.items()}, assign=True
    )
    return model.eval().requires_grad_(False)


def check_sizes(path: Path, sizes: Mapping[str, object], tensors: Mapping[str, Tensor]) -> None:
    """
    Check hyperparameters from a file's metadata.

    Raises: EngineError unless they are whole numbers that the tensors confirm.
    """
    largest = max((max(value.shape, default=0) for value in tensors.values()), default=0)
    for name, value in sizes.items():
        limit = len(tensors) if name in COUNTS else largest
        if type(value) is not int or not 1 <= value <= limit:
            raise EngineError(
                f"weights {path}: the sizes in the file's metadata are not usable ({name} is "
                f"{str(value)[:40]}, its tensors allow 1 to {limit}); restore the file"
            )


def check_stored(path: Path, name: str, value: Tensor) -> None:
    """
    Check that the file holds the whole tensor as a plain array.

    Raises: EngineError for a tensor that declares more elements than are stored.
    """
    plain = (
        value.layout is torch.strided
        and value.device.type == "cpu"
        and not value.is_quantized
        and not value.is_nested
    )
    if not plain or value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise EngineError(
            f"weights {path}: {name} is no array that the file holds in full; save it again with "
            "torch.save"
        )


def build_empty(path: Path, make: Callable[[], Model]) -> Model:
    """Build the model on the meta device: shapes without memory."""
    try:
        with torch.device("meta"), _SkipInitialisation():
            return make()
    except (RuntimeError, ValueError, TypeError, ArithmeticError, AssertionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise EngineError(
            f"weights {path}: its sizes make no model ({reason}); restore the file"
        ) from None


class _SkipInitialisation(TorchFunctionMode):
    """
    Skips the random initialisation of layers.

    A tensor on `meta` has no data to initialise, and torch would do it through its compiler.
    Importing that takes a second, and memory that would count as the process's own.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else named["tensor"]
        return func(*args, **named)


def _as_fp32(path: Path, name: str, value: Tensor) -> Tensor:
    """
    Convert to fp32 in memory of its own.

    Raises: EngineError for other than floating-point numbers, NaN, and values beyond fp32.
    """
    if value.dtype not in DTYPES:
        raise EngineError(
            f"weights {path}: {name} has dtype {value.dtype}, expected one of "
            f"{_shortened([*map(str, DTYPES)])}"
        )
    widened = value.to(torch.float32, copy=True).contiguous()
    if not torch.isfinite(widened).all():
        raise EngineError(f"weights {path}: {name} holds NaN or infinity; restore the file")
    return widened


def _shortened(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more


DEFAULT_VOICE = Path(__file__).parent / "arctic"
VOICES = {Language.EN: DEFAULT_VOICE, Language.ES: DEFAULT_VOICE.parent / "pico-es"}
"""The embedded voice of each language."""
FORMAT = "voxgate-voice-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """
    The three models of a voice, fp32 on the CPU, and the mean and deviation of the DiT's training
    mel.
    """

    durations: DurationModel
    dit: DiT
    vocoder: Vocos
    mel_mean: float
    mel_std: float
    language: Language = Language.EN


def load_voice(folder: Path | None = None, language: Language = Language.EN) -> Voice:
    """
    Load `durations`, `acoustic` and `vocoder` (.safetensors) from a folder. Without one, load the
    embedded voice of the language. A voice of another language may share the English vocoder.

    Raises: EngineError for a missing, unreadable or foreign file, for a tensor that is missing,
    extra or misshapen, and for a voice of another language.
    """
    folder = folder or VOICES[language]
    durations, _ = load_model(
        folder / "durations.safetensors", lambda shape: DurationModel(DurationShape(**shape))
    )
    dit, metadata = load_model(
        folder / "acoustic.safetensors", lambda shape: DiT(DiTShape(**shape))
    )
    vocoder, _ = load_model(_vocoder_of(folder, language), lambda shape: Vocos(VocosShape(**shape)))
    for file, sizes in (("durations", durations.shape), ("acoustic", dit.shape)):
        _check_language(folder / f"{file}.safetensors", sizes, language)
    return Voice(
        language=language,
        durations=durations,
        dit=dit,
        vocoder=vocoder,
        mel_mean=parse_number(folder, metadata, "mel_mean"),
        mel_std=parse_number(folder, metadata, "mel_std"),
    )


def _vocoder_of(folder: Path, language: Language) -> Path:
    """Return the file of a voice's vocoder: its own, or in another language the English one."""
    own = folder / "vocoder.safetensors"
    shared = language is not Language.EN and not own.exists()
    return DEFAULT_VOICE / own.name if shared else own


def _check_language(path: Path, shape: DurationShape | DiTShape, language: Language) -> None:
    """Raise EngineError for a model that cannot know the phones and speakers of a language."""
    phones, speakers = len(language.phones), language.conditions
    if (shape.phones, shape.speakers) != (phones, speakers):
        raise EngineError(
            f"weights {path} know {shape.phones} phones and {shape.speakers} speakers, and "
            f"language={language} has {phones} and {speakers}; set the voice's own language, or "
            "name another voice"
        )


def save_model(path: Path, model: nn.Module, shape: Any, **about: str) -> None:
    """Write one model of a voice in fp16 with its hyperparameters."""
    tensors = {
        name: value.detach().half().contiguous() for name, value in model.state_dict().items()
    }
    save_file(tensors, path, {"format": FORMAT, "shape": json.dumps(asdict(shape)), **about})


def load_model(path: Path, make: Callable[[dict[str, Any]], Model]) -> tuple[Model, dict[str, str]]:
    """
    Load one model of a voice, and its file's metadata; `make` constructs it from its sizes.

    Raises: EngineError as `load_voice`.
    """
    tensors, metadata = _read(path)
    shape = _parse_shape(path, metadata)
    check_sizes(path, shape, tensors)

    def build() -> Model:
        try:
            return make(shape)
        except TypeError as error:  # for a name that no model has
            raise EngineError(f"the sizes in the file's metadata are not usable: {error}") from None

    return fill_model(path, build, tensors, "a voice of this engine"), metadata


def _parse_shape(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    try:
        shape = json.loads(metadata["shape"])
    except (KeyError, ValueError, RecursionError) as error:
        raise EngineError(
            f"weights {path}: the sizes in the file's metadata are not usable ({error}); restore "
            "the file"
        ) from None
    if not isinstance(shape, dict):
        raise EngineError(
            f"weights {path}: the sizes in the file's metadata are not usable (no object); restore "
            "the file"
        )
    return shape


def parse_number(
    folder: Path, metadata: Mapping[str, str], name: str, file: str = "acoustic.safetensors"
) -> float:
    """
    Read a number from the metadata of a model's file.

    Raises: EngineError for other than a finite number.
    """
    try:
        value = float(metadata[name])
    except (KeyError, ValueError):
        value = math.nan
    if not math.isfinite(value) or (name == "mel_std" and value <= 0.0):
        path = folder / file
        raise EngineError(
            f"weights {path}: {name} in the file's metadata is {metadata.get(name)!r}, no number; "
            "restore the file"
        )
    return value


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except FileNotFoundError:
        raise EngineError(
            f"weights {path} do not exist; restore the file from the repository or name another "
            "voice"
        ) from None
    except Exception as error:  # of the reader, or of torch for an unknown dtype
        raise EngineError(f"weights {path} cannot be read ({error}); restore the file") from None
    if metadata.get("format") != FORMAT:
        raise EngineError(
            f"weights {path} have format {metadata.get('format')!r}, this engine reads {FORMAT!r}"
        )
    return tensors, metadata
