"""
Pipelines by name. A pipeline's module, and with it torch, is imported when the pipeline is asked
for, not before.

To add a pipeline: its configuration with `voxgate.engine.config.register_config`, its class as a
subclass of `voxgate.engine.pipelines.pipeline.Pipeline`, and its place here (or
`register_pipeline`, from outside).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from voxgate.engine.errors import EngineError

if TYPE_CHECKING:
    from voxgate.engine.pipelines.pipeline import Pipeline

_PLACES = {
    "flow": "voxgate.engine.pipelines.flow:FlowPipeline",
    "infill": "voxgate.engine.pipelines.infill:InfillPipeline",
    "chatterbox": "voxgate.engine.pipelines.chatterbox:ChatterboxPipeline",
    "token": "voxgate.engine.pipelines.token:TokenPipeline",
    "conversion": "voxgate.engine.pipelines.conversion:ConversionPipeline",
    "rvc": "voxgate.engine.pipelines.rvc:RvcPipeline",
}
"""Name -> `module:Class`."""
SERVED = ("flow",)
"""Pipelines that `python -m voxgate.engine serve` runs."""


def register_pipeline(name: str, place: str) -> None:
    """Register a pipeline's class as `module:Class`."""
    _PLACES[name] = place


def pipeline_names() -> tuple[str, ...]:
    """Return the names of all pipelines."""
    return tuple(_PLACES)


def pipeline_module(name: str) -> str:
    """Return the module that defines a pipeline. Raises EngineError for an unknown pipeline."""
    return _place_of(name).partition(":")[0]


def pipeline_class(name: str) -> "type[Pipeline[Any]]":
    """Import a pipeline's class. Raises EngineError for an unknown pipeline."""
    module, _, attribute = _place_of(name).partition(":")
    pipeline: type[Pipeline[Any]] = getattr(import_module(module), attribute)
    return pipeline


def _place_of(name: str) -> str:
    if name not in _PLACES:
        raise EngineError(f"unknown pipeline {name!r}; known: {', '.join(_PLACES)}")
    return _PLACES[name]
