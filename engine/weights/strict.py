"""Fills a model with tensors that must be exactly its own: none missing, none unknown, none of another shape."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from torch import Tensor, nn

from engine.errors import EngineError

Model = TypeVar("Model", bound=nn.Module)
NAMED = 3
"""How many wrong names an error lists."""


def filled(path: Path, model: Model, tensors: Mapping[str, Tensor], layout: str) -> Model:
    """Give the model with these weights in fp32, ready to be used. Raises EngineError that names what is wrong in `path`."""
    wanted = model.state_dict()
    missing, extra = sorted(wanted.keys() - tensors.keys()), sorted(tensors.keys() - wanted.keys())
    if missing or extra:
        wrong = [f"{what} tensors {_few(names)}" for what, names in (("missing", missing), ("unknown", extra)) if names]
        raise EngineError(f"weights {path}: {', '.join(wrong)}; not {layout}")
    for name, value in tensors.items():
        if value.shape != wanted[name].shape:
            raise EngineError(f"weights {path}: {name} has shape {tuple(value.shape)}, expected {tuple(wanted[name].shape)}")
    model.load_state_dict({name: value.float() for name, value in tensors.items()})
    return model.eval().requires_grad_(False)


def _few(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
