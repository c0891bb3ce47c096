"""
The configurations: every option with its range, checked before a model is loaded. A file per
pipeline, one way in.
"""

from engine.config.flow import (
    EPSS_STEPS,
    MAX_BATCH,
    MAX_WORKERS,
    OPTIONS,
    Adaptive,
    Compile,
    FlowConfig,
    Grid,
    Precision,
    Quantization,
    Runtime,
    Solver,
    Stages,
    parse_options,
    parse_words,
    typed,
)
from engine.config.infill import (
    INFILL_OPTIONS,
    SHARED,
    VERSIONS,
    InfillConfig,
    as_flow,
    parse_infill_options,
    parse_infill_words,
)

__all__ = [
    "EPSS_STEPS",
    "INFILL_OPTIONS",
    "MAX_BATCH",
    "MAX_WORKERS",
    "OPTIONS",
    "SHARED",
    "VERSIONS",
    "Adaptive",
    "Compile",
    "FlowConfig",
    "Grid",
    "InfillConfig",
    "Precision",
    "Quantization",
    "Runtime",
    "Solver",
    "Stages",
    "as_flow",
    "parse_infill_options",
    "parse_infill_words",
    "parse_options",
    "parse_words",
    "typed",
]
