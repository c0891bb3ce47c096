"""
Fills a model with tensors that must be exactly its own: none missing, none unknown, none of another shape, all of them numbers.

The model is laid out without memory first. What a file claims of itself therefore costs nothing before the tensors that it
really holds bear it out.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from engine.errors import EngineError

Model = TypeVar("Model", bound=nn.Module)
NAMED = 3
"""How many wrong names an error lists."""
COUNTS = ("depth", "text_blocks", "blocks", "layers")
"""Sizes that count repeated parts, each of which has tensors of its own; all others are dimensions of tensors."""
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def filled(path: Path, make: Callable[[], Model], tensors: Mapping[str, Tensor], layout: str) -> Model:
    """Return the model with these weights in fp32, ready to be used. Raises EngineError that names what is wrong in `path`."""
    model = _laid_out(path, make)
    wanted = model.state_dict()
    missing, extra = sorted(wanted.keys() - tensors.keys()), sorted(tensors.keys() - wanted.keys())
    if missing or extra:
        wrong = [f"{what} tensors {_few(names)}" for what, names in (("missing", missing), ("unknown", extra)) if names]
        raise EngineError(f"weights {path}: {', '.join(wrong)}; not {layout}")
    for name, value in tensors.items():
        if value.shape != wanted[name].shape:
            raise EngineError(f"weights {path}: {name} has shape {tuple(value.shape)}, expected {tuple(wanted[name].shape)}")
    model.load_state_dict({name: _numbers(path, name, value) for name, value in tensors.items()}, assign=True)
    return model.eval().requires_grad_(False)


def check_sizes(path: Path, sizes: Mapping[str, object], tensors: Mapping[str, Tensor]) -> None:
    """Raise EngineError unless sizes from a file's metadata are whole numbers that its tensors can bear out."""
    largest = max((size for value in tensors.values() for size in value.shape), default=0)
    for name, value in sizes.items():
        most = len(tensors) if name in COUNTS else largest
        if type(value) is not int or not 1 <= value <= most:
            raise EngineError(
                f"weights {path}: the sizes in the file's metadata are not usable ({name} is {str(value)[:40]},"
                f" its tensors allow 1 to {most}); restore the file"
            )


def check_held(path: Path, name: str, value: Tensor) -> None:
    """Raise EngineError for a tensor that claims more numbers than the file holds for it, or is no plain array."""
    plain = value.layout is torch.strided and value.device.type == "cpu" and not value.is_quantized and not value.is_nested
    if not plain or value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise EngineError(f"weights {path}: {name} is no array that the file holds in full; save it again with torch.save")


def _laid_out(path: Path, make: Callable[[], Model]) -> Model:
    """Build the model without memory, as shapes alone."""
    try:
        with torch.device("meta"), _Unfilled():
            return make()
    except (RuntimeError, ValueError, TypeError, ArithmeticError, AssertionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise EngineError(f"weights {path}: its sizes make no model ({reason}); restore the file") from None


class _Unfilled(TorchFunctionMode):
    """
    Leaves out the random numbers that layers begin with. There is nothing to fill on `meta`; and torch would do that by its
    compiler, whose import takes a second, and memory that a process has to answer for.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else named["tensor"]
        return func(*args, **named)


def _numbers(path: Path, name: str, value: Tensor) -> Tensor:
    """Widen to fp32, in memory of its own. Raises EngineError for what is no fraction, NaN, or beyond fp32."""
    if value.dtype not in DTYPES:
        raise EngineError(f"weights {path}: {name} has dtype {value.dtype}, expected one of {_few([*map(str, DTYPES)])}")
    widened = value.to(torch.float32, copy=True).contiguous()
    if not torch.isfinite(widened).all():
        raise EngineError(f"weights {path}: {name} holds NaN or infinity; restore the file")
    return widened


def _few(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
