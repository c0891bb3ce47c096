"""From text to audio: the pipelines, found by name."""

from voxgate.engine.pipelines.registry import (
    SERVED,
    pipeline_class,
    pipeline_module,
    pipeline_names,
    register_pipeline,
)

__all__ = ["SERVED", "pipeline_class", "pipeline_module", "pipeline_names", "register_pipeline"]
