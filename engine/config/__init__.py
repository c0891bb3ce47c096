"""
The configurations of the pipelines: each option is one line, checked before a model is loaded. A
file per pipeline.
"""

from voxgate.engine.config.chatterbox import ChatterboxConfig, ModelVariant, Switch
from voxgate.engine.config.choices import (
    EPSS_STEPS,
    MAX_BATCH,
    MAX_WORKERS,
    Adaptive,
    BatchBy,
    Compile,
    Grid,
    KVCacheKind,
    Precision,
    Quantization,
    Runtime,
    Solver,
    Stages,
    Watermark,
)
from voxgate.engine.config.conversion import (
    CONVERSION_OPTIONS,
    ConversionConfig,
    ConvertingConfig,
    F0Method,
    StagePrecision,
)
from voxgate.engine.config.flow import (
    OPTIONS,
    FlowConfig,
    FlowMatchingConfig,
    parse_options,
    parse_words,
)
from voxgate.engine.config.infill import (
    INFILL_OPTIONS,
    VERSIONS,
    InfillConfig,
    parse_infill_options,
    parse_infill_words,
)
from voxgate.engine.config.option_spec import (
    OptionSpec,
    PipelineConfig,
    config_class,
    config_names,
    option,
    options_of,
    parse,
    parse_typed,
    register_config,
    typed,
)
from voxgate.engine.config.token import TOKEN_OPTIONS, TokenConfig

__all__ = [
    "CONVERSION_OPTIONS",
    "EPSS_STEPS",
    "INFILL_OPTIONS",
    "MAX_BATCH",
    "MAX_WORKERS",
    "OPTIONS",
    "TOKEN_OPTIONS",
    "VERSIONS",
    "Adaptive",
    "BatchBy",
    "ChatterboxConfig",
    "Compile",
    "ConversionConfig",
    "ConvertingConfig",
    "F0Method",
    "FlowConfig",
    "FlowMatchingConfig",
    "Grid",
    "InfillConfig",
    "KVCacheKind",
    "ModelVariant",
    "OptionSpec",
    "PipelineConfig",
    "Precision",
    "Quantization",
    "Runtime",
    "Solver",
    "StagePrecision",
    "Stages",
    "Switch",
    "TokenConfig",
    "Watermark",
    "config_class",
    "config_names",
    "option",
    "options_of",
    "parse",
    "parse_infill_options",
    "parse_infill_words",
    "parse_options",
    "parse_typed",
    "parse_words",
    "register_config",
    "typed",
]
