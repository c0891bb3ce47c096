"""
Reads a voice from a folder of safetensors files, strictly: every tensor must be there, with its
shape, and no other.

Each file carries its own sizes as metadata, so a voice of another size loads without a change of
code; they are believed as far as its tensors bear them out. Weights are stored in fp16 and widened
to fp32; what is computed in is decided by the passes.

Fills a model with tensors that must be exactly its own: none missing, none unknown, none of another
shape, all of them numbers.

The model is laid out without memory first. What a file claims of itself therefore costs nothing
before the tensors that it really holds bear it out.
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

from engine.acoustic.dit import DiT, DiTShape
from engine.duration.predictor import DurationModel, DurationShape
from engine.errors import EngineError
from engine.vocoder.vocos import Vocos, VocosShape

Model = TypeVar("Model", bound=nn.Module)
NAMED = 3
"""How many wrong names an error lists."""
COUNTS = ("depth", "text_blocks", "blocks", "layers")
"""
Sizes that count repeated parts, each of which has tensors of its own; all others are dimensions of
tensors.
"""
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def filled(
    path: Path, make: Callable[[], Model], tensors: Mapping[str, Tensor], layout: str
) -> Model:
    """
    Return the model with these weights in fp32, ready to be used. Raises EngineError that names
    what is wrong in `path`.
    """
    model = _laid_out(path, make)
    wanted = model.state_dict()
    missing, extra = sorted(wanted.keys() - tensors.keys()), sorted(tensors.keys() - wanted.keys())
    if missing or extra:
        wrong = [
            f"{what} tensors {_few(names)}"
            for what, names in (("missing", missing), ("unknown", extra))
            if names
        ]
        raise EngineError(f"weights {path}: {', '.join(wrong)}; not {layout}")
    for name, value in tensors.items():
        if value.shape != wanted[name].shape:
            raise EngineError(
                f"weights {path}: {name} has shape {tuple(value.shape)}, expected "
                f"{tuple(wanted[name].shape)}"
            )
    model.load_state_dict(
        {name: _numbers(path, name, value) for name, value in tensors.items()}, assign=True
    )
    return model.eval().requires_grad_(False)


def check_sizes(path: Path, sizes: Mapping[str, object], tensors: Mapping[str, Tensor]) -> None:
    """
    Raise EngineError unless sizes from a file's metadata are whole numbers that its tensors can
    bear out.
    """
    largest = max((size for value in tensors.values() for size in value.shape), default=0)
    for name, value in sizes.items():
        most = len(tensors) if name in COUNTS else largest
        if type(value) is not int or not 1 <= value <= most:
            raise EngineError(
                f"weights {path}: the sizes in the file's metadata are not usable ({name} is "
                f"{str(value)[:40]}, its tensors allow 1 to {most}); restore the file"
            )


def check_held(path: Path, name: str, value: Tensor) -> None:
    """
    Raise EngineError for a tensor that claims more numbers than the file holds for it, or is no
    plain array.
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


def _laid_out(path: Path, make: Callable[[], Model]) -> Model:
    """Build the model without memory, as shapes alone."""
    try:
        with torch.device("meta"), _Unfilled():
            return make()
    except (RuntimeError, ValueError, TypeError, ArithmeticError, AssertionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise EngineError(
            f"weights {path}: its sizes make no model ({reason}); restore the file"
        ) from None


class _Unfilled(TorchFunctionMode):
    """
    Leaves out the random numbers that layers begin with. There is nothing to fill on `meta`; and
    torch would do that by its compiler, whose import takes a second, and memory that a process has
    to answer for.
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


def _numbers(path: Path, name: str, value: Tensor) -> Tensor:
    """
    Widen to fp32, in memory of its own. Raises EngineError for what is no fraction, NaN, or beyond
    fp32.
    """
    if value.dtype not in DTYPES:
        raise EngineError(
            f"weights {path}: {name} has dtype {value.dtype}, expected one of "
            f"{_few([*map(str, DTYPES)])}"
        )
    widened = value.to(torch.float32, copy=True).contiguous()
    if not torch.isfinite(widened).all():
        raise EngineError(f"weights {path}: {name} holds NaN or infinity; restore the file")
    return widened


def _few(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


DEFAULT_VOICE = Path(__file__).parent / "arctic"
FORMAT = "voxgate-voice-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """
    The three models of a voice, fp32 on the CPU, and the mean and spread of the mel that the DiT
    was trained on.
    """

    durations: DurationModel
    dit: DiT
    vocoder: Vocos
    mel_mean: float
    mel_std: float


def load_voice(folder: Path = DEFAULT_VOICE) -> Voice:
    """
    Read `durations`, `acoustic` and `vocoder` (.safetensors) from a folder.

    Raises EngineError for a missing, unreadable or foreign file, and for a tensor that is missing,
    extra or misshapen.
    """
    durations, _ = _load(
        folder / "durations.safetensors", lambda shape: DurationModel(DurationShape(**shape))
    )
    dit, about = _load(folder / "acoustic.safetensors", lambda shape: DiT(DiTShape(**shape)))
    vocoder, _ = _load(folder / "vocoder.safetensors", lambda shape: Vocos(VocosShape(**shape)))
    return Voice(
        durations=durations,
        dit=dit,
        vocoder=vocoder,
        mel_mean=_number(folder, about, "mel_mean"),
        mel_std=_number(folder, about, "mel_std"),
    )


def save_model(path: Path, model: nn.Module, shape: Any, **about: str) -> None:
    """Write one model of a voice in fp16 with its sizes."""
    tensors = {
        name: value.detach().half().contiguous() for name, value in model.state_dict().items()
    }
    save_file(tensors, path, {"format": FORMAT, "shape": json.dumps(asdict(shape)), **about})


def _load(path: Path, make: Callable[[dict[str, Any]], Model]) -> tuple[Model, dict[str, str]]:
    tensors, about = _read(path)
    shape = _shape(path, about)
    check_sizes(path, shape, tensors)

    def build() -> Model:
        try:
            return make(shape)
        except TypeError as error:  # of a name that no model has
            raise EngineError(f"the sizes in the file's metadata are not usable: {error}") from None

    return filled(path, build, tensors, "a voice of this engine"), about


def _shape(path: Path, about: Mapping[str, str]) -> dict[str, Any]:
    try:
        shape = json.loads(about["shape"])
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


def _number(folder: Path, about: Mapping[str, str], name: str) -> float:
    """Read a number from the acoustic model's metadata. Raises EngineError for what is none."""
    try:
        value = float(about[name])
    except (KeyError, ValueError):
        value = math.nan
    if not math.isfinite(value) or (name == "mel_std" and value <= 0.0):
        path = folder / "acoustic.safetensors"
        raise EngineError(
            f"weights {path}: {name} in the file's metadata is {about.get(name)!r}, no number; "
            "restore the file"
        )
    return value


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except FileNotFoundError:
        raise EngineError(
            f"weights {path} do not exist; restore the file from the repository or name another "
            "voice"
        ) from None
    except Exception as error:  # of the reader, or of torch for a dtype that it does not know
        raise EngineError(f"weights {path} cannot be read ({error}); restore the file") from None
    if about.get("format") != FORMAT:
        raise EngineError(
            f"weights {path} have format {about.get('format')!r}, this engine reads {FORMAT!r}"
        )
    return tensors, about
